"""``glance-control`` with a real glance-api, and with programs that behave badly."""
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import psutil
import requests

from tests.functional.api.base import SECONDS, wait_for
from tests.harness.server import ROOT, SHIPPED, GlanceServer


class ControlTestCase(unittest.TestCase):
    """A folder for pid files and programs, which are found before the real ones."""

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory(prefix='glance-test-')
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.pid_file = self.folder / 'run' / 'glance-api.pid'
        self.addCleanup(self.kill_recorded)

    def kill_recorded(self):
        """Leave nothing behind when a test failed in the middle."""
        if self.pid_file.exists():
            subprocess.run(['kill', '-KILL', self.pid_file.read_text().strip()], capture_output=True)

    def open(self, *arguments: object) -> subprocess.Popen:
        path = os.pathsep.join((str(self.folder / 'bin'), str(pathlib.Path(sys.executable).parent), os.environ['PATH']))
        return subprocess.Popen(
            [sys.executable, '-m', 'glance.cmd.control', '--pid-file', str(self.pid_file), *map(str, arguments)],
            cwd=self.folder, env={**os.environ, 'PYTHONPATH': str(ROOT), 'PATH': path, 'HOME': str(self.folder)},
            text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def control(self, *arguments: object, code: int = 0) -> str:
        """Run the program and expect the exit code; what it printed."""
        process = self.open(*arguments)
        output, _ = process.communicate(timeout=SECONDS)
        self.assertEqual(code, process.returncode, output)
        self.assertNotIn('Traceback', output)
        return output

    def recorded(self) -> int | None:
        return int(self.pid_file.read_text()) if self.pid_file.exists() else None

    def install(self, name: str, code: str) -> None:
        """Put a program in Python before the real ones."""
        path = self.folder / 'bin' / name
        path.parent.mkdir(exist_ok=True)
        path.write_text('#!%s\n%s\n' % (sys.executable, code))
        path.chmod(0o755)

    def start_foreign(self) -> subprocess.Popen:
        """Some other process, whose number the pid file holds."""
        process = subprocess.Popen(['sleep', '600'])
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.pid_file.parent.mkdir(exist_ok=True)
        self.pid_file.write_text('%d\n' % process.pid)
        return process


class Servers(ControlTestCase):
    """The real glance-api."""

    def setUp(self):
        super().setUp()
        self.server = GlanceServer(registry=False)
        self.addCleanup(self.server.cleanup)
        with socket.socket() as listener:
            listener.bind(('127.0.0.1', 0))
            port = self.server.settings['DEFAULT']['bind_port'] = listener.getsockname()[1]
        self.url = 'http://127.0.0.1:%d/versions' % port
        self.server.provide_records()
        self.server.write_config()

    def answers(self) -> bool:
        try:
            return requests.get(self.url, timeout=SECONDS).status_code == 200
        except requests.ConnectionError:
            return False

    def test_life_of_a_server(self):
        self.assertIn('glance-api is stopped', self.control('api', 'status', code=3))
        self.control('api', 'start', self.server.config_file)
        wait_for('an answer', self.answers)
        first = psutil.Process(self.recorded())
        self.assertIn('running, as process %d' % first.pid, self.control('glance-api', 'status'))
        self.assertIn('running already', self.control('api', 'start', self.server.config_file))
        self.assertEqual(first.pid, self.recorded())
        workers = {worker.pid for worker in first.children()}
        self.control('api', 'reload')
        wait_for('new workers', lambda: (now := {worker.pid for worker in first.children()}) and not now & workers)
        self.assertTrue(self.answers())
        self.control('api', 'restart', self.server.config_file)
        self.assertFalse(first.is_running() and first.status() != psutil.STATUS_ZOMBIE)
        wait_for('an answer', self.answers)
        second = psutil.Process(self.recorded())
        self.assertNotEqual(first.pid, second.pid)
        self.control('api', 'shutdown')
        self.assertFalse(second.is_running() and second.status() != psutil.STATUS_ZOMBIE)
        self.assertIsNone(self.recorded())
        self.assertFalse(self.answers())
        self.assertIn('not running', self.control('api', 'stop'))
        self.assertIn('not running', self.control('api', 'reload', code=1))

    def test_the_registry(self):
        port = self.server.settings['DEFAULT']['bind_port']
        self.server.settings['paste_deploy']['config_file'] = SHIPPED / 'glance-registry-paste.ini'
        self.server.write_config()
        self.control('registry', 'start', self.server.config_file)
        self.url = 'http://127.0.0.1:%d/healthcheck' % port
        wait_for('an answer', self.answers)
        self.assertIn('glance-registry is running', self.control('registry', 'status'))
        self.assertIn('glance-api is stopped', self.control('api', 'status', code=3))
        self.control('registry', 'reload')
        self.control('registry', 'stop')
        self.assertFalse(self.answers())

    def test_a_server_that_dies_is_started_again(self):
        keeper = self.open('--respawn', 'api', 'start', self.server.config_file)
        self.addCleanup(keeper.communicate)
        self.addCleanup(keeper.terminate)
        wait_for('an answer', self.answers)
        first, seen = self.recorded(), time.monotonic()
        wait_for('its first second, within which it would not be started again', lambda: time.monotonic() - seen > 1)
        os.kill(first, signal.SIGKILL)
        wait_for('another process', lambda: self.recorded() not in (first, None))
        wait_for('an answer', self.answers)
        self.control('api', 'stop')
        output, _ = keeper.communicate(timeout=SECONDS)
        self.assertEqual(0, keeper.returncode, output)
        self.assertIn('was stopped deliberately', output)
        self.assertFalse(self.answers())

    def test_the_keeper_takes_its_servers_along(self):
        keeper = self.open('--respawn', 'api', 'start', self.server.config_file)
        self.addCleanup(keeper.communicate)
        self.addCleanup(keeper.terminate)
        wait_for('an answer', self.answers)
        keeper.terminate()
        output, _ = keeper.communicate(timeout=SECONDS)
        self.assertEqual(0, keeper.returncode, output)
        self.assertFalse(self.answers())
        self.assertIsNone(self.recorded())


class PidFiles(ControlTestCase):
    """Pid files that do not say what runs."""

    SLEEPER = 'import time; time.sleep(600)'

    def test_of_a_process_that_is_gone(self):
        process = subprocess.Popen(['true'])
        process.wait()
        self.pid_file.parent.mkdir()
        for text in ('%d' % process.pid, 'rubbish', '', '-1', '0', '99999999999'):
            with self.subTest(text):
                self.pid_file.write_text(text)
                self.assertIn('stopped', self.control('api', 'status', code=3))
                self.assertIn('stale', self.control('api', 'stop'))
                self.assertFalse(self.pid_file.exists())

    def test_of_another_program(self):
        foreign = self.start_foreign()
        self.assertIn('which is not it', self.control('api', 'status', code=3))
        self.assertIn('not running', self.control('api', 'reload', code=1))
        self.assertIn('stale', self.control('api', 'stop'))
        self.assertIsNone(foreign.poll())
        self.pid_file.write_text('%d' % foreign.pid)
        self.install('glance-api', self.SLEEPER)
        self.assertIn('stale', self.control('api', 'start'))
        self.assertNotEqual(foreign.pid, self.recorded())
        self.control('api', 'stop')
        self.assertIsNone(foreign.poll())

    def test_where_nobody_can_write(self):
        self.install('glance-api', self.SLEEPER)
        self.pid_file = pathlib.Path('/proc/no-such-folder/glance-api.pid')
        output = self.control('api', 'start')
        command = re.search(r'(?m)^  glance-control --pid-file (\S+) glance-api stop$', output)
        self.assertIsNotNone(command, output)
        self.pid_file = pathlib.Path(command[1])
        self.control('api', 'stop')
        self.assertFalse(self.pid_file.exists())
        self.pid_file.parent.rmdir()

    def test_starts_at_the_same_time_start_one(self):
        self.install('glance-api', self.SLEEPER)
        started = [self.open('api', 'start') for _ in range(4)]
        outputs = [process.communicate(timeout=SECONDS)[0] for process in started]
        self.assertEqual([0] * 4, [process.returncode for process in started], outputs)
        self.assertEqual(3, sum('running already' in output for output in outputs), outputs)
        self.control('api', 'stop')


class Programs(ControlTestCase):
    """What is told of programs that end, or are not there."""

    def test_await_child(self):
        self.install('glance-api', 'raise SystemExit(7)')
        self.assertIn('exit code 7', self.control('--await-child', '60', 'api', 'start', code=7))
        self.assertFalse(self.pid_file.exists())

    def test_bouncing(self):
        self.install('glance-scrubber', 'raise SystemExit(1)')
        self.assertIn('is bouncing', self.control('--respawn', 'scrubber', 'start'))
        self.assertFalse(self.pid_file.exists())

    def test_capture_output(self):
        self.install('glance-api', 'import os, sys; print("said", sys.argv[1:], os.environ["PYTHON_EGG_CACHE"])')
        self.install('logger', 'import sys; open(%r, "w").write("%%s: %%s" %% (sys.argv[1:], sys.stdin.read()))'
                     % str(self.folder / 'syslog'))
        (self.folder / 'some.conf').touch()
        self.control('--capture-output', '--await-child', '60', 'api', 'start', 'some.conf')
        syslog = self.folder / 'syslog'
        text = wait_for('the syslog', lambda: syslog.exists() and syslog.read_text())
        expected = r"\['-t', 'glance-api\[\d+\]'\]: said \['--config-file', '%s/some.conf'\] /tmp" % self.folder
        self.assertRegex(text, expected)

    def test_mistakes(self):
        for code, arguments, expected in (
                (1, ('api', 'start', 'no.conf'), 'no.conf does not exist'),
                (1, ('--respawn', '--await-child', '1', 'api', 'start'), '--await-child and --respawn'),
                (1, ('scrubber', 'reload'), 'cannot reload'),
                (2, ('all', 'status'), '--pid-file'), (2, ('swift', 'start'), "SERVER is 'swift'"),
                (2, ('api', 'halt'), "COMMAND is 'halt'"), (2, ('api',), 'COMMAND'), (2, ('--no-such', 'api', 'stop'), 'no-such')):
            with self.subTest(arguments):
                self.assertIn(expected.lower(), self.control(*arguments, code=code).lower())
