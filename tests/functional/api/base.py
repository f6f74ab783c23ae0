"""What the tests of the API share: one server per class, callers of several projects, and a look behind the scenes."""

import contextlib
import http.client
import os
import pathlib
import re
import socket
import sys
import time
import unittest
from typing import Any

import psutil
import requests

from tests.harness.client import ApiClient
from tests.harness.server import SHIPPED, GlanceServer

SECONDS = 60
"""How long a test waits for what has to happen, before it fails."""
JSON_PATCH = {'Content-Type': 'application/openstack-images-v2.1-json-patch'}
DRAFT_PATCH = {'Content-Type': 'application/openstack-images-v2.0-json-patch'}
OCTETS = {'Content-Type': 'application/octet-stream'}
ALL_ROLES = 'member,reader'


class ApiTestCase(unittest.TestCase):
    """One server for the class, without Keystone; every caller is an administrator unless ``PROJECTS`` is set.

    With ``PROJECTS`` the pipeline is the one for Keystone without the filter that verifies tokens, so that the identity
    headers of :meth:`caller` are believed. ``REGISTRY`` is as for ``GlanceServer``.
    """

    DATABASE = 'sqlite'
    PROJECTS = False
    WORKERS = 1
    REGISTRY: bool | None = None
    SETTINGS: dict[str, dict[str, Any]] = {}
    maxDiff = None

    server: GlanceServer

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = cls.new_server()
        cls.server.start()

    @classmethod
    def new_server(cls) -> GlanceServer:
        """A server as the class describes it, not started; cleaned up with the class."""
        server = GlanceServer(cls.DATABASE, flavor='keystone' if cls.PROJECTS else '', settings=cls.SETTINGS,
                              workers=cls.WORKERS, registry=cls.REGISTRY)
        cls.addClassCleanup(server.cleanup)
        if cls.PROJECTS:
            trust_identity_headers(server)
        cls.prepare(server)
        return server

    @classmethod
    def prepare(cls, server: GlanceServer) -> None:
        """For subclasses: files and options that need the server's folder."""

    def setUp(self):
        super().setUp()
        self.client = self.caller('admin', roles='admin,member,reader') if self.PROJECTS else self.server.client()

    def caller(self, project: str | None, roles: str = ALL_ROLES) -> ApiClient:
        """A client of one project (its user has the same name)."""
        headers = {'X-Identity-Status': 'Confirmed', 'X-Roles': roles, 'X-User-Id': f'user-of-{project}'}
        return self.server.client(headers={**headers, **({'X-Project-Id': project} if project else {})})

    def assertStatus(self, expected: int, response: requests.Response, message: str = '') -> requests.Response:
        self.assertEqual(expected, response.status_code,
                         f'{message} {response.request.method} {response.request.path_url[:300]}: {response.text[:300]!r}')
        return response

    def show(self, image_id: str) -> dict:
        return self.assertStatus(200, self.client.get(f'/v2/images/{image_id}')).json()

    def download(self, image_id: str, **headers: str) -> requests.Response:
        return self.client.get(f'/v2/images/{image_id}/file', headers=headers)


def on_every_database(case: type[ApiTestCase]) -> type[ApiTestCase]:
    """Decorator of a test case, which runs on SQLite: put one for each other database beside it."""
    for name, kind in (('MySQL', 'mysql'), ('PostgreSQL', 'postgresql')):
        title = f'{case.__name__}On{name}'
        setattr(sys.modules[case.__module__], title, type(title, (case,), {
            'DATABASE': kind, '__module__': case.__module__, '__doc__': case.__doc__}))
    return case


def trust_identity_headers(server: GlanceServer) -> None:
    """Let the server believe who callers say they are."""
    path = server.folder / 'believing-paste.ini'
    path.write_text((SHIPPED / 'glance-api-paste.ini').read_text().replace(' authtoken context', ' context'))
    server.settings['paste_deploy']['config_file'] = path


def wait_for(what: str, condition, seconds: float = SECONDS):
    """Return the first true value of *condition*; AssertionError naming *what* when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f'{what}: not within {seconds} s')
        time.sleep(0.01)
    return value


def stored_files(*folders: pathlib.Path) -> list[str]:
    """Names of all files in the folders, hidden ones too, without the marker of the store."""
    return sorted(name for folder in folders for name in os.listdir(folder) if name != '.glance-store')


def unlinked_files(server: GlanceServer) -> list[str]:
    """Files without a name below the server's folder that one of its processes holds open."""
    found = []
    for process in (psutil.Process(server.process.pid), *psutil.Process(server.process.pid).children()):
        folder = pathlib.Path(f'/proc/{process.pid}/fd')
        with contextlib.suppress(FileNotFoundError):
            for descriptor in folder.iterdir():
                with contextlib.suppress(FileNotFoundError):
                    target = os.readlink(descriptor)
                    if target.startswith(str(server.folder)) and target.endswith('(deleted)'):
                        found.append(target)
    return found


class Upload:
    """An upload byte by byte: the head is sent at once, the body as the test likes.

    :param length: the Content-Length; None sends chunks
    """

    def __init__(self, server: GlanceServer, image_id: str, length: int | None = None, **headers: str):
        self.connection = http.client.HTTPConnection('127.0.0.1', server.port, timeout=SECONDS)
        self.length = length
        self.connection.putrequest('PUT', f'/v2/images/{image_id}/file', skip_accept_encoding=True)
        framing = {'Transfer-Encoding': 'chunked'} if length is None else {'Content-Length': str(length)}
        for name, value in {**OCTETS, **framing, **headers}.items():
            self.connection.putheader(name, value)
        self.connection.endheaders()

    def send(self, data: bytes) -> None:
        self.connection.send(data if self.length is not None else b'%x\r\n%s\r\n' % (len(data), data))

    def finish(self) -> http.client.HTTPResponse:
        """End the body and return the response, read and closed."""
        if self.length is None:
            self.connection.send(b'0\r\n\r\n')
        return self.response()

    def response(self) -> http.client.HTTPResponse:
        response = self.connection.getresponse()
        response.text = response.read().decode()
        self.connection.close()
        return response

    def disconnect(self) -> None:
        self.connection.close()


def uploading(case: ApiTestCase, image_id: str, length: int | None = None, first: bytes = b'x' * 65536) -> Upload:
    """An upload that the server works on: the image is ``saving``."""
    upload = Upload(case.server, image_id, length)
    case.addCleanup(upload.disconnect)
    upload.send(first)
    wait_for(f'image {image_id} saving', lambda: case.show(image_id)['status'] == 'saving')
    return upload


class RawResponse:
    """The first response among the bytes that a server sent."""

    def __init__(self, data: bytes):
        self.data = data
        head, self.complete, self.body = data.partition(b'\r\n\r\n')
        lines = head.decode('latin-1').split('\r\n')
        match = re.match(r'HTTP/1\.1 (\d{3})', lines[0])
        self.status = int(match[1]) if match else None
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(':') for line in lines[1:])}


def exchange(port: int, request: bytes, seconds: float = SECONDS) -> RawResponse:
    """Send bytes as they are and read until the server closes (add ``Connection: close``)."""
    with socket.create_connection(('127.0.0.1', port), timeout=seconds) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(request)
        pieces = []
        with contextlib.suppress(ConnectionResetError):
            while piece := connection.recv(65536):
                pieces.append(piece)
        return RawResponse(b''.join(pieces))


def raw_request(method: str, target: str, headers: dict[str, str] | None = None, body: bytes = b'') -> bytes:
    """A request whose target is not touched by any library; the connection ends with it."""
    lines = [f'{method} {target} HTTP/1.1', 'Host: localhost', 'Connection: close']
    lines += [f'{name}: {value}' for name, value in (headers or {}).items()]
    if body and not any(name.lower() in ('content-length', 'transfer-encoding') for name in headers or {}):
        lines.append(f'Content-Length: {len(body)}')
    return '\r\n'.join(lines).encode() + b'\r\n\r\n' + body
