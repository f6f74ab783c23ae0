"""The same application under other servers: gunicorn with threads, and uWSGI with the settings that are shipped."""

import os
import pathlib
import random
import socket
import subprocess
import sys
import time
import unittest

import requests

from tests.harness.client import IMAGE_DATA, ApiClient
from tests.harness.server import ROOT, GlanceServer

SECONDS = 60
MIB = 1 << 20


class Container:
    """Another server that imports ``glance.wsgi.api``.

    :param command: its command line; ``{address}`` stands for host:port
    """

    def __init__(self, server: GlanceServer, command: list[str]):
        # An address of the loopback network that nobody else uses: no port has to be kept.
        host = '127.%d.%d.%d' % tuple(random.randrange(1, 255) for _ in range(3))
        with socket.create_server((host, 0)) as listener:
            self.address = '%s:%d' % listener.getsockname()
        self.log_file = server.folder / 'container.log'
        variables = {name: value for name, value in os.environ.items() if not name.startswith(('OS_', 'GLANCE_'))}
        with self.log_file.open('wb') as log:
            self.process = subprocess.Popen(
                [part.format(address=self.address) for part in command], cwd=server.folder, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True,
                env={**variables, 'OS_GLANCE_CONFIG_DIR': str(server.folder), 'PYTHONPATH': str(ROOT)})

    def client(self) -> ApiClient:
        return ApiClient(f'http://{self.address}')

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + SECONDS
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                self.client().get('/versions')
                return
            except requests.ConnectionError:
                time.sleep(0.05)
        raise AssertionError(f'the container does not answer:\n{self.log_file.read_text(errors="replace")}')

    def stop(self) -> int:
        """Stop it as an operator does; returns the exit code."""
        self.process.terminate()
        try:
            return self.process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


class ContainerTests:
    """What a subclass runs in its container."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        server = GlanceServer()
        cls.addClassCleanup(server.cleanup)
        cls.images = server.images
        if server.registry:
            server.move_to_registry()
        else:
            server.sync_database()
        server.write_config()
        cls.container = Container(server, cls.command(server))
        cls.addClassCleanup(cls.container.stop)
        cls.container.wait_until_ready()

    def setUp(self):
        super().setUp()
        self.client = self.container.client()

    def assertStatus(self, expected, response):
        self.assertEqual(expected, response.status_code,
                         f'{response.text[:300]}\n{self.container.log_file.read_text(errors="replace")[-2000:]}')
        return response

    def test_versions(self):
        self.assertStatus(300, self.client.get('/'))
        self.assertStatus(200, self.client.get('/versions'))

    def test_life_of_an_image(self):
        data = os.urandom(3 * MIB + 7)
        for name, body in (('length', data), ('chunked', iter([data[:5], *(data[at:at + 65536] for at in range(5, len(data), 65536))])), ('small', b'x'),
                           ('empty', b'')):
            with self.subTest(name=name):
                image = self.client.create_image(name=name, tags=['é'], prop='значение')
                self.assertStatus(204, self.client.upload(image['id'], body))
                expected = data if name in ('length', 'chunked') else body
                shown = self.assertStatus(200, self.client.get(f'/v2/images/{image["id"]}')).json()
                self.assertEqual(('active', len(expected), ['é'], 'значение'),
                                 (shown['status'], shown['size'], shown['tags'], shown['prop']))
                path = f'/v2/images/{image["id"]}/file'
                response = self.assertStatus(200, self.client.get(path))
                self.assertEqual(expected, response.content)
                self.assertEqual(str(len(expected)), response.headers['Content-Length'])
                if expected is data:
                    part = self.assertStatus(206, self.client.get(path, headers={'Range': f'bytes=100-{2 * MIB}'}))
                    self.assertEqual(data[100:2 * MIB + 1], part.content)
                    self.assertEqual(f'bytes 100-{2 * MIB}/{len(data)}', part.headers['Content-Range'])
                self.assertStatus(204, self.client.delete(f'/v2/images/{image["id"]}'))
                self.assertStatus(404, self.client.get(f'/v2/images/{image["id"]}'))
                self.assertFalse((self.images / image['id']).exists())

    def test_json_in_chunks(self):
        response = self.client.post('/v2/images', data=iter([b'{"name":', b' "n"}']))
        self.assertEqual('n', self.assertStatus(201, response).json()['name'])

    def test_refusals(self):
        image = self.client.create_image(b'data')
        path = f'/v2/images/{image["id"]}'
        for status, method, target, kwargs in (
                (404, 'GET', '/v2/images/', {}), (404, 'GET', f'{path}%2Ffile', {}), (405, 'PUT', path, {}),
                (405, 'HEAD', '/v2/images', {}), (400, 'POST', '/v2/images', {'data': b'{'}), (400, 'GET', path, {'data': b'{}'}),
                (415, 'PUT', path + '/file', {'data': b'x'}), (409, 'PUT', path + '/file', {'data': b'x', 'headers': IMAGE_DATA}),
                (416, 'GET', path + '/file', {'headers': {'Range': 'bytes=9-'}}), (302, 'GET', '/v2', {})):
            with self.subTest(method=method, target=target):
                response = self.assertStatus(status, self.container.client().request(method, target, **kwargs))
                self.assertRegex(response.headers['X-Openstack-Request-ID'], '^req-')

    def test_wrong_size(self):
        for body in (b'0123456789', iter([b'0123456789'])):
            image = self.client.create_image()
            response = self.container.client().upload(image['id'], body, **{'x-openstack-image-size': '11'})
            self.assertStatus(400, response)
            self.assertEqual('queued', self.client.get(f'/v2/images/{image["id"]}').json()['status'])
            self.assertStatus(204, self.client.upload(image['id'], b'0123456789'))

    def test_the_access_log(self):
        image = self.client.create_image()
        self.assertIn(f'"GET /v2/images/{image["id"]}" status: 200', self.log_after(f'/v2/images/{image["id"]}'))

    def log_after(self, path):
        self.assertStatus(200, self.client.get(path))
        deadline = time.monotonic() + SECONDS
        while path + '" status' not in (text := self.container.log_file.read_text(errors='replace')):
            self.assertLess(time.monotonic(), deadline, text[-2000:])
            time.sleep(0.01)
        return text


class TestGunicorn(ContainerTests, unittest.TestCase):

    @classmethod
    def command(cls, server):
        return [sys.executable, '-m', 'gunicorn', '--bind', '{address}', '--worker-class', 'gthread', '--threads', '8',
                '--workers', '2', 'glance.wsgi.api:application']


class TestUWSGI(ContainerTests, unittest.TestCase):

    @classmethod
    def command(cls, server):
        settings = {
            'socket-timeout': 900, 'http-auto-chunked': 'true', 'http-chunked-input': 'true', 'http-raw-body': 'true',
            'chmod-socket': 666, 'lazy-apps': 'true', 'thunder-lock': 'true', 'enable-threads': 'true',
            'exit-on-reload': 'true', 'die-on-term': 'true', 'master': 'true', 'add-header': 'Connection: close',
            'buffer-size': 65535, 'processes': 4, 'need-app': 'true', 'home': sys.prefix,
            'module': 'glance.wsgi.api:application'}
        file = server.folder / 'uwsgi.ini'
        file.write_text('[uwsgi]\n' + ''.join(f'{name} = {value}\n' for name, value in settings.items()))
        return [str(pathlib.Path(sys.executable).with_name('uwsgi')), '--ini', str(file), '--http-socket', '{address}']
