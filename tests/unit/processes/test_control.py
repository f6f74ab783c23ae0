import contextlib
import io
import os
import pathlib
import resource
import signal
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

from glance.processes import control, programs, server
from glance.processes import keeper as keeper_module
from glance.processes.control import StartOptions
from glance.processes.keeper import Keeper
from glance.processes.process import Process
from glance.processes.server import Server

IGNORES_TERM = 'import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)'


class ProcessTestCase(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def start(self, *command: str) -> subprocess.Popen:
        """Start a process, and return once it has printed something."""
        process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        process.stdout.readline()
        return process

    def script(self, name: str, code: str) -> str:
        path = self.folder / name
        path.write_text('#!%s\n%s\n' % (sys.executable, code))
        path.chmod(0o755)
        return str(path)


class Recognition(ProcessTestCase):
    """Which processes are taken for glance-api."""

    API, = programs.named('api')
    CODE = 'import time; print(flush=True); time.sleep(600)'

    def assertRecognized(self, expected: bool, *command: str):
        self.assertEqual(expected, programs.is_run_by(self.API, self.start(*command).pid))

    def test_a_script(self):
        self.assertRecognized(True, self.script('glance-api', self.CODE), '--config-file', 'x')

    def test_a_script_of_an_interpreter_with_options(self):
        self.assertRecognized(True, sys.executable, '-u', self.script('glance-api', self.CODE))

    def test_a_module(self):
        package = self.folder / 'glance' / 'cmd'
        package.mkdir(parents=True)
        (package / 'api.py').write_text(self.CODE)
        process = subprocess.Popen([sys.executable, '-m', 'glance.cmd.api'], cwd=self.folder, stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        process.stdout.readline()
        self.assertTrue(programs.is_run_by(self.API, process.pid))

    def test_who_only_names_it(self):
        script = self.script('other', self.CODE)
        self.assertRecognized(False, script, 'glance-api')
        self.assertRecognized(False, sys.executable, '-c', self.CODE, 'glance-api')
        self.assertRecognized(False, 'sh', '-c', 'echo; exec sleep 600', 'glance-api')

    def test_who_has_ended(self):
        process = subprocess.Popen(['true'])
        process.wait()
        self.assertFalse(programs.is_run_by(self.API, process.pid))

    def test_names(self):
        self.assertEqual(['glance-api', 'glance-registry', 'glance-scrubber'], [each.name for each in programs.named('all')])
        for name in ('registry', 'glance-registry'):
            self.assertEqual(['glance-registry'], [each.name for each in programs.named(name)])


class Ending(ProcessTestCase):

    def test_a_server_that_ignores_term_is_killed(self):
        process = self.start(self.script('glance-api', IGNORES_TERM))
        pid_file = self.folder / 'api.pid'
        pid_file.write_text('%d\n' % process.pid)
        servers = [Server(programs.named('api')[0], str(pid_file))]
        with mock.patch.object(control, 'SHUTDOWN_SECONDS', 0.1), contextlib.redirect_stderr(io.StringIO()) as errors, \
                contextlib.redirect_stdout(io.StringIO()):
            self.assertEqual(1, control.shut_down(servers))
        self.assertIn('kill -KILL %d' % process.pid, errors.getvalue())
        self.assertIsNone(process.poll())
        pid_file.write_text('%d\n' % process.pid)
        with mock.patch.object(control, 'STOP_SECONDS', 0.1), contextlib.redirect_stdout(io.StringIO()) as output:
            self.assertEqual(0, control.stop(servers))
        self.assertIn('killing it', output.getvalue())
        self.assertEqual(-9, process.wait())
        self.assertFalse(pid_file.exists())

    def test_a_process_is_not_mistaken_for_a_later_one(self):
        popen = self.start('sh', '-c', 'echo; exec sleep 600')
        with Process(popen.pid) as process:
            self.assertFalse(process.ends_within(0))
            popen.kill()
            self.assertTrue(process.ends_within(60))
            popen.wait()
            process.send(15)
            process.kill()


    def test_a_server_of_somebody_else_stays_on_record(self):
        process = self.start(self.script('glance-api', IGNORES_TERM))
        pid_file = self.folder / 'api.pid'
        pid_file.write_text('%d\n' % process.pid)
        with mock.patch.object(signal, 'pidfd_send_signal', side_effect=PermissionError), \
                contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as errors:
            self.assertEqual(1, control.stop([Server(programs.named('api')[0], str(pid_file))]))
        self.assertIn('belongs to another user', errors.getvalue())
        self.assertTrue(pid_file.exists())

    def test_servers_behind_one_that_was_just_waited_for_are_stopped_too(self):
        first, last = subprocess.Popen(['true']), self.start('sh', '-c', 'echo; exec sleep 600')
        first.wait()
        launched = [first, last]
        keeper = Keeper(lambda server: launched.pop(0), lambda text: None)
        for program in programs.named('all')[:2]:
            keeper.start(Server(program, str(self.folder / program.name)))
        signals, wait = [keeper_module._Stopped], os.waitpid

        def interrupted_once(*arguments):
            if signals:
                raise signals.pop()
            return wait(*arguments)
        with mock.patch('os.waitpid', interrupted_once):
            keeper.watch()
        self.assertEqual(-signal.SIGTERM, last.returncode)


class Starting(ProcessTestCase):

    def test_nothing_runs_on_without_the_logger_that_was_asked_for(self):
        self.script('glance-api', IGNORES_TERM.replace('SIG_IGN', 'SIG_DFL'))
        launched, real = [], subprocess.Popen

        def popen(*args, **kwargs):
            launched.append(real(*args, **kwargs))
            return launched[-1]
        pid_file = self.folder / 'api.pid'
        with mock.patch.dict('os.environ', PATH=str(self.folder)), mock.patch.object(subprocess, 'Popen', popen), \
                contextlib.redirect_stdout(io.StringIO()) as output, contextlib.redirect_stderr(io.StringIO()) as errors:
            self.assertEqual(1, control.start([Server(programs.named('api')[0], str(pid_file))],
                                              StartOptions(capture_output=True)))
        self.addCleanup(launched[0].wait)
        self.addCleanup(launched[0].kill)
        self.assertIn('"logger"', errors.getvalue())
        self.assertEqual('Starting glance-api\n', output.getvalue())
        self.assertIsNotNone(launched[0].returncode)
        self.assertFalse(pid_file.exists())


class Limits(unittest.TestCase):

    def test_are_raised_and_never_lowered(self):
        for present, expected in (((1024, 4096), (32768, 32768)), ((1024, resource.RLIM_INFINITY), (32768, resource.RLIM_INFINITY)),
                                  ((1024, 1 << 20), (32768, 1 << 20)), ((1 << 20, 1 << 20), None),
                                  ((resource.RLIM_INFINITY,) * 2, None)):
            with self.subTest(present=present), mock.patch.object(server.resource, 'getrlimit', return_value=present), \
                    mock.patch.object(server.resource, 'setrlimit') as setrlimit, \
                    mock.patch.object(server, '_LIMITS', {resource.RLIMIT_NOFILE: ('open files', 32768)}):
                self.assertEqual([], server.raise_limits())
                self.assertEqual([] if expected is None else [mock.call(resource.RLIMIT_NOFILE, expected)],
                                 setrlimit.call_args_list)

    def test_that_cannot_be_raised_come_as_far_as_they_may(self):
        with mock.patch.object(server.resource, 'getrlimit', return_value=(1024, 4096)), \
                mock.patch.object(server.resource, 'setrlimit', side_effect=(ValueError, None)) as setrlimit, \
                mock.patch.object(server, '_LIMITS', {resource.RLIMIT_NOFILE: ('open files', 32768)}):
            problem, = server.raise_limits()
        self.assertIn('"open files" is 4096 instead of 32768', problem)
        self.assertEqual(mock.call(resource.RLIMIT_NOFILE, (4096, 4096)), setrlimit.call_args)
