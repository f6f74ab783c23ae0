"""glance-api under uWSGI, with the example of ``etc/httpd``."""
import os
import re
import subprocess
import sys
import unittest

from tests.functional.api.base import SECONDS, wait_for
from tests.harness.client import ApiClient
from tests.harness.nginx import free_port
from tests.harness.server import ROOT, GlanceServer

EXAMPLE = ROOT / 'etc' / 'httpd' / 'glance-api-uwsgi.ini'
MIB = 1 << 20


class UwsgiTest(unittest.TestCase):

    def setUp(self):
        self.server = GlanceServer('mysql', settings={'metrics': {'enabled': True}})  # for its configuration only
        self.addCleanup(self.server.cleanup)
        self.server.settings['metrics']['directory'] = self.server.folder / 'metrics'
        self.server.provide_records()
        self.server.write_config()
        port = free_port()
        self.client = ApiClient(f'http://127.0.0.1:{port}')
        # The uWSGI of the Python package index has Python built in.
        text = re.sub('(?m)^plugins = python\n', '', EXAMPLE.read_text())
        # A worker of uWSGI whose threads wait for connections may miss the request to stop, and is killed after this time.
        text = re.sub('(?m)^(worker-reload-mercy) = .*', r'\1 = 5', text)
        ini = self.server.folder / 'uwsgi.ini'
        ini.write_text(text.replace('127.0.0.1:60999', f'127.0.0.1:{port}'))
        variables = {**os.environ, 'OS_GLANCE_CONFIG_DIR': str(self.server.folder), 'PYTHONPATH': str(ROOT)}
        with self.server.log_file.open('ab') as log:
            self.uwsgi = subprocess.Popen(
                [sys.prefix + '/bin/uwsgi', '--ini', ini, '--virtualenv', sys.prefix], env=variables,
                cwd=self.server.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.addCleanup(self.stop)
        wait_for('uWSGI', self.answers)

    def answers(self) -> bool:
        self.assertIsNone(self.uwsgi.poll(), self.server.log_text())
        try:
            return self.client.get('/versions').ok
        except OSError:
            return False

    def stop(self) -> None:
        self.uwsgi.terminate()
        self.uwsgi.wait(SECONDS)

    def test_upload_and_download(self):
        pieces = [os.urandom(MIB) for _ in range(8)]
        data = b''.join(pieces)
        for body in (data, iter(pieces)):  # with a length, and in chunks
            image = self.client.create_image()
            response = self.client.upload(image['id'], body)
            self.assertEqual((204, 'close'), (response.status_code, response.headers['Connection']), response.text + self.server.log_text()[-3000:])
            self.assertEqual(data, self.client.get(image['file']).content)
            self.assertEqual(data[5:15], self.client.get(image['file'], headers={'Range': 'bytes=5-14'}).content)

        def number(name: str) -> float:
            return float(re.search('(?m)^%s (.*)$' % re.escape(name), self.client.get('/metrics').text)[1])
        wait_for('the processes', lambda: number('glance_workers') == 4)
        self.assertEqual(2 * len(data), number('glance_data_bytes_total{direction="in",store="file"}'))
