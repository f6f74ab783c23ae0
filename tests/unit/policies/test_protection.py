"""The files of property protections: what they say, what is wrong with them, and who is let through."""
import os
import re
import unittest
from pathlib import Path
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from glance import exceptions
from glance.policies import protection
from glance.policies.enforcer import Enforcer
from tests.unit.layers import fakes

SHIPPED = Path(__file__).resolve().parents[3] / 'etc' / 'glance'
CLOSED = 'create = !\nread = !\nupdate = !\ndelete = !\n'


def section(name, **values):
    """A section that lets nobody do anything except as given."""
    values = {**dict.fromkeys(protection.ACTIONS, '!'), **values}
    return '[%s]\n%s\n' % (name, '\n'.join('%s = %s' % item for item in values.items()))


class FileTestCase(unittest.TestCase):
    rule_format = 'roles'

    def setUp(self):
        self.directory = fakes.temporary_directory(self)
        self.path = os.path.join(self.directory, 'protections.conf')

    def load(self, content=None, name='protections.conf', policies=''):
        if content is not None:
            with open(self.path, 'wb') as file:
                file.write(content if isinstance(content, bytes) else content.encode())
        if policies:
            with open(os.path.join(self.directory, 'policy.yaml'), 'w') as file:
                file.write(policies)
        conf = fakes.make_conf(self.directory, '[DEFAULT]\nproperty_protection_file = %s\nproperty_protection_rule_format = %s\n'
                               % (name, self.rule_format))
        return protection.load(conf, Enforcer(conf))

    def refusal(self, *args, **kwargs):
        with self.assertRaises(exceptions.ConfigurationError) as caught:
            self.load(*args, **kwargs)
        self.assertNotIn('\n', str(caught.exception))
        return str(caught.exception)

    def allowed(self, protections, context, name):
        permissions = protections.of(context)
        return [action for action in protection.ACTIONS if permissions.allow(action, name)]


class BrokenFileTest(FileTestCase):

    def test_no_file_is_no_protection(self):
        self.assertIsNone(protection.load(fakes.make_conf(self.directory), None))

    def test_a_file_that_is_not_there(self):
        for name in ('other.conf', '/does/not/exist.conf'):
            text = self.refusal(name=name)
            self.assertIn(name, text)
            self.assertIn('[DEFAULT] property_protection_file', text)

    def test_a_file_that_cannot_be_read(self):
        os.mkdir(self.path)
        self.assertIn('%s is not valid: it cannot be read: Is a directory.' % self.path, self.refusal())

    def test_what_is_wrong_is_named(self):
        for content, reason in (
                (section('['), 'section [[] is no regular expression: unterminated character set at position 0.'),
                (section('a') + section('*x'), 'section [*x] is no regular expression: nothing to repeat at position 0.'),
                ('[x]\ncreate = a\nread = a\ndelete = a\n',
                 'section [x] lacks the key "update"; write update = ! to let nobody do so.'),
                ('[x]\n', 'section [x] lacks the key "create"; write create = ! to let nobody do so.'),
                (section('x') + '[y]\ncreate = !\nread = !\nupdate = !\n',
                 'section [y] lacks the key "delete"; write delete = ! to let nobody do so.'),
                (section('x', read='@,!'),
                 'section [x], key "read": @ (everybody) and ! (nobody) contradict each other; remove one.'),
                (section('x', update='admin, !, @'),
                 'section [x], key "update": @ (everybody) and ! (nobody) contradict each other; remove one.'),
                (section('x', delete='admin\n  member'),
                 'section [x], key "delete": "admin member" must be one role on one line; separate roles with commas.'),
                ('read = !\n[x]\n' + CLOSED, 'line 1 stands before the first section; begin with a line like [^x_].'),
                ('[x]\nread\n', 'line 2 is neither a section nor "key = value".'),
                ('[x\n', 'line 1 stands before the first section; begin with a line like [^x_].'),
                (section('x') + section('x'), 'line 6 begins the section [x] again.'),
                ('[x]\nread = a\nread = b\n', 'line 3 gives section [x] the key "read" again.'),
                (b'[x]\nread = \xff\n', 'it is not UTF-8 text.')):
            with self.subTest(content=content):
                self.assertEqual('The property protection file %s is not valid: %s' % (self.path, reason),
                                 self.refusal(content))

    def test_values_of_a_section_called_default_are_its_own(self):
        self.assertIn('section [x] lacks the key "read"', self.refusal(
            '[DEFAULT]\n%s[x]\ncreate = !\nupdate = !\ndelete = !\n' % CLOSED))

    def test_what_is_odd_is_warned_about(self):
        for content, words in (('', ('no section', self.path)), ('# nothing\n', ('no section', self.path)),
                               (section('x', read=''), ('[x]', 'nobody read', self.path)),
                               (section('x', read=','), ('[x]', 'nobody read')),
                               (section('x') + section('os_glance.*'), ('[os_glance.*]', 'no effect', self.path)),
                               (section('x') + '[os_glance_y]\nread = @,!\n', ('[os_glance_y]', 'no effect'))):
            with self.subTest(content=content), self.assertLogs(protection.LOG, 'WARNING') as logs:
                self.load(content)
                self.assertEqual(1, len(logs.output))
                for word in words:
                    self.assertIn(word, logs.output[0])
        with self.assertNoLogs(protection.LOG):
            self.load(section('x'))

    @given(st.text(alphabet='[]^x_=,@!*\\ (\n#%', max_size=40))
    def test_any_text_is_read_or_refused_in_a_sentence(self, text):
        with mock.patch.object(protection, 'LOG'):
            try:
                self.load(text)
            except exceptions.ConfigurationError as error:
                self.assertIn(self.path, str(error))


class RolesTest(FileTestCase):

    def test_names_are_searched_and_the_first_section_decides(self):
        protections = self.load(section('^provider_', read='admin') + section('secret$', read='owner')
                                + section('_', read='@', create='member'))
        member, owner = fakes.caller(), fakes.caller(roles=('owner',))
        for name, context, actions in (
                ('provider_x', member, []), ('provider_x', fakes.admin(), ['read']), ('provider_secret', owner, []),
                ('my_secret', owner, ['read']), ('my_secret', member, []), ('my_secrets', member, ['create', 'read']),
                ('a_provider_x', member, ['create', 'read']), ('x', fakes.admin(), []), ('', fakes.admin(), []),
                ('Provider_x', member, ['create', 'read'])):
            with self.subTest(name=name, roles=context.roles):
                self.assertEqual(actions, self.allowed(protections, context, name))

    def test_each_action_has_its_own_roles(self):
        with self.assertLogs(protection.LOG):
            protections = self.load(section('.', create='a', read='A , b,', update='b,@', delete='b,!'))
        for role, actions in (('a', ['create', 'read', 'update']), ('b', ['read', 'update']), ('c', ['update'])):
            self.assertEqual(actions, self.allowed(protections, fakes.caller(roles=(role,)), 'x'))

    def test_roles_are_compared_without_case_and_on_several_lines(self):
        protections = self.load(section('.', read='Admin,\n   Heat_Owner'))
        for role, actions in (('ADMIN', ['read']), ('heat_owner', ['read']), ('heat', [])):
            self.assertEqual(actions, self.allowed(protections, fakes.caller(roles=(role,)), 'x'))

    def test_special_words_are_no_roles(self):
        protections = self.load(section('.', read='!'))
        self.assertEqual([], self.allowed(protections, fakes.caller(roles=('!', '@', '')), 'x'))

    def test_percent_signs_are_nothing_special(self):
        protections = self.load(section('%(x)s', read='100%'))
        self.assertEqual(['read'], self.allowed(protections, fakes.caller(roles=('100%',)), '%xs'))

    def test_administrators_are_not_special(self):
        protections = self.load(section('.', read='auditor'))
        self.assertEqual([], self.allowed(protections, fakes.caller(roles=('admin',), is_admin=True), 'x'))

    def test_roles_of_the_service_token_count_and_stay_there(self):
        protections = self.load(section('.', read='service'))
        context = fakes.caller(service_roles=['Service'])
        self.assertEqual(['read'], self.allowed(protections, context, 'x'))
        self.assertEqual((['member', 'reader'], ['service']), (context.roles, context.service_roles))
        self.assertEqual(['member', 'reader'], context.credentials['roles'])

    def test_internal_properties_are_open_and_only_they(self):
        with self.assertLogs(protection.LOG):
            protections = self.load(section('os_glance.*') + section('.*', read='admin'))
        for name, actions in (('os_glance', list(protection.ACTIONS)), ('os_glance_import_task', list(protection.ACTIONS)),
                              ('x_os_glance_y', []), ('\nos_glance', []), ('os_glanc', [])):
            with self.subTest(name=name):
                self.assertEqual(actions, self.allowed(protections, fakes.caller(), name))

    def test_decisions_are_kept_for_the_request(self):
        asked = []
        permissions = protection.Permissions(
            [protection.Rule(re.compile('x'), dict.fromkeys(protection.ACTIONS, frozenset(['a'])))],
            lambda name: asked.append(name) or name == 'a')
        for _ in range(3):
            self.assertTrue(permissions.allow('read', 'x'))
            self.assertFalse(permissions.allow('read', 'y'))
        self.assertEqual(['a'], asked)
        permissions.allow('update', 'x')
        self.assertEqual(['a', 'a'], asked)


class PolicyRulesTest(FileTestCase):
    rule_format = 'policies'

    def test_rules_of_the_file_and_of_the_service(self):
        protections = self.load(section('.', create='auditors', read='context_is_admin', update='@', delete='not_a_rule'),
                                policies='auditors: "role:auditor"\n')
        for roles, actions in ((('auditor',), ['create', 'update']), (('admin',), ['read', 'update']), ((), ['update'])):
            self.assertEqual(actions, self.allowed(protections, fakes.caller(roles=roles), 'x'))

    def test_rules_have_an_empty_target(self):
        protections = self.load(section('.', read='mine'), policies='mine: "project_id:%(project_id)s"\n')
        self.assertEqual([], self.allowed(protections, fakes.caller(), 'x'))

    def test_names_of_rules_keep_their_case(self):
        protections = self.load(section('.', read='Auditors'), policies='Auditors: "role:auditor"\n')
        self.assertEqual(['read'], self.allowed(protections, fakes.caller(roles=('auditor',)), 'x'))

    def test_names_of_roles_are_no_rules(self):
        protections = self.load(section('.', read='admin'))
        self.assertEqual([], self.allowed(protections, fakes.admin(), 'x'))

    def test_one_rule_each(self):
        for value, shown in (('a,b', 'a,b'), ('a,', 'a,'), ('@,!', '@,!'), ('a\n  b', 'a b')):
            self.assertIn('section [x], key "read": "%s" must be the name of one rule; combine rules in the policy file.'
                          % shown, self.refusal(section('x', read=value)))


class ShippedFilesTest(FileTestCase):

    def check(self, sample, *cases):
        protections = self.load((SHIPPED / sample).read_text())
        for name, roles, allowed in cases:
            with self.subTest(name=name, roles=roles):
                self.assertEqual(list(protection.ACTIONS) if allowed else [],
                                 self.allowed(protections, fakes.caller(roles=roles), name))

    def test_roles(self):
        self.check('property-protections-roles.conf.sample',
                   ('x_y', ('_member_',), True), ('x_y', ('member',), True), ('x_y', ('reader',), False),
                   ('x_y', ('admin',), True), ('os_type', ('member',), False), ('a_x_y', ('member',), False),
                   ('os_type', ('admin',), True))

    def test_policies(self):
        self.rule_format = 'policies'
        self.check('property-protections-policies.conf.sample',
                   ('x_y', (), True), ('os_type', ('member',), False), ('os_type', ('admin',), True))
