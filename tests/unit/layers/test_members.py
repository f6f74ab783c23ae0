"""The layers over the members of an image, each alone, then together."""
import types
import unittest

from glance import exceptions, gateway
from glance.domain.image import VISIBILITIES, Image
from glance.domain.member import Member
from glance.layers.authorization import AuthorizeMembers
from glance.layers.database import DatabaseMembers
from glance.layers.policy import EnforceMembers
from glance.layers.quota import QuotaMembers
from glance.metrics.recorder import Metrics
from tests.unit.layers import fakes
from tests.unit.layers.test_policy import Rules

OWN, FRIEND, STRANGER, NOBODY = (fakes.caller(project) for project in (fakes.OWNER, fakes.FRIEND, fakes.STRANGER, None))
ANONYMOUS = fakes.caller(None, (), read_only=True)


def image(**values):
    found = Image('i', **{'owner': fakes.OWNER, **values})
    found.remember()
    return found


def member(member_id=fakes.FRIEND, **values):
    return Member('i', member_id, **values)


CALLS = {
    'new': lambda members: members.new(fakes.FRIEND),
    'get': lambda members: members.get(fakes.FRIEND, 'modify_member'),
    'list': lambda members: members.list(),
    'add': lambda members: members.add(member()),
    'save': lambda members: members.save(member()),
    'remove': lambda members: members.remove(member()),
}


class AuthorizationTest(unittest.TestCase):

    def check(self, context, of, verbs):
        for verb, call in CALLS.items():
            with self.subTest(project=context.owner, owner=of.owner, verb=verb):
                spy = fakes.Spy()
                members = AuthorizeMembers(spy, context, None, of)
                if verb in verbs or verb in ('get', 'list', 'add'):
                    call(members)
                    self.assertEqual([verb], spy.calls)
                else:
                    self.assertRaises(exceptions.Forbidden, call, members)
                    self.assertEqual([], spy.calls)

    def test_who_changes_what(self):
        for context, verbs in ((OWN, ('new', 'remove')), (FRIEND, ('save',)), (STRANGER, ()), (NOBODY, ()), (ANONYMOUS, ()),
                               (fakes.admin(), ('new', 'save', 'remove')),
                               (fakes.caller(None, ('admin',), read_only=True), ())):
            self.check(context, image(), verbs)

    def test_an_image_of_nobody(self):
        for context, verbs in ((OWN, ()), (NOBODY, ()), (FRIEND, ('save',)), (fakes.admin(), ('new', 'save', 'remove'))):
            self.check(context, image(owner=None), verbs)

    def test_the_owner_does_not_answer_for_itself(self):
        members = AuthorizeMembers(fakes.Spy(), OWN, None, image())
        self.assertRaises(exceptions.Forbidden, members.save, member(fakes.OWNER))

    def test_ownership_is_that_of_the_stored_image(self):
        of = image()
        of.owner = fakes.STRANGER
        self.assertRaises(exceptions.Forbidden, AuthorizeMembers(fakes.Spy(), STRANGER, None, of).new, fakes.FRIEND)


class PolicyTest(unittest.TestCase):
    RULES = {'new': ['add_member'], 'get': ['get_member', 'modify_member'], 'list': ['get_members', 'get_member'], 'add': [],
             'save': ['modify_member'], 'remove': ['delete_member']}

    def layer(self, *refused, **answers):
        rules, spy = Rules(*refused), fakes.Spy(**{'list': [member()], 'get': member(), **answers})
        of = image(member=fakes.FRIEND, extra_properties={'level': 'secret'})
        return EnforceMembers(spy, FRIEND, types.SimpleNamespace(enforcer=rules), of), rules, spy

    def test_rules_of_each_verb(self):
        for verb, call in CALLS.items():
            with self.subTest(verb=verb):
                members, rules, spy = self.layer()
                call(members)
                self.assertEqual((self.RULES[verb], [verb]), (rules.names, spy.calls))
                for _, target in rules.asked:
                    self.assertEqual(('i', fakes.OWNER, fakes.FRIEND, 'secret'), tuple(target[name] for name in (
                        'image_id', 'project_id', 'member_id', 'level')))

    def test_a_refused_verb_does_not_happen(self):
        for verb, call in CALLS.items():
            for rule in self.RULES[verb][:1]:
                members, _, spy = self.layer(rule)
                self.assertRaises(exceptions.Forbidden, call, members)
                self.assertEqual([], spy.calls)

    def test_the_rule_of_a_change_is_asked_once_the_member_is_found(self):
        members, rules, _ = self.layer('modify_member', get=exceptions.MemberNotFound('i', fakes.FRIEND))
        self.assertRaises(exceptions.MemberNotFound, members.get, fakes.FRIEND, 'modify_member')
        self.assertEqual(['get_member'], rules.names)
        members, _, _ = self.layer('modify_member')
        self.assertRaises(exceptions.Forbidden, members.get, fakes.FRIEND, 'modify_member')

    def test_what_may_not_be_looked_at_does_not_exist(self):
        members, _, _ = self.layer('get_member')
        self.assertRaises(exceptions.MemberNotFound, members.get, fakes.FRIEND)
        members, _, _ = self.layer(get=exceptions.Forbidden())
        self.assertRaises(exceptions.MemberNotFound, members.get, fakes.FRIEND)
        self.assertRaises(exceptions.Forbidden, members.get, fakes.FRIEND, 'delete_member')

    def test_members_that_may_not_be_looked_at_are_left_out_of_lists(self):
        members, _, _ = self.layer('get_member')
        self.assertEqual([], members.list())
        members, _, _ = self.layer()
        self.assertEqual([member()], members.list())


class QuotaTest(unittest.TestCase):

    def test_counts(self):
        for limit, present, allowed in ((2, 1, True), (2, 2, False), (2, 5, False), (1, 0, True), (0, 0, False), (-1, 500, True)):
            with self.subTest(limit=limit, present=present):
                spy = fakes.Spy(new=member, list=[member(str(number)) for number in range(present)])
                conf = types.SimpleNamespace(image_member_quota=limit)
                members = QuotaMembers(spy, OWN, types.SimpleNamespace(conf=conf, metrics=Metrics()), image())
                if allowed:
                    self.assertEqual(member('p'), members.new('p'))
                else:
                    with self.assertRaises(exceptions.LimitExceeded) as caught:
                        members.new('p')
                    self.assertIn(str(limit), str(caught.exception))


class Base(unittest.TestCase):

    def setUp(self):
        self.env = fakes.make_environment(self)
        self.image_id = self.stored()

    def stored(self, **values):
        return self.env.database.image_create({'status': 'active', 'owner': fakes.OWNER, 'visibility': 'shared', **values})['id']

    def image(self, context, image_id=None):
        return gateway.images(context, self.env).get(image_id or self.image_id)

    def records(self):
        return {record['member']: record['status'] for record in self.env.database.member_list(self.image_id)}


class DatabaseTest(Base):

    def members(self, context=OWN, of=None):
        return DatabaseMembers(context, self.env, of or self.image(fakes.admin()))

    def add(self, *names):
        for name in names:
            self.env.database.member_create(self.image_id, name)

    def test_new_stores_nothing(self):
        self.assertEqual(Member(self.image_id, 'p'), self.members().new('p'))
        self.assertEqual({}, self.records())

    def test_what_was_added_comes_back(self):
        members = self.members()
        added = members.new('p')
        members.add(added)
        self.assertEqual((added, [added]), (members.get('p'), members.list()))
        self.assertEqual(added.created_at, added.updated_at)
        self.assertRaises(exceptions.Duplicate, members.add, members.new('p'))

    def test_lists_are_in_the_order_of_creation(self):
        self.add('c', 'a', 'b')
        self.assertEqual(['c', 'a', 'b'], [found.member_id for found in self.members().list()])

    def test_who_sees_whom(self):
        self.add(fakes.FRIEND, 'p-other')
        everybody = [fakes.FRIEND, 'p-other']
        for context, seen in ((OWN, everybody), (fakes.admin(), everybody), (FRIEND, [fakes.FRIEND]), (STRANGER, []), (NOBODY, [])):
            with self.subTest(project=context.owner):
                members = self.members(context)
                self.assertEqual(seen, [found.member_id for found in members.list()])
                for name in everybody:
                    if name in seen:
                        self.assertEqual(name, members.get(name).member_id)
                    else:
                        self.assertRaises(exceptions.MemberNotFound, members.get, name)

    def test_the_image_of_nobody_has_no_owner_to_see_all(self):
        self.image_id = self.stored(owner=None)
        self.add(fakes.FRIEND)
        self.assertEqual([], self.members(NOBODY).list())
        self.assertEqual(1, len(self.members(FRIEND).list()))

    def test_members_of_another_image(self):
        self.add(fakes.FRIEND)
        other = self.image(OWN, self.stored())
        self.assertRaises(exceptions.MemberNotFound, self.members(of=other).get, fakes.FRIEND)
        self.assertEqual([], self.members(of=other).list())

    def test_answers(self):
        self.add(fakes.FRIEND)
        members = self.members(FRIEND)
        found = members.get(fakes.FRIEND)
        before = found.updated_at
        found.set_status('rejected')
        members.save(found)
        self.assertEqual({fakes.FRIEND: 'rejected'}, self.records())
        self.assertEqual(found, members.get(fakes.FRIEND))
        self.assertGreaterEqual(found.updated_at, before)

    def test_a_member_that_went_away_meanwhile(self):
        self.add(fakes.FRIEND)
        members = self.members()
        found = members.get(fakes.FRIEND)
        members.remove(found)
        self.assertEqual({}, self.records())
        self.assertRaises(exceptions.MemberNotFound, members.remove, found)
        self.assertRaises(exceptions.MemberNotFound, members.save, found)
        self.assertRaises(exceptions.MemberNotFound, members.get, fakes.FRIEND)

    def test_other_visibilities_have_no_members(self):
        self.add(fakes.FRIEND)
        for visibility in VISIBILITIES:
            members = self.members(of=self.seen_as(visibility))
            for call in (lambda: members.new('p'), members.list, lambda: members.get(fakes.FRIEND)):
                if visibility == 'shared':
                    call()
                else:
                    self.assertRaises(exceptions.Forbidden, call)

    def seen_as(self, visibility):
        found = self.image(fakes.admin())
        found.visibility = visibility
        return found


class GatewayTest(Base):

    def members(self, context):
        return gateway.members(context, self.env, self.image(context))

    def test_the_story_of_a_member(self):
        self.assertRaises(exceptions.ImageNotFound, self.members, FRIEND)
        owners = self.members(OWN)
        owners.add(owners.new(fakes.FRIEND))
        friends = self.members(FRIEND)
        mine = friends.get(fakes.FRIEND, rule='modify_member')
        mine.set_status('accepted')
        friends.save(mine)
        self.assertEqual([mine], owners.list())
        self.assertRaises(exceptions.Forbidden, owners.get, fakes.FRIEND, 'modify_member')
        self.assertRaises(exceptions.Forbidden, friends.get, fakes.FRIEND, 'delete_member')
        owners.remove(owners.get(fakes.FRIEND, rule='delete_member'))
        self.assertRaises(exceptions.ImageNotFound, self.members, FRIEND)

    def test_the_quota_is_asked_before_the_duplicate(self):
        self.env.conf.set_override('image_member_quota', 1)
        members = self.members(OWN)
        members.add(members.new(fakes.FRIEND))
        self.assertRaises(exceptions.LimitExceeded, members.new, fakes.FRIEND)

    def test_rows_of_a_private_image_wait_for_it_to_be_shared_again(self):
        members = self.members(OWN)
        members.add(members.new(fakes.FRIEND))
        for visibility in ('private', 'public', 'shared'):
            images = gateway.images(fakes.admin(), self.env)
            found = images.get(self.image_id)
            found.visibility = visibility
            images.save(found)
            if visibility == 'private':
                self.assertRaises(exceptions.ImageNotFound, self.members, FRIEND)
            elif visibility == 'public':
                self.assertRaises(exceptions.Forbidden, self.members(FRIEND).list)
            else:
                self.assertEqual(1, len(self.members(FRIEND).list()))

    def test_rules_do_not_let_others_choose_members(self):
        directory = fakes.temporary_directory(self)
        with open(directory + '/policy.yaml', 'w') as file:
            file.write(''.join('%s: "role:curator"\n' % rule for rule in (
                'add_member', 'delete_member', 'get_member', 'get_members', 'modify_member')))
        self.env = fakes.make_environment(self, fakes.make_conf(directory), self.env.database)
        self.env.database.member_create(self.image_id, fakes.FRIEND)
        curator = fakes.caller(fakes.FRIEND, ('curator', 'reader'))
        members = self.members(curator)
        self.assertRaises(exceptions.Forbidden, members.new, 'p')
        self.assertRaises(exceptions.Forbidden, members.remove, members.get(fakes.FRIEND, rule='delete_member'))
        owner = self.members(fakes.caller(fakes.OWNER, ('curator', 'reader')))
        answered = owner.get(fakes.FRIEND, rule='modify_member')
        self.assertRaises(exceptions.Forbidden, owner.save, answered)
        self.assertRaises(exceptions.Forbidden, self.members(OWN).list)
