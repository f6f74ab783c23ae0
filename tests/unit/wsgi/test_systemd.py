"""The protocol of sd_notify(3), as a manager of services hears it on its socket."""
import os
import pathlib
import socket
import tempfile
import time
import unittest

from glance.wsgi.systemd import Notifier


class NotifierTest(unittest.TestCase):

    def manager(self, address: str) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(sock.close)
        sock.settimeout(60)
        sock.bind(address)
        return sock

    def path(self) -> str:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return str(pathlib.Path(folder.name) / 'notify')

    def test_states(self):
        path = self.path()
        manager, notifier = self.manager(path), Notifier({'NOTIFY_SOCKET': path})
        for send, expected in ((lambda: notifier.ready('2 workers'), ['READY=1', 'STATUS=2 workers']),
                               (notifier.alive, ['WATCHDOG=1']),
                               (notifier.stopping, ['STOPPING=1', 'STATUS=Finishing running requests'])):
            send()
            self.assertEqual(expected, manager.recv(4096).decode().split('\n'))

    def test_a_reload_tells_its_time(self):
        path = self.path()
        manager, before = self.manager(path), time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        Notifier({'NOTIFY_SOCKET': path}).reloading()
        lines = dict(line.split('=', 1) for line in manager.recv(4096).decode().split('\n'))
        self.assertEqual({'RELOADING', 'MONOTONIC_USEC', 'STATUS'}, set(lines))
        self.assertEqual('1', lines['RELOADING'])
        self.assertGreaterEqual(int(lines['MONOTONIC_USEC']), before)

    def test_sockets_without_a_file(self):
        name = 'glance-test-%d' % os.getpid()
        manager = self.manager('\0' + name)
        Notifier({'NOTIFY_SOCKET': '@' + name}).alive()
        self.assertEqual(b'WATCHDOG=1', manager.recv(4096))

    def test_the_watchdog_is_fed_twice_in_its_time(self):
        own, other = str(os.getpid()), str(os.getppid())
        for expected, variables in ((15.0, {'WATCHDOG_USEC': '30000000'}),
                                    (15.0, {'WATCHDOG_USEC': '30000000', 'WATCHDOG_PID': own}),
                                    (None, {'WATCHDOG_USEC': '30000000', 'WATCHDOG_PID': other}),
                                    (None, {'WATCHDOG_USEC': '0'}), (None, {'WATCHDOG_USEC': 'x'}), (None, {})):
            self.assertEqual(expected, Notifier({'NOTIFY_SOCKET': '/notify', **variables}).watchdog_interval, variables)
        self.assertIsNone(Notifier({'WATCHDOG_USEC': '30000000'}).watchdog_interval)

    def test_nobody_to_tell_is_no_error(self):
        for variables in ({}, {'NOTIFY_SOCKET': ''}, {'NOTIFY_SOCKET': self.path()}):
            self.assertIsNone(Notifier(variables).ready('0 workers'))
