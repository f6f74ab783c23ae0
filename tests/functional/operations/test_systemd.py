"""glance-api as systemd runs it: the socket is handed over, states and signs of life are told; systemd is played here."""
import os
import signal
import socket
import subprocess
import sys
import unittest

from tests.functional.api.base import SECONDS
from tests.functional.test_server.running import _AS_SYSTEMD as AS_SYSTEMD
from tests.harness.load import Load
from tests.harness.server import ROOT, GlanceServer


class Systemd:
    """The part of systemd that a service sees: the socket of ``glance-api.socket`` and the one for notifications.

    :param server: prepared, and told the port; its process is started here
    """

    def __init__(self, case: unittest.TestCase, server: GlanceServer):
        self._case, self._server = case, server
        self.listener = socket.create_server(('::', 0), family=socket.AF_INET6, dualstack_ipv6=True, backlog=4096)
        case.addCleanup(self.listener.close)
        server.port = self.listener.getsockname()[1]
        path = server.folder / 'notify'
        self._notifications = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        case.addCleanup(self._notifications.close)
        self._notifications.bind(str(path))
        self._notifications.settimeout(SECONDS)

    def start(self) -> None:
        """Start the service and return when it says that it is ready."""
        variables = {**os.environ, 'PYTHONPATH': str(ROOT), 'NOTIFY_SOCKET': str(self._server.folder / 'notify'),
                     'WATCHDOG_USEC': '200000'}
        command = [sys.executable, '-c', AS_SYSTEMD, str(self.listener.fileno()), sys.executable, '-m', 'glance.cmd.api',
                   '--config-file', str(self._server.config_file)]
        with self._server.log_file.open('ab') as log:
            self._server.process = subprocess.Popen(
                command, env=variables, cwd=self._server.folder, pass_fds=[self.listener.fileno()], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True)
        self.wait_for('READY=1')

    def wait_for(self, state: str) -> list[str]:
        """Return the lines of the next notification that holds this state."""
        while True:
            lines = self._notifications.recv(4096).decode().split('\n')
            if state in lines:
                return lines


class SystemdTest(unittest.TestCase):

    def setUp(self):
        self.server = GlanceServer(workers=2, settings={
            'DEFAULT': {'trusted_proxies': '127.0.0.1', 'bind_port': 1}, 'metrics': {'enabled': True},
            'oslo_middleware': {'enable_proxy_headers_parsing': True}})
        self.addCleanup(self.server.cleanup)
        self.server.provide_records()
        self.server.write_config()
        self.systemd = Systemd(self, self.server)
        self.systemd.start()

    def test_states(self):
        for _ in range(3):
            self.systemd.wait_for('WATCHDOG=1')
        self.server.send_signal(signal.SIGHUP)
        lines = self.systemd.wait_for('RELOADING=1')
        self.assertTrue(any(line.startswith('MONOTONIC_USEC=') for line in lines))
        self.assertIn('STATUS=2 workers', self.systemd.wait_for('READY=1'))
        self.server.send_signal(signal.SIGTERM)
        self.systemd.wait_for('STOPPING=1')
        self.assertEqual(0, self.server.process.wait(SECONDS))

    def test_peers_of_the_socket_for_both_versions_of_ip(self):
        client = self.server.client()
        self.assertEqual(200, client.get('/metrics').status_code)
        headers = {'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'images.example.org'}
        document = client.get('/versions', headers=headers).json()
        self.assertEqual('https://images.example.org/v2/', document['versions'][0]['links'][0]['href'])

    def test_a_restart_refuses_nobody(self):
        with Load(self.server.url, clients=4) as load:
            for _ in range(2):
                load.wait_for_more()
                self.assertEqual(0, self.server.stop())
                self.systemd.start()
            load.wait_for_more()
            load.stop()
        self.assertEqual([], load.failures)
        self.assertEqual({}, load.stored)
