import dataclasses
import errno
import os
import signal
import socket
import unittest
from unittest import mock

from glance.exceptions import ConfigurationError
from glance.wsgi import listener, supervisor
from glance.wsgi.server import Server
from glance.wsgi.settings import Settings
from glance.wsgi.supervisor import Failures, Generation, Supervisor
from glance.wsgi.systemd import Notifier


class FailuresTest(unittest.TestCase):

    def test_delay_doubles_up_to_its_limit(self):
        failures, delays = Failures(), []
        for _ in range(10):
            failures.add(100.0)
            delays.append(failures.delay(100.0))
        self.assertEqual([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0], [round(each, 3) for each in delays])

    def test_no_failure_no_delay(self):
        self.assertEqual(0.0, Failures().delay(5.0))

    def test_ten_failures_within_a_minute_are_too_many(self):
        failures = Failures()
        for moment in range(9):
            failures.add(float(moment))
        self.assertFalse(failures.too_many(9.0))
        failures.add(9.0)
        self.assertTrue(failures.too_many(9.0))

    def test_old_failures_are_forgotten(self):
        failures = Failures()
        for moment in range(10):
            failures.add(moment * 10.0)
        self.assertFalse(failures.too_many(90.0))
        self.assertEqual(0.0, failures.delay(1000.0))


class SupervisorTest(unittest.TestCase):

    def test_a_system_without_room_for_workers_is_asked_again(self):
        def serve(lifeline, ready):
            ready()
            signal.pause()
        refusals, fork = [BlockingIOError(errno.EAGAIN, 'no room'), OSError(errno.ENOMEM, 'no room')], os.fork

        def fork_later():
            if refusals:
                raise refusals.pop()
            return fork()
        handlers = {number: signal.getsignal(number) for number in supervisor._SIGNALS}
        self.addCleanup(lambda: [signal.signal(number, handler) for number, handler in handlers.items()])
        self.addCleanup(signal.set_wakeup_fd, -1)
        notifier = Notifier({})
        with mock.patch.object(os, 'fork', fork_later), mock.patch.object(supervisor, '_NO_ROOM_DELAY', 0.01), \
                mock.patch.object(notifier, 'ready', lambda text: os.kill(os.getpid(), signal.SIGTERM)), \
                self.assertLogs('glance.wsgi.supervisor') as logs:
            code = Supervisor(Generation(1, serve, 60), lambda: None, lambda succeeded: None, lambda: None, lambda: None,
                              notifier).run()
        self.assertEqual(0, code)
        self.assertEqual(2, sum('No worker can be started' in line for line in logs.output))


class ReloadTest(unittest.TestCase):

    def test_a_refused_configuration_leaves_no_socket_behind(self):
        present = Settings('127.0.0.1', 0)
        server = Server(present, lambda: None, lambda: dataclasses.replace(present, bind_host='127.0.0.2', workers=0))
        server._listener, other = listener.bind(present, 0), listener.bind(present, 0)
        self.addCleanup(server._listener.close)
        self.addCleanup(other.close)
        with mock.patch.object(listener, 'bind', return_value=other), self.assertLogs('glance.wsgi.server', 'ERROR'):
            self.assertIsNone(server._next_generation())
        self.assertEqual(-1, other.socket.fileno())
        self.assertNotEqual(-1, server._listener.socket.fileno())

    def test_workers_where_there_were_none_need_a_restart(self):
        present, worker = Settings('127.0.0.1', 0, workers=0), mock.Mock()
        server = Server(present, lambda: None, lambda: dataclasses.replace(present, workers=2))
        server._listener = listener.bind(present, 0)
        self.addCleanup(server._listener.close)
        with self.assertLogs('glance.wsgi.server', 'WARNING') as logs:
            server._reload_in_place(worker)
        self.assertIn('workers = 2', logs.output[0])
        worker.replace.assert_called_once()


class ListenerTest(unittest.TestCase):

    def test_address_in_use_is_named(self):
        with socket.create_server(('127.0.0.1', 0)) as other:
            port = other.getsockname()[1]
            with self.assertRaisesRegex(ConfigurationError, '127.0.0.1 port %d .*in use' % port):
                listener.open_listener(Settings('127.0.0.1', port), 0.2, {})

    def test_address_of_another_host_is_fatal_at_once(self):
        with self.assertRaisesRegex(ConfigurationError, '192.0.2.1 port 9292'):
            listener.open_listener(Settings('192.0.2.1', 9292), 600, {})

    def test_name_that_does_not_resolve(self):
        with self.assertRaisesRegex(ConfigurationError, 'no.such.host.invalid'):
            listener.open_listener(Settings('no.such.host.invalid', 9292), 600, {})

    def test_ipv6(self):
        opened = listener.open_listener(Settings('::1', 0), 0, {})
        self.addCleanup(opened.close)
        self.assertEqual('::1', opened.address[0])

    def test_inherited_descriptor_is_consumed(self):
        environment = {'GLANCE_TEST_SOCKET_FD': ''}
        with socket.create_server(('127.0.0.1', 0)) as ours:
            environment['GLANCE_TEST_SOCKET_FD'] = str(os.dup(ours.fileno()))
            opened = listener.open_listener(Settings(), 0, environment)
            self.addCleanup(opened.close)
            self.assertEqual(ours.getsockname(), opened.address)
            self.assertTrue(opened.inherited)
            self.assertEqual({}, environment)

    def test_inherited_descriptor_that_is_no_listener(self):
        for value in ('x', '99999'):
            with self.assertRaisesRegex(ConfigurationError, 'GLANCE_TEST_SOCKET_FD'):
                listener.open_listener(Settings(), 0, {'GLANCE_TEST_SOCKET_FD': value})

    def test_descriptors_of_another_process_are_left_alone(self):
        opened = listener.open_listener(Settings('127.0.0.1', 0), 0, {'LISTEN_FDS': '1', 'LISTEN_PID': '1'})
        self.addCleanup(opened.close)
        self.assertFalse(opened.inherited)
