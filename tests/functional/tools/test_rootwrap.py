"""``glance-rootwrap`` with the filters that are shipped."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

from oslo_rootwrap import wrapper

from tests.harness.server import ROOT, SHIPPED


class Rootwrap(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix='glance-test-')
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.configuration = self.folder / 'rootwrap.conf'
        shipped = (SHIPPED / 'rootwrap.conf').read_text()
        self.configuration.write_text(shipped.replace('/etc/glance/rootwrap.d', str(SHIPPED / 'rootwrap.d')))

    def run_program(self, *arguments: object) -> subprocess.CompletedProcess:
        return subprocess.run([sys.executable, '-m', 'glance.cmd.rootwrap', *map(str, arguments)], cwd=ROOT, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=60)

    def test_exit_codes(self):
        (self.folder / 'empty.conf').touch()
        for code, arguments in ((98, ()), (97, ('/nowhere.conf', 'true')), (97, (self.folder / 'empty.conf', 'true')),
                                (99, (self.configuration, 'id')), (99, (self.configuration, 'sh', '-c', 'chown'))):
            with self.subTest(arguments):
                done = self.run_program(*arguments)
                self.assertEqual(code, done.returncode, done.stderr)
                self.assertNotIn('Traceback', done.stderr)

    def test_the_code_of_the_command(self):
        done = self.run_program(self.configuration, 'chown', '--version')
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertIn('chown', done.stdout)
        self.assertEqual(1, self.run_program(self.configuration, 'chown', '0', '/nowhere').returncode)

    def test_what_the_filters_permit(self):
        # The library adds one of its own, of this name, that permits every privsep-helper.
        loaded = [found for found in wrapper.load_filters([str(SHIPPED / 'rootwrap.d')]) if found.name != 'privsep-helper']
        helper = ['privsep-helper', '--config-file', '/etc/glance/glance-api.conf', '--privsep_context',
                  'os_brick.privileged.default', '--privsep_sock_path', '/tmp/x/privsep.sock']
        other = [word.replace('os_brick.privileged.default', 'posix.fork') for word in helper]
        outside = [word.replace('/etc/glance', '/etc/../tmp') for word in helper]
        for command, permitted in ((['mount', '-t', 'nfs', 'a:/b', '/c'], True), (['umount', '/c'], True), (helper, True),
                                   (['chown', '42', '/dev/sdx'], True), (other, False), (outside, False), (['bash'], False)):
            with self.subTest(command):
                self.assertEqual(permitted, any(found.match(command) for found in loaded))
