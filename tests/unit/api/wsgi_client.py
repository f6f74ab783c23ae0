"""Calls a WSGI application as a server does."""
import dataclasses
import io
import json
from typing import Any
from urllib.parse import unquote_to_bytes

from webob.headers import ResponseHeaders


@dataclasses.dataclass(frozen=True)
class Response:
    """What came back."""

    status: str
    headers: ResponseHeaders
    body: bytes

    @property
    def status_int(self) -> int:
        return int(self.status[:3])

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def environ_of(method, target, body=b'', headers=None, **extra):
    """Return the environ of a request; ``target`` is path and query as a client writes them."""
    path, _, query = target.partition('?')
    environ = {
        'REQUEST_METHOD': method, 'SCRIPT_NAME': '', 'PATH_INFO': unquote_to_bytes(path).decode('latin-1'),
        'QUERY_STRING': query, 'RAW_URI': target, 'SERVER_NAME': 'localhost', 'SERVER_PORT': '9292',
        'HTTP_HOST': 'localhost:9292',
        'SERVER_PROTOCOL': 'HTTP/1.1', 'REMOTE_ADDR': '127.0.0.1', 'wsgi.version': (1, 0), 'wsgi.url_scheme': 'http',
        'wsgi.input': io.BytesIO(body), 'wsgi.errors': io.StringIO(), 'wsgi.multithread': True,
        'wsgi.multiprocess': False,
        'wsgi.run_once': False,
    }
    if body:
        environ['CONTENT_LENGTH'] = str(len(body))
    for name, value in (headers or {}).items():
        key = name.upper().replace('-', '_')
        environ[key if key in ('CONTENT_TYPE', 'CONTENT_LENGTH') else 'HTTP_' + key] = value
    environ.update(extra)
    return environ


def call(application, environ):
    """Return the response of the application, its body read and closed."""
    heads = []

    def start_response(status, headers, exc_info=None):
        heads.append((status, list(headers)))

    body = application(environ, start_response)
    try:
        content = b''.join(body)
    finally:
        if hasattr(body, 'close'):
            body.close()
    status, headers = heads[-1]
    return Response(status, ResponseHeaders(headers), content)


def request(application, method, target, body=b'', headers=None, **extra):
    """Send one request and return the response."""
    return call(application, environ_of(method, target, body, headers, **extra))
