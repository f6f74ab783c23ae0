import contextlib
import http.server
import io
import json
import threading
import unittest
from urllib.parse import parse_qs, urlsplit

from glance.replication.address import Address
from glance.replication.commands import Options, livecopy
from glance.replication.http import Connection
from glance.replication.image import Image
from glance.replication.service import Service, connect

ATTRIBUTES = ('id', 'name', 'disk_format', 'container_format', 'min_ram', 'min_disk', 'protected', 'is_public', 'owner', 'size')
# The service shows the images of a list in pages of this size, whatever it is asked for.
PAGE = 2


class ServerOfV1:
    """What the replicator needs of v1: lists, images in headers, data in bodies."""

    def __init__(self):
        self.images: dict[str, Image] = {}
        self.data: dict[str, bytes] = {}
        self._server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={'poll_interval': 0.05}, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def service(self) -> Service:
        return connect(Connection(Address.parse('127.0.0.1:%d' % self._server.server_address[1]), 'T'))

    def add(self, data: bytes, **attributes) -> Image:
        number = len(self.images)
        image = {'id': '00000000-0000-4000-8000-%012d' % number, 'name': 'image %d' % number, 'status': 'active', 'is_public': False,
                 'size': len(data), 'protected': False, 'min_ram': 0, 'min_disk': 0, 'disk_format': 'raw', 'container_format': 'bare',
                 'owner': 'o', 'deleted': False, 'deleted_at': None, 'properties': {}, **attributes}
        self.images[image['id']], self.data[image['id']] = image, data
        return image

    def page(self, query: dict) -> list[Image]:
        assert query['is_public'] == ['None']
        ids = list(self.images)
        first = ids.index(query['marker'][0]) + 1 if 'marker' in query else 0
        return [self.images[image_id] for image_id in ids[first:first + PAGE]]

    def record(self, image_id: str, headers) -> None:
        image = self.images.setdefault(image_id, {'properties': {}, 'status': 'queued', 'deleted': False, 'is_public': False})
        if headers.get('x-glance-registry-purge-props') == 'true':
            image['properties'] = {}
        for name, value in headers.items():
            name, value = name.lower(), value.encode('latin-1').decode()
            if name.startswith('x-image-meta-property-'):
                image['properties'][name.removeprefix('x-image-meta-property-')] = value
            elif name.removeprefix('x-image-meta-') in ATTRIBUTES:
                name = name.removeprefix('x-image-meta-')
                image[name] = value == 'True' if value in ('True', 'False') else int(value) if value.isdigit() else value

    def _handler(self):
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def log_message(self, *unused) -> None:
                pass

            def answer(self, status: int, body: bytes = b'', headers: dict | None = None) -> None:
                self.send_response(status)
                for name, value in {'Content-Length': len(body), **(headers or {})}.items():
                    self.send_header(name, str(value).encode().decode('latin-1'))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                if parts.path == '/versions':
                    self.answer(200, b'{"versions": [{"id": "v1.1"}, {"id": "v1.0"}]}')
                elif parts.path == '/v1/images/detail':
                    self.answer(200, json.dumps({'images': server.page(parse_qs(parts.query))}).encode())
                else:
                    self.answer(200, server.data[parts.path.rpartition('/')[2]])

            def do_HEAD(self) -> None:
                image = server.images.get(self.path.rpartition('/')[2])
                if image is None:
                    self.answer(404)
                    return
                shown = {'x-image-meta-' + name: value for name, value in image.items()
                         if name != 'properties' and value is not None}
                shown.update({'x-image-meta-property-' + name: value for name, value in image['properties'].items()})
                self.answer(200, headers=shown)

            def do_POST(self) -> None:
                self.receive(self.headers['x-image-meta-id'], 201)

            def do_PUT(self) -> None:
                self.receive(self.path.rpartition('/')[2], 200)

            def receive(self, image_id: str, status: int) -> None:
                data = self.rfile.read(int(self.headers.get('Content-Length') or 0))
                server.record(image_id, self.headers)
                if self.headers['Content-Type'] == 'application/octet-stream':
                    server.data[image_id] = data
                    server.images[image_id]['status'] = 'active'
                self.answer(status)

        return Handler


class CopyBetweenServicesOfV1(unittest.TestCase):

    def setUp(self):
        self.source, self.target = ServerOfV1(), ServerOfV1()
        for server in (self.source, self.target):
            self.addCleanup(server.stop)
        self.options = Options(chunk_size=2, ignored=('created_at', 'updated_at'))

    def copy(self) -> int:
        with contextlib.redirect_stdout(io.StringIO()):
            return livecopy(self.source.service(), self.target.service(), self.options)

    def assertSame(self):
        def comparable(server):
            return {image_id: {name: image.get(name) for name in (*ATTRIBUTES, 'properties', 'status')}
                    for image_id, image in server.images.items()}
        self.assertEqual(comparable(self.source), comparable(self.target))
        self.assertEqual(self.source.data, self.target.data)

    def test_images_and_changes(self):
        image = self.source.add(b'12345', name='Größe', is_public=True, protected=True, properties={'distro': 'x', 'gone': 'y'})
        for number in range(4):
            self.source.add(b'%d' % number)
        self.assertEqual(0, self.copy())
        self.assertSame()
        image.update(name='other', is_public=False, properties={'distro': 'z', 'new': 'ä'})
        self.assertEqual(0, self.copy())
        self.assertSame()

    def test_an_image_without_data_is_given_some(self):
        image = self.source.add(b'data', properties={'a': 'b'})
        self.target.add(b'', status='queued', properties={'a': 'b'})
        self.target.data.clear()
        self.assertEqual(0, self.copy())
        self.assertEqual(b'data', self.target.data[image['id']])
        self.assertEqual({'a': 'b'}, self.target.images[image['id']]['properties'])
