"""Memberships."""
from glance import exceptions
from tests.db_conformance.base import ADMIN, DatabaseCase


class Members(DatabaseCase):
    def setUp(self):
        super().setUp()
        self.image_id = self.create()['id']

    def test_members_are_listed_in_the_order_of_their_creation(self):
        made = [self.db.member_create(self.image_id, name) for name in ('c', 'a', 'b')]
        self.db.member_create(self.create()['id'], 'a')
        self.assertEqual(made, self.db.member_list(self.image_id))
        self.assertEqual([made[1]], self.db.member_list(self.image_id, 'a'))
        self.assertEqual(('pending', False, self.image_id), tuple(made[0][name] for name in (
            'status', 'can_share', 'image_id')))

    def test_names_are_compared_exactly(self):
        self.db.member_create(self.image_id, 'abc')
        for name in ('ABC', 'abc ', 'äbc', '', '\U0001f600', 'a\0', 'x' * 256):
            self.assertEqual([], self.db.member_list(self.image_id, name))
            self.assertRaises(exceptions.MemberNotFound, self.db.member_update, self.image_id, name, 'accepted')
            self.assertRaises(exceptions.MemberNotFound, self.db.member_delete, self.image_id, name)
        self.assertEqual('pending', self.db.member_list(self.image_id)[0]['status'])

    def test_a_live_membership_is_not_added_again(self):
        self.db.member_create(self.image_id, 'a', 'accepted')
        self.assertRaises(exceptions.Duplicate, self.db.member_create, self.image_id, 'a')
        self.assertEqual('accepted', self.db.member_list(self.image_id)[0]['status'])

    def test_a_dead_membership_comes_back_as_new(self):
        for _ in range(3):
            member = self.db.member_create(self.image_id, 'a', can_share=True)
            self.assertEqual('pending', member['status'])
            self.assertEqual([member], self.db.member_list(self.image_id))
            self.db.member_update(self.image_id, 'a', 'accepted')
            self.db.member_delete(self.image_id, 'a')
            self.assertEqual([], self.db.member_list(self.image_id))
        self.assertRaises(exceptions.MemberNotFound, self.db.member_delete, self.image_id, 'a')
        self.assertRaises(exceptions.MemberNotFound, self.db.member_update, self.image_id, 'a', 'accepted')

    def test_an_update_sets_the_status(self):
        made = self.db.member_create(self.image_id, 'a')
        member = self.db.member_update(self.image_id, 'a', 'rejected')
        self.assertEqual({**made, 'status': 'rejected', 'updated_at': member['updated_at']}, member)
        self.assertEqual([member], self.db.member_list(self.image_id))
        self.assertRaises(exceptions.Invalid, self.db.member_update, self.image_id, 'a', 'perhaps')

    def test_an_image_that_is_not_there_has_no_members(self):
        for image_id in ('gone', 'x' * 37, 'a\0'):
            self.assertRaises(exceptions.ImageNotFound, self.db.member_create, image_id, 'a')
            self.assertEqual([], self.db.member_list(image_id))
        self.db.image_remove(self.image_id)
        self.assertRaises(exceptions.ImageNotFound, self.db.member_create, self.image_id, 'a')

    def test_invalid_members(self):
        for member, status in (('x' * 256, 'pending'), ('a\0', 'pending'), (None, 'pending'), ('a', 'maybe')):
            self.assertRaises(exceptions.Invalid, self.db.member_create, self.image_id, member, status)
        self.assertEqual([], self.db.member_list(self.image_id))

    def test_the_image_itself_is_not_touched(self):
        before = self.db.image_get(ADMIN, self.image_id)
        self.db.member_create(self.image_id, 'a')
        self.assertEqual(before, self.db.image_get(ADMIN, self.image_id))
