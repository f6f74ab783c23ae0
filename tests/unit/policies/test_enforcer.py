"""Evaluation of rules, and what happens to policy files."""
import os
import unittest
from unittest import mock

from glance import exceptions
from glance.policies import enforcer
from tests.unit.layers import fakes

PUBLIC = {'visibility': 'public', 'project_id': fakes.STRANGER, 'member_id': None}


class Base(unittest.TestCase):

    def setUp(self):
        self.directory = fakes.temporary_directory(self)
        self.clock = fakes.Clock()
        patcher = mock.patch.object(enforcer, 'time', self.clock)
        patcher.start()
        self.addCleanup(patcher.stop)

    def write(self, name, text):
        path = os.path.join(self.directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w') as file:
            file.write(text)
        # A time of its own for each version, whatever the resolution of the file system.
        self.clock.now += 10
        os.utime(path, (self.clock.now, self.clock.now))

    def remove(self, name):
        os.unlink(os.path.join(self.directory, name))
        self.clock.now += 10

    def make(self, text='[DEFAULT]\n'):
        return enforcer.Enforcer(fakes.make_conf(self.directory, text))

    def allows(self, rules, rule, *roles, target=PUBLIC, **identity):
        return rules.allows(fakes.caller(roles=roles, **identity), rule, target)


class RuleTest(Base):

    def test_without_files_the_defaults_hold(self):
        rules = self.make()
        self.assertTrue(self.allows(rules, 'get_image', 'reader'))
        self.assertFalse(self.allows(rules, 'get_image', 'nobody'))

    def test_a_rule_that_does_not_exist_is_passed_by_nobody(self):
        rules = self.make()
        for roles in (('reader',), ('admin', 'member', 'reader', 'service')):
            self.assertFalse(self.allows(rules, 'no_such_rule', *roles))

    def test_a_refusal_names_the_rule(self):
        with self.assertRaises(exceptions.Forbidden) as caught:
            self.make().check(fakes.caller(roles=()), 'get_image', PUBLIC)
        self.assertIn('get_image', str(caught.exception))

    def test_an_override_wins(self):
        self.write('policy.yaml', 'get_image: "role:auditor"\n')
        rules = self.make()
        self.assertTrue(self.allows(rules, 'get_image', 'auditor'))
        self.assertFalse(self.allows(rules, 'get_image', 'reader'))
        self.assertFalse(self.allows(rules, 'get_image', 'admin'))

    def test_the_check_language(self):
        target = {'visibility': 'public', 'project_id': fakes.OWNER, 'protected': True, 'os_distro': 'debian'}
        for check, expected in (
                ('', True), ('@', True), ('!', False), ('role:READER', True), ('role:other', False),
                ('project_id:%(project_id)s', True), ('tenant:%(project_id)s', True), ('user:u', True),
                ('user_id:u', True),
                ("'public':%(visibility)s", True), ("'private':%(visibility)s", False), ('True:%(protected)s', True),
                ("'debian':%(os_distro)s", True), ('project_id:%(absent)s', False), ('absent:%(project_id)s', False),
                ('role:reader and not role:other', True), ('not (role:reader)', False),
                ('role:other or role:reader and role:member', True), ('rule:get_images', True), ('rule:absent', False),
                ('is_admin:True', False)):
            with self.subTest(check=check):
                self.write('policy.yaml', 'my_rule: "%s"\n' % check)
                self.assertEqual(expected, self.allows(self.make(), 'my_rule', 'reader', 'member', target=target))

    def test_a_check_that_cannot_be_understood_is_passed_by_nobody(self):
        for check in ('role:reader and', '((', 'and', 'role:a role:b'):
            with self.subTest(check=check), self.assertLogs('oslo_policy', 'ERROR'):
                self.write('policy.yaml', 'get_image: "%s"\n' % check)
                self.assertFalse(self.allows(self.make(), 'get_image', 'reader', 'admin'))

    def test_the_list_form_of_old_files(self):
        self.write('policy.yaml', 'my_rule: [["role:a", "role:b"], ["role:c"]]\n')
        rules = self.make()
        for roles, expected in ((('a',), False), (('a', 'b'), True), (('c',), True), ((), False)):
            self.assertEqual(expected, self.allows(rules, 'my_rule', *roles))

    def test_json_is_yaml(self):
        self.write('policy.yaml', '{"my_rule": "role:a"}')
        self.assertTrue(self.allows(self.make(), 'my_rule', 'a'))

    def test_an_empty_file(self):
        for text in ('', '# nothing\n', '{}'):
            self.write('policy.yaml', text)
            self.assertTrue(self.allows(self.make(), 'get_image', 'reader'))

    def test_the_name_of_the_file_is_an_option(self):
        self.write('mine.yaml', 'get_image: "!"\n')
        self.assertFalse(self.allows(self.make('[oslo_policy]\npolicy_file = mine.yaml\n'), 'get_image', 'reader'))


class ScopeTest(Base):

    def test_rules_of_projects_refuse_other_scopes(self):
        rules = self.make()
        self.assertTrue(self.allows(rules, 'get_image', 'admin'))
        self.assertFalse(self.allows(rules, 'get_image', 'admin', project=None, system_scope='all'))
        self.assertFalse(self.allows(rules, 'get_image', 'admin', project=None, domain_id='d'))

    def test_base_rules_have_no_scope(self):
        rules = self.make()
        for scope in ({'system_scope': 'all'}, {'domain_id': 'd'}, {}):
            self.assertTrue(self.allows(rules, 'context_is_admin', 'admin', project=None, **scope))
            self.assertTrue(self.allows(rules, 'service_api', 'service', project=None, **scope))


class OldDefaultsTest(Base):

    RULES = ('add_image', 'get_image', 'get_images', 'modify_image', 'delete_image', 'communitize_image',
             'download_image',
             'upload_image')

    def setUp(self):
        super().setUp()
        self.text = '[oslo_policy]\nenforce_new_defaults = false\n'

    def test_everybody_passes(self):
        rules = self.make(self.text)
        for rule in self.RULES:
            with self.subTest(rule=rule):
                self.assertTrue(self.allows(rules, rule, 'nobody', target={}))

    def test_publicize_stays_with_administrators(self):
        rules = self.make(self.text)
        self.assertFalse(self.allows(rules, 'publicize_image', 'member'))
        self.assertTrue(self.allows(rules, 'publicize_image', 'admin'))

    def test_an_override_has_no_old_default(self):
        self.write('policy.yaml', 'get_image: "role:auditor"\n')
        self.assertFalse(self.allows(self.make(self.text), 'get_image', 'reader'))

    def test_the_operators_default_rule_is_the_old_default(self):
        self.write('policy.yaml', 'default: "role:auditor"\n')
        rules = self.make(self.text)
        self.assertTrue(self.allows(rules, 'get_image', 'auditor', target={}))
        self.assertFalse(self.allows(rules, 'get_image', 'nobody', target={}))

    def test_new_defaults_are_the_default(self):
        rules = self.make()
        for rule in self.RULES:
            with self.subTest(rule=rule):
                self.assertFalse(self.allows(rules, rule, 'nobody', target={}))


class FileTest(Base):

    def test_a_change_takes_effect(self):
        self.write('policy.yaml', 'get_image: "!"\n')
        rules = self.make()
        self.assertFalse(self.allows(rules, 'get_image', 'reader'))
        self.write('policy.yaml', 'get_image: "@"\n')
        self.assertTrue(self.allows(rules, 'get_image', 'nobody'))

    def test_a_new_file_takes_effect(self):
        rules = self.make()
        self.write('policy.yaml', 'get_image: "!"\n')
        self.assertFalse(self.allows(rules, 'get_image', 'reader'))

    def test_removing_an_override_takes_effect(self):
        self.write('policy.yaml', 'get_image: "!"\nget_images: "@"\n')
        rules = self.make()
        self.write('policy.yaml', 'add_image: "@"\n')
        self.assertTrue(self.allows(rules, 'get_image', 'reader'))
        self.assertFalse(self.allows(rules, 'get_images', 'nobody'))

    def test_removing_the_file_takes_effect(self):
        self.write('policy.yaml', 'get_image: "!"\n')
        rules = self.make()
        self.remove('policy.yaml')
        self.assertTrue(self.allows(rules, 'get_image', 'reader'))

    def test_a_file_that_is_broken_at_start(self):
        for text in ('get_image: "role:reader', 'just words', '- get_image', '[1]', 'get_image: [', '"\xff', 'a: b: c'):
            with self.subTest(text=text):
                self.write('policy.yaml', text)
                with self.assertRaises(exceptions.ConfigurationError) as caught:
                    self.make()
                self.assertIn(os.path.join(self.directory, 'policy.yaml'), str(caught.exception))
                self.assertNotIn('\n', str(caught.exception))

    def test_a_broken_file_in_the_directory_at_start(self):
        self.write('policy.d/50-x.yaml', 'get_image: [')
        with self.assertRaises(exceptions.ConfigurationError) as caught:
            self.make()
        self.assertIn('50-x.yaml', str(caught.exception))

    def test_a_value_that_is_no_check_at_start(self):
        self.write('policy.yaml', 'get_image: 5\n')
        with self.assertRaises(exceptions.ConfigurationError):
            self.make()

    def test_a_file_that_breaks_later_changes_nothing(self):
        self.write('policy.yaml', 'get_image: "role:auditor"\n')
        rules = self.make()
        self.write('policy.yaml', 'get_image: [')
        with self.assertLogs(enforcer.LOG, 'ERROR') as logs:
            self.assertTrue(self.allows(rules, 'get_image', 'auditor'))
        self.assertFalse(self.allows(rules, 'get_image', 'reader'))
        self.assertIn('policy.yaml', logs.output[0])

    def test_a_file_that_breaks_later_is_logged_once(self):
        rules = self.make()
        self.write('policy.yaml', 'get_image: [')
        with self.assertLogs(enforcer.LOG, 'ERROR') as logs:
            for _ in range(5):
                self.clock.now += 10
                self.allows(rules, 'get_image', 'reader')
        self.assertEqual(1, len(logs.output))

    def test_a_value_that_is_no_check_later_changes_nothing(self):
        rules = self.make()
        self.write('policy.yaml', 'get_image: 5\n')
        self.assertTrue(self.allows(rules, 'get_image', 'reader'))

    def test_a_file_that_is_mended_takes_effect(self):
        rules = self.make()
        self.write('policy.yaml', 'get_image: [')
        with self.assertLogs(enforcer.LOG, 'ERROR'):
            self.allows(rules, 'get_image', 'reader')
        self.write('policy.yaml', 'get_image: "!"\n')
        self.assertFalse(self.allows(rules, 'get_image', 'reader'))


class DirectoryTest(Base):

    def test_later_names_win(self):
        self.write('policy.yaml', 'a: "!"\nb: "!"\nc: "!"\n')
        self.write('policy.d/10.yaml', 'b: "@"\nc: "@"\n')
        self.write('policy.d/20.yaml', 'c: "!"\n')
        rules = self.make()
        self.assertEqual([False, True, False], [self.allows(rules, rule) for rule in 'abc'])

    def test_dot_files_are_skipped(self):
        self.write('policy.d/.swap', 'get_image: [')
        self.assertTrue(self.allows(self.make(), 'get_image', 'reader'))

    def test_files_that_come_and_go(self):
        self.write('policy.d/10.yaml', 'a: "!"\n')
        rules = self.make()
        self.write('policy.d/20.yaml', 'get_image: "!"\n')
        self.assertFalse(self.allows(rules, 'get_image', 'reader'))
        self.remove('policy.d/20.yaml')
        self.assertTrue(self.allows(rules, 'get_image', 'reader'))

    def test_several_directories(self):
        self.write('one/a.yaml', 'a: "@"\n')
        self.write('two/b.yaml', 'b: "@"\n')
        rules = self.make('[oslo_policy]\npolicy_dirs = one\npolicy_dirs = two\n')
        self.assertEqual([True, True], [self.allows(rules, rule) for rule in 'ab'])


class LegacyFileTest(Base):

    def test_policy_json_is_read_where_there_is_no_yaml(self):
        self.write('policy.json', '{"get_image": "!"}')
        with self.assertLogs(enforcer.LOG, 'WARNING') as logs:
            rules = self.make()
        self.assertIn('policy.json', ''.join(logs.output))
        self.assertFalse(self.allows(rules, 'get_image', 'reader'))

    def test_policy_yaml_wins(self):
        self.write('policy.json', '{"get_image": "!"}')
        self.write('policy.yaml', 'get_image: "@"\n')
        self.assertTrue(self.allows(self.make(), 'get_image', 'nobody'))

    def test_policy_json_that_is_broken(self):
        self.write('policy.json', '{"get_image": "!",}')
        with self.assertRaises(exceptions.ConfigurationError) as caught:
            self.make()
        self.assertIn('policy.json', str(caught.exception))

    def test_policy_json_is_followed_too(self):
        self.write('policy.json', '{"get_image": "!"}')
        rules = self.make()
        self.write('policy.json', '{}')
        self.assertTrue(self.allows(rules, 'get_image', 'reader'))
