"""The tools of oslo.policy find the rules by their namespace."""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

from glance import policies

PROGRAMS = pathlib.Path(sys.executable).parent
CREATOR = 'rule:context_is_admin or (role:member and project_id:%(project_id)s and project_id:%(owner)s)'


class PolicyToolsTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.rules = self.folder / 'policy.yaml'
        self.rules.write_text('"get_image": "role:reader"\n"add_image": "%s"\n' % CREATOR)
        self.config = self.folder / 'glance-api.conf'
        self.config.write_text('[oslo_policy]\npolicy_file = %s\n' % self.rules)

    def run_tool(self, name, *arguments, expected=0):
        command = [str(PROGRAMS / name), *arguments]
        result = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=120)
        self.assertEqual(expected, result.returncode, result.stderr)
        return result.stdout

    def test_the_sample_holds_every_rule(self):
        sample = self.run_tool('oslopolicy-sample-generator', '--namespace', 'glance')
        for rule in policies.list_rules():
            with self.subTest(rule=rule.name):
                self.assertIn('#"%s": ' % rule.name, sample)

    def test_the_policy_in_force_holds_overrides_and_defaults(self):
        policy = self.run_tool('oslopolicy-policy-generator', '--namespace', 'glance', '--config-file', str(self.config))
        self.assertIn('"get_image": "role:reader"\n', policy)
        self.assertIn('"delete_image": ', policy)

    def test_rules_that_repeat_the_default_are_found(self):
        redundant = self.run_tool('oslopolicy-list-redundant', '--namespace', 'glance', '--config-file', str(self.config))
        self.assertIn('add_image', redundant)
        self.assertNotIn('get_image', redundant)

    def test_files_are_validated(self):
        arguments = ('oslopolicy-validator', '--namespace', 'glance', '--config-file', str(self.config))
        self.run_tool(*arguments)
        self.rules.write_text('"get_image": "rule:nobody_wrote_this"\n')
        self.run_tool(*arguments, expected=1)

    def test_a_token_is_checked(self):
        access = self.folder / 'access.json'
        access.write_text(json.dumps({'token': {
            'roles': [{'name': 'reader'}], 'user': {'id': 'u', 'domain': {'id': 'd'}},
            'project': {'id': 'p', 'domain': {'id': 'd'}}}}))
        checked = self.run_tool('oslopolicy-checker', '--policy', str(self.rules), '--access', str(access),
                                '--rule', 'get_image')
        self.assertIn('passed: get_image', checked)

    def test_the_shipped_sample_is_up_to_date(self):
        shipped = pathlib.Path(__file__).resolve().parents[2] / 'etc' / 'glance' / 'policy.yaml'
        self.assertEqual(self.run_tool('oslopolicy-sample-generator', '--namespace', 'glance').split(),
                         shipped.read_text().split(), 'run tox -e genpolicy')


if __name__ == '__main__':
    unittest.main()
