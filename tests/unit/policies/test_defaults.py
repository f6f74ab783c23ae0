"""The default rules, evaluated for every kind of caller."""
import unittest

from glance import policies
from glance.policies.enforcer import Enforcer
from tests.unit.layers import fakes

# The columns of the matrix: member, reader and role-less user of the owning project; member and reader of a project that
# the image is shared with; member elsewhere; admin; service; admin of the system.
CALLERS = {
    'M': fakes.caller(fakes.OWNER), 'R': fakes.caller(fakes.OWNER, ('reader',)), 'N': fakes.caller(fakes.OWNER, ()),
    'm': fakes.caller(fakes.FRIEND), 'r': fakes.caller(fakes.FRIEND, ('reader',)), 'O': fakes.caller(fakes.STRANGER),
    'A': fakes.admin(), 'S': fakes.caller('p-service', ('service',)),
    'Y': fakes.caller(None, ('admin', 'member', 'reader'), system_scope='all'),
}


def target(visibility, member=None):
    return {'project_id': fakes.OWNER, 'owner': fakes.OWNER, 'visibility': visibility, 'member_id': member}


class DefaultsTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.rules = Enforcer(fakes.make_conf())

    def passing(self, rule, for_target):
        return ''.join(name for name, context in CALLERS.items() if self.rules.allows(context, rule, for_target))

    def test_rules_of_the_project(self):
        for visibility in ('private', 'shared', 'community', 'public'):
            for rule in ('modify_image', 'delete_image', 'upload_image', 'communitize_image', 'add_image'):
                with self.subTest(rule=rule, visibility=visibility):
                    self.assertEqual('MA', self.passing(rule, target(visibility)))
            self.assertEqual('A', self.passing('publicize_image', target(visibility)))
            self.assertEqual('MRA', self.passing('get_images', target(visibility)))

    def test_reading(self):
        for rule, private, shared, public in (('get_image', 'MRA', 'MRmrOA', 'MRmrOA'),
                                              ('download_image', 'MA', 'MmOA', 'MmOA')):
            with self.subTest(rule=rule):
                self.assertEqual(private, self.passing(rule, target('private')))
                self.assertEqual(shared, self.passing(rule, target('shared')))
                for visibility in ('community', 'public'):
                    self.assertEqual(public, self.passing(rule, target(visibility)))

    def test_members_of_an_image(self):
        self.assertEqual('MRmrA', self.passing('get_image', target('', fakes.FRIEND)))
        self.assertEqual('MmA', self.passing('download_image', target('', fakes.FRIEND)))

    def test_sharing(self):
        for rule in ('add_member', 'delete_member', 'deactivate', 'reactivate'):
            with self.subTest(rule=rule):
                self.assertEqual('MA', self.passing(rule, target('shared', fakes.FRIEND)))
        for rule in ('get_members', 'get_member'):
            with self.subTest(rule=rule):
                self.assertEqual('MRmrA', self.passing(rule, target('shared', fakes.FRIEND)))
                self.assertEqual('MRA', self.passing(rule, target('shared')))
        self.assertEqual('mA', self.passing('modify_member', target('shared', fakes.FRIEND)))
        self.assertEqual('A', self.passing('modify_member', target('shared')))

    def test_an_image_for_another_owner(self):
        self.assertEqual('A', self.passing('add_image', {**target('private'), 'owner': 'p-other'}))
        self.assertEqual('A', self.passing('add_image', {'project_id': None, 'owner': None, 'visibility': 'private'}))

    def test_services(self):
        self.assertEqual('ASY', self.passing('service_api', {}))
        self.assertTrue(self.rules.allows(fakes.caller(roles=('reader',), service_roles=['service']), 'service_api',
                                          {}))
        self.assertEqual('AY', self.passing('context_is_admin', {}))

    def test_every_rule_says_what_it_guards(self):
        rules = list(policies.list_rules())
        self.assertEqual(len(rules), len({rule.name for rule in rules}))
        for rule in rules:
            self.assertTrue(rule.description)
            if rule.name not in ('default', 'context_is_admin', 'service_api'):
                self.assertTrue(rule.operations)
                self.assertEqual(['project'], rule.scope_types)
