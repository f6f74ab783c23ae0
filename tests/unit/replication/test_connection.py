import pathlib
import tempfile
import unittest
from unittest import mock

from glance.replication.address import Address
from glance.replication.errors import ImageFailed, ReplicationFailed, Taken
from glance.replication.http import Connection
from glance.replication.service import connect
from tests.harness import signing
from tests.harness.web import WebServer


class ConnectionTestCase(unittest.TestCase):

    def setUp(self):
        self.server = self.enter(WebServer())

    def enter(self, server: WebServer) -> WebServer:
        self.addCleanup(server.__exit__)
        return server.__enter__()

    def connection(self, token: str = 'T', server: WebServer | None = None, host: str = '127.0.0.1', **options) -> Connection:
        return Connection(Address.parse((server or self.server).url('', host)), token, **options)

    def answer(self, path: str, status: int, body: bytes = b'', **headers: str) -> None:
        def answer(handler) -> None:
            handler.send_response(status)
            for name, value in {'Content-Length': str(len(body)), **headers}.items():
                handler.send_header(name, value)
            handler.end_headers()
            handler.wfile.write(body)
            handler.close_connection = True
        self.server.answers[path] = answer


class Requests(ConnectionTestCase):

    def test_the_token_is_sent(self):
        self.server.put('/a', b'{}')
        self.assertEqual((200, {}), self.connection().get_json('/a'))
        self.assertEqual((200, {}), self.connection(token='').get_json('/a'))
        self.assertEqual(['T', None], [headers.get('X-Auth-Token') for _, _, headers in self.server.requests])

    def test_tokens_that_are_none(self):
        for token in ('a\nb', 'ä', 'a\r\nX-Roles: admin'):
            with self.subTest(token), self.assertRaisesRegex(ReplicationFailed, 'no token has') as caught:
                self.connection(token)
            self.assertNotIn(token, str(caught.exception))

    def test_statuses(self):
        for status, kind in ((400, ReplicationFailed), (401, ReplicationFailed), (403, ReplicationFailed), (500, ReplicationFailed),
                             (503, ReplicationFailed), (302, ReplicationFailed), (409, Taken), (410, ImageFailed), (413, ImageFailed)):
            self.answer('/a', status, b'<because>', Location='http://elsewhere.example.com/')
            with self.subTest(status=status), self.assertRaises(kind) as caught:
                self.connection().send_json('GET', '/a', {})
            self.assertIs(kind, type(caught.exception))
            self.assertIn('elsewhere' if status == 302 else '<because>', str(caught.exception))

    def test_answers_that_are_no_use(self):
        self.server.put('/a', b'<html>')
        with self.assertRaisesRegex(ReplicationFailed, 'not JSON'):
            self.connection().get_json('/a')
        self.server.put('/a', b'[' + b' ' * 5000 + b']')
        with mock.patch('glance.replication.http.MAX_JSON_BYTES', 4096), self.assertRaisesRegex(ReplicationFailed, 'more than'):
            self.connection().get_json('/a')

    def test_data_that_breaks_off(self):
        self.answer('/a', 200, b'half', **{'Content-Length': '8'})
        connection = self.connection()
        with self.assertRaisesRegex(ImageFailed, 'broke off'), connection.send('GET', '/a') as response:
            list(connection.chunks(response, 3))

    def test_headers_that_cannot_be_sent(self):
        with self.assertRaises(ImageFailed), self.connection().send('GET', '/a', headers={'x-image-meta-name': 'a\nb'}):
            pass

    def test_versions(self):
        for document, expected in ((b'{"versions": [{"id": "v2.9"}, {"id": "v1.1"}]}', 'ServiceV2'),
                                   (b'{"versions": [{"id": "v1.1"}, {"id": "v1.0"}]}', 'ServiceV1')):
            self.server.put('/versions', document)
            self.assertEqual(expected, type(connect(self.connection())).__name__)
        for document in (b'{"versions": [{"id": "v3"}]}', b'{}', b'[]', b'{"versions": {"values": 1}}', b'null'):
            self.server.put('/versions', document)
            with self.subTest(document), self.assertRaises(ReplicationFailed):
                connect(self.connection())


class Certificates(ConnectionTestCase):

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def serve(self, name: str, **times) -> tuple[str, WebServer]:
        """The file with a certificate for a name that it has signed itself, and a server that shows it."""
        path = signing.write_server_certificate(self.folder / 'server.pem', name, **times)
        server = self.enter(WebServer(certificate=path))
        server.put('/a', b'{}')
        return path, server

    def assertRefused(self, server: WebServer, **options):
        with self.assertRaisesRegex(ReplicationFailed, 'cannot be trusted.*--os-cacert'):
            self.connection(server=server, host='localhost', **options).get_json('/a')
        self.assertEqual([], server.requests)

    def test_of_a_known_authority(self):
        path, server = self.serve('localhost')
        self.assertEqual((200, {}), self.connection(server=server, host='localhost', ca_file=path).get_json('/a'))

    def test_of_an_unknown_authority(self):
        _, server = self.serve('localhost')
        self.assertRefused(server)

    def test_of_another_host(self):
        path, server = self.serve('image.example.com')
        self.assertRefused(server, ca_file=path)

    def test_that_has_expired(self):
        path, server = self.serve('localhost', not_after=-signing.DAY / 2)
        self.assertRefused(server, ca_file=path)

    def test_are_not_checked_on_request(self):
        _, server = self.serve('image.example.com')
        with self.assertLogs('glance.replication', 'WARNING') as logs:
            connection = self.connection(server=server, host='localhost', verify=False)
        self.assertIn('is not checked', logs.output[0])
        self.assertEqual((200, {}), connection.get_json('/a'))

    def test_files_that_cannot_be_read(self):
        _, server = self.serve('localhost')
        with self.assertRaisesRegex(ReplicationFailed, 'nowhere.pem'):
            self.connection(server=server, ca_file='/nowhere.pem').get_json('/a')
