"""Members and what they may be called."""
import unittest

from glance import exceptions
from glance.domain.member import STATUSES, Member, check_member_id


class MemberTest(unittest.TestCase):

    def test_a_new_member_has_not_answered(self):
        member = Member('i', 'p')
        self.assertEqual(('i', 'p', 'pending', None, None), (
            member.image_id, member.member_id, member.status, member.created_at, member.updated_at))

    def test_answers(self):
        for before in STATUSES:
            for after in STATUSES:
                member = Member('i', 'p', before)
                member.set_status(after)
                self.assertEqual(after, member.status)

    def test_other_answers(self):
        for status in ('', 'Accepted', 'accepted ', 'deleted', None, 1, True, [], ['accepted'], {}):
            with self.subTest(status=status):
                member = Member('i', 'p')
                with self.assertRaises(exceptions.Invalid) as caught:
                    member.set_status(status)
                for allowed in STATUSES:
                    self.assertIn(allowed, str(caught.exception))
                self.assertEqual('pending', member.status)

    def test_ids(self):
        for value in ('p', 'x' * 255, 'é' * 255, ' '):
            self.assertEqual(value, check_member_id(value))
        for value in ('', 'x' * 256, None, 1, True, [], ['p'], {}, {'a': 1}):
            with self.subTest(value=value):
                self.assertRaises(exceptions.Invalid, check_member_id, value)
