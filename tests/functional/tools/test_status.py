"""``glance-status`` on installations that work, and on broken ones."""
import contextlib
import io
import json
import os
import shutil
import subprocess
import unittest
from unittest import mock

from glance.cmd import status
from tests.harness.server import GlanceServer


class StatusTestCase(unittest.TestCase):
    """An installation whose services do not run; nothing that is found may depend on them."""

    DATABASE = 'sqlite'

    def setUp(self):
        super().setUp()
        self.server = GlanceServer(self.DATABASE)
        self.addCleanup(self.server.cleanup)
        self.default = self.server.settings['DEFAULT']

    def synchronize(self):
        self.assertEqual(0, self.server.manage('db_sync').returncode)

    def write_config(self):
        self.server.write_config()
        self.server.config_file.chmod(0o640)

    def status(self, *arguments: str) -> subprocess.CompletedProcess:
        self.write_config()
        return self.server.run('glance.cmd.status', *arguments)

    def results(self, *command: str) -> dict[str, tuple[int, str]]:
        """The checks by title: result and details. The program runs in this process, which is faster."""
        self.write_config()
        output = io.StringIO()
        with contextlib.redirect_stdout(output), mock.patch('glance.conf.loading.set_up_logging'):
            code = status.main(['--config-file', str(self.server.config_file), *command, '--json'])
        checks = json.loads(output.getvalue())['checks']
        self.assertEqual(max(check['result'] for check in checks), code)
        return {check['check']: (check['result'], check['details']) for check in checks}

    def assertFound(self, verdict: int, words: str, title: str, command: tuple[str, ...] = ('doctor',)) -> None:
        found = self.results(*command)[title]
        self.assertEqual(verdict, found[0], found)
        self.assertIn(words, found[1])


class OnSQLite(StatusTestCase):

    def test_a_good_installation(self):
        self.synchronize()
        self.write_config()
        before = sorted(os.walk(self.server.folder))
        for command in (('doctor',), ('upgrade', 'check')):
            for title, (verdict, details) in self.results(*command).items():
                with self.subTest(command=command, title=title):
                    # There is no Keystone here, which is not safe.
                    self.assertEqual(2 if title == 'Security' else 0, verdict, details)
        self.assertEqual(before, sorted(os.walk(self.server.folder)))

    def test_database(self):
        self.assertFound(2, 'db sync', 'Database', ('upgrade', 'check'))
        self.assertFalse(self.server.database.path.exists())
        self.assertEqual(0, self.server.manage('db', 'upgrade', 'zed_contract01').returncode)
        self.assertFound(2, 'older than this release', 'Database', ('upgrade', 'check'))
        self.server.manage('db', 'expand')
        self.server.manage('db', 'migrate')
        self.assertFound(1, 'glance-manage db contract', 'Database', ('upgrade', 'check'))
        self.server.manage('db', 'contract')
        self.assertFound(0, 'up to date', 'Database', ('upgrade', 'check'))
        self.server.settings['database']['connection'] = 'mysql+pymysql://glance:S3CR3T@127.0.0.1:1/glance'
        results = self.results('doctor')
        self.assertEqual(2, results['Database'][0])
        self.assertIn('cannot be reached', results['Database'][1])
        self.assertNotIn('S3CR3T', str(results))

    def test_stores_and_staging(self):
        shutil.rmtree(self.server.images)
        self.assertFound(1, 'does not exist', 'Store access')
        self.assertFalse(self.server.images.exists())
        self.server.settings['glance_store']['filesystem_store_datadir'] = '/nowhere/at/all'
        self.assertFound(2, '/nowhere/at/all', 'Store access')
        self.server.settings['glance_store']['default_store'] = 'http'
        self.assertFound(2, 'default_store = http', 'Default store', ('upgrade', 'check'))
        staging = self.server.folder / 'staging'
        staging.chmod(0o777)
        self.assertFound(1, '0777', 'Staging directory', ('upgrade', 'check'))
        staging.rmdir()
        self.assertFound(1, 'does not exist', 'Staging directory', ('upgrade', 'check'))
        staging.symlink_to(self.server.folder)
        self.assertFound(1, 'not a directory of its own', 'Staging directory', ('upgrade', 'check'))

    def test_several_stores(self):
        self.default['enabled_backends'] = 'fast:file, old:sheepdog'
        self.server.settings['glance_store'] = {'default_backend': 'slow'}
        self.server.settings['fast'] = {'filesystem_store_datadir': self.server.images}
        self.server.settings['os_glance_staging_store'] = {'filesystem_store_datadir': self.server.folder / 'staging'}
        self.assertFound(2, 'default_backend = slow', 'Default store')
        self.server.settings['glance_store']['default_backend'] = 'fast'
        results = self.results('upgrade', 'check')
        self.assertEqual(0, results['Default store'][0])
        self.assertEqual(1, results['Sheepdog driver removal'][0])
        self.assertFound(2, '[old] Stores of type sheepdog need', 'Store access')

    def test_policy_and_protection_files(self):
        policy = self.server.folder / 'policy.yaml'
        policy.write_text('get_images: [')
        self.assertFound(2, str(policy), 'Policy files', ('upgrade', 'check'))
        policy.unlink()
        (self.server.folder / 'policy.json').write_text('{"get_images": "role:reader"}')
        self.assertFound(1, 'oslopolicy-convert-json-to-yaml', 'Policy file from JSON to YAML', ('upgrade', 'check'))
        protections = self.server.folder / 'protections.conf'
        self.default['property_protection_file'] = protections
        self.assertFound(2, 'was not found', 'Property protections', ('upgrade', 'check'))
        protections.write_text('[x]\ncreate = admin\n')
        self.assertFound(2, 'lacks the key', 'Property protections', ('upgrade', 'check'))

    def test_options(self):
        self.default['workers'] = 'many'
        self.assertFound(2, 'workers', 'Configuration')
        self.default['workers'] = 1
        self.server.settings['DEFAULT']['sql_connection'] = 'sqlite:////nowhere'
        self.assertFound(1, '[database] connection', 'Old names')
        self.default['owner_is_tenant'] = False
        self.assertFound(1, 'differs from upstream', 'Removal of owner_is_tenant', ('upgrade', 'check'))
        self.server.settings['paste_deploy']['config_file'] = '/nowhere-paste.ini'
        self.assertFound(2, '/nowhere-paste.ini', 'Paste file')

    def test_unsafe_settings(self):
        self.assertFound(2, 'Set it to keystone', 'Security', ('upgrade', 'check'))
        self.default.update(show_multiple_locations=True, show_image_direct_url=True, allow_anonymous_access=True,
                            do_secure_hash=False)
        self.server.settings['paste_deploy']['flavor'] = 'trusted-auth'
        self.server.settings['glance_store']['https_insecure'] = True
        self.server.settings['cors'] = {'allowed_origin': '*'}
        self.server.settings['oslo_policy'] = {'enforce_new_defaults': False}
        verdict, details = self.results('upgrade', 'check')['Security']
        self.assertEqual(1, verdict)
        lines = details.splitlines()
        for words in ('show_multiple_locations = true', 'show_image_direct_url = true', 'allow_anonymous_access = true',
                      'do_secure_hash = false', 'trusted_proxies', '[glance_store] https_insecure', '[cors] allowed_origin',
                      '[oslo_policy] enforce_new_defaults = false'):
            self.assertEqual(1, sum(words in line for line in lines), (words, lines))
        self.assertEqual(8, len(lines), lines)

    def test_files_with_secrets(self):
        self.assertFound(0, 'No file', 'Permissions of files')
        with mock.patch.object(self, 'write_config'):
            self.server.config_file.chmod(0o644)
            self.assertFound(1, 'has mode 0644, so that others can read it', 'Permissions of files')
            self.server.config_file.chmod(0o666)
            self.assertFound(1, 'has mode 0666, so that others can change it', 'Permissions of files')

    def test_output(self):
        done = self.status('upgrade', 'check')
        self.assertEqual((2, ''), (done.returncode, done.stderr))
        lines = done.stdout.splitlines()
        self.assertEqual('| Upgrade Check Results', lines[1].rstrip(' |'))
        self.assertEqual(1, len({len(line) for line in lines}), 'the borders are not straight')
        self.assertIn('| Check: Database', done.stdout)
        self.assertIn('| Result: Failure', done.stdout)
        done = self.status('doctor')
        self.assertRegex(done.stdout, r'(?m)^\[ok\]      Configuration: ')
        self.assertRegex(done.stdout, r'(?m)^\[failure\] Security: ')

    def test_mistakes(self):
        for code, arguments in ((2, ()), (2, ('upgrade',)), (2, ('upgrade', 'now')), (2, ('--no-such', 'doctor')),
                                (1, ('--config-file', '/nowhere.conf', 'doctor')), (1, ('--config-dir', '/nowhere', 'doctor'))):
            with self.subTest(arguments):
                done = self.status(*arguments)
                self.assertEqual((code, ''), (done.returncode, done.stdout))
                self.assertNotIn('Traceback', done.stderr)


class OnMariaDB(StatusTestCase):
    DATABASE = 'mysql'

    def test_a_good_installation(self):
        self.synchronize()
        results = self.results('doctor')
        self.assertEqual(0, results['Database'][0])
        self.assertEqual((0, 'It agrees with that of the database.'), results['Clock'])

    def test_an_empty_database(self):
        self.assertFound(2, 'older than this release', 'Database')
