import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import unittest

from tests.functional.test_server.running import ROOT, SECONDS


class CommandLineTest(unittest.TestCase):
    """``glance-api`` where it ends before it serves; what it serves is tested with the image API."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix='glance-test-')
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / 'images').mkdir()

    def run_program(self, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run([sys.executable, '-m', 'glance.cmd.api', *arguments], cwd=self.folder, text=True,
                              env={**os.environ, 'PYTHONPATH': str(ROOT)}, stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=SECONDS)

    def run_with(self, store: str = '', **options: object) -> subprocess.CompletedProcess:
        """Run with a configuration that works but for these options of ``[DEFAULT]`` and these lines of the store."""
        return self.run_program('--config-file', self.configuration(store, **options))

    def configuration(self, store: str = '', **options: object) -> str:
        lines = ['[DEFAULT]', 'bind_host = 127.0.0.1', 'node_staging_uri = file://%s/staging' % self.folder,
                 'data_api = glance.db.simple.api']
        lines += ['%s = %s' % option for option in options.items()]
        lines += ['[database]', 'connection = sqlite:///%s/glance.sqlite' % self.folder,
                  '[glance_store]', 'filesystem_store_datadir = %s/images' % self.folder, store,
                  '[paste_deploy]', 'config_file = %s' % (ROOT / 'etc' / 'glance' / 'glance-api-paste.ini')]
        path = self.folder / 'glance-api.conf'
        path.write_text('\n'.join(lines) + '\n')
        return str(path)

    def assert_fails(self, code: int, expected: str, result: subprocess.CompletedProcess) -> None:
        errors = re.findall('(?m)^ERROR: .*$', result.stderr)
        self.assertEqual((code, 1), (result.returncode, len(errors)), result.stderr)
        self.assertRegex(errors[0], expected)
        self.assertNotIn('Traceback', result.stderr)

    def test_help(self):
        result = self.run_program('--help')
        self.assertEqual(0, result.returncode)
        self.assertIn('--config-file', result.stdout)

    def test_version(self):
        result = self.run_program('--version')
        self.assertEqual(0, result.returncode)
        self.assertRegex(result.stdout, r'^\S+\n$')

    def test_unknown_option(self):
        self.assertEqual(2, self.run_program('--no-such-option').returncode)

    def test_missing_configuration_file(self):
        self.assert_fails(1, 'missing.conf', self.run_program('--config-file', str(self.folder / 'missing.conf')))

    def test_value_of_the_wrong_type(self):
        self.assert_fails(5, 'workers', self.run_with(workers='many'))

    def test_store_that_cannot_be_used(self):
        for option in ('filesystem_store_file_perm = 7', 'filesystem_store_metadata_file = /none'):
            with self.subTest(option):
                self.assert_fails(3, option, self.run_with(option))

    def test_stores_that_do_not_exist(self):
        for option in ('stores = floppy', 'stores = http'):
            with self.subTest(option):
                self.assert_fails(1, option, self.run_with(option))

    def test_debugger_to_which_the_workers_connect(self):
        with socket.create_server(('127.0.0.1', 0)) as listener:
            listener.settimeout(SECONDS)
            path = self.configuration(bind_port=_free_port(), workers=1, pydev_worker_debug_host='127.0.0.1',
                                      pydev_worker_debug_port=listener.getsockname()[1])
            with open(self.folder / 'log', 'wb') as log:
                process = subprocess.Popen([sys.executable, '-m', 'glance.cmd.api', '--config-file', path],
                                           cwd=self.folder, env={**os.environ, 'PYTHONPATH': str(ROOT)},
                                           stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            self.addCleanup(process.wait)
            self.addCleanup(process.terminate)
            debugger, _ = listener.accept()
            with debugger:
                debugger.settimeout(SECONDS)
                debugger.sendall(b'501\t1\t1.1\tUNIX\tID\n101\t3\t\n')  # who are you; go on
                self.assertRegex(debugger.recv(4096), rb'^501\t1\t')

    def test_debugger_that_is_not_there(self):
        result = self.run_with(workers=0, bind_port=_free_port(), pydev_worker_debug_host='127.0.0.1',
                               pydev_worker_debug_port=1)
        self.assertEqual(1, result.returncode)
        self.assertRegex(result.stderr, '(?m)^ERROR: .* pydev_worker_debug_port = 1: Connection refused')

    def test_address_that_is_not_here(self):
        self.assert_fails(1, '192.0.2.1 port 9292 ', self.run_with(bind_host='192.0.2.1'))

    def test_database_of_another_release(self):
        self.assert_fails(1, 'glance-manage db_sync', self.run_with(data_api='glance.db.sqlalchemy.api'))

    def test_half_of_a_key_pair(self):
        self.assert_fails(1, 'cert_file', self.run_with(cert_file='x', bind_port=_free_port()))

    def test_missing_paste_file(self):
        (self.folder / 'glance-api.conf').write_text('[paste_deploy]\nconfig_file = %s/no-paste.ini\n' % self.folder)
        self.assert_fails(1, 'no-paste.ini', self.run_program('--config-file', str(self.folder / 'glance-api.conf')))


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        return sock.getsockname()[1]
