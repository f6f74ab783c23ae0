"""Reloads and restarts while clients are at work: no request fails."""
import os
import pathlib
import shutil
import signal
import tempfile
import unittest

import psutil

from tests.functional.api.base import wait_for
from tests.harness.client import ApiClient
from tests.harness.databases import scratch_database
from tests.harness.load import Load
from tests.harness.nginx import Nginx
from tests.harness.server import GlanceServer

RELOADS = 3
ROUNDS = 1


class ReloadUnderLoadTest(unittest.TestCase):

    def test_no_request_fails(self):
        with GlanceServer('mysql', workers=2) as server, Load(server.url) as load:
            for _ in range(RELOADS):
                load.wait_for_more()
                former = [psutil.Process(pid) for pid in server.workers()]
                server.send_signal(signal.SIGHUP)
                self.assertEqual([], psutil.wait_procs(former, timeout=60)[1])
                wait_for('two workers', lambda: len(server.workers()) == 2)
            load.wait_for_more()
            load.stop()
            self.assertEqual([], load.failures)
            self.assertEqual({}, load.stored)


class RollingRestartTest(unittest.TestCase):
    """Two processes behind the example configuration of nginx, restarted one after the other."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix='glance-test-'))
        self.addCleanup(shutil.rmtree, self.folder)
        database = scratch_database('mysql', self.folder)
        self.addCleanup(database.drop)
        (self.folder / 'images').mkdir()
        self.servers = [self.start(database) for _ in range(2)]
        self.nginx = Nginx(self.folder, [server.port for server in self.servers])
        self.nginx.check()
        self.enterContext(self.nginx)

    def start(self, database):
        settings = {
            'DEFAULT': {'trusted_proxies': '127.0.0.1', 'public_endpoint': 'https://images.example.org'},
            'oslo_middleware': {'enable_proxy_headers_parsing': True}, 'metrics': {'enabled': True},
            'glance_store': {'filesystem_store_datadir': self.folder / 'images'},
        }
        return self.enterContext(GlanceServer(database, settings=settings, workers=1))

    def test_no_request_fails(self):
        with Load(self.nginx.url, certificate=self.nginx.certificate) as load:
            for server in self.servers * ROUNDS:
                load.wait_for_more()
                self.assertEqual(0, server.stop())
                load.wait_for_more()
                server.launch()
                server.wait_until_ready()
            load.wait_for_more()
            load.stop()
        self.assertEqual([], load.failures, self.nginx.log[-5000:])
        self.assertEqual({}, load.stored)

    def test_what_the_proxy_hands_on(self):
        client = ApiClient(self.nginx.url)
        client.session.verify = str(self.nginx.certificate)
        self.assertEqual(404, client.get('/metrics').status_code)
        versions = client.get('/versions').json()['versions']
        self.assertEqual('https://images.example.org/v2/', versions[0]['links'][0]['href'])
        pieces = [os.urandom(1 << 20) for _ in range(20)]
        image = client.create_image()
        self.assertEqual(204, client.upload(image['id'], iter(pieces)).status_code)  # chunked, larger than any buffer
        self.assertEqual(b''.join(pieces), client.get(image['file']).content)
