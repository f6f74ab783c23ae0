"""A web server on loopback whose answers the tests choose, for whatever fetches by HTTP."""

import http.server
import re
import ssl
import threading
from collections.abc import Callable

_RANGE = re.compile(r'bytes=(\d+)-(\d*)')


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *unused) -> None:
        """Clients hang up whenever they like."""


class WebServer:
    """Serves bytes by path, whole and in ranges, and records the requests; leave the context to stop it.

    ``objects`` maps paths to bytes. ``answers`` maps paths to functions that are given the request handler and answer
    in any way they like.

    :param certificate: file with key and certificate; serves TLS with it
    :param ranges: whether ranges are honoured
    :param version: the ``ETag`` of every object; empty sends none
    """

    def __init__(self, certificate: str | None = None, ranges: bool = True, version: str = '"v1"'):
        self.objects: dict[str, bytes] = {}
        self.answers: dict[str, Callable[[http.server.BaseHTTPRequestHandler], None]] = {}
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.ranges, self.version = ranges, version
        self._server = _Server(('127.0.0.1', 0), self._handler())
        self.scheme = 'https' if certificate else 'http'
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={'poll_interval': 0.05}, daemon=True)

    def __enter__(self) -> 'WebServer':
        self._thread.start()
        return self

    def __exit__(self, *unused) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop to listen; further calls do nothing."""
        self._server.shutdown()
        self._server.server_close()

    def url(self, path: str = '/', host: str = '127.0.0.1') -> str:
        return f'{self.scheme}://{host}:{self.port}{path}'

    def put(self, path: str, content: bytes) -> str:
        """Serve the bytes at this path; return their URL."""
        self.objects[path] = content
        return self.url(path)

    def redirect(self, path: str, location: str, status: int = 302) -> str:
        """Send who asks for the path elsewhere; return the URL of the path."""
        def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            handler.send_header('Location', location)
            handler.send_header('Content-Length', '0')
            handler.end_headers()
        self.answers[path] = answer
        return self.url(path)

    def paths(self) -> list[str]:
        """The paths that were asked for, in order."""
        return [path for _, path, _ in self.requests]

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def do_GET(self) -> None:
                server.requests.append((self.command, self.path, dict(self.headers)))
                path = self.path.partition('?')[0]
                if path in server.answers:
                    server.answers[path](self)
                elif path in server.objects:
                    server.serve(self, server.objects[path])
                else:
                    self.send_error(404)

            do_HEAD = do_GET

            def log_message(self, *unused) -> None:
                """The tests look at ``requests``."""

        return Handler

    def serve(self, handler: http.server.BaseHTTPRequestHandler, content: bytes) -> None:
        """Answer with the bytes, or the part of them that was asked for."""
        part = _RANGE.fullmatch(handler.headers.get('Range', '')) if self.ranges else None
        if handler.headers.get('If-Range', self.version) != self.version:
            part = None
        size = len(content)
        if part and int(part[1]) >= size:
            handler.send_response(416)
            handler.send_header('Content-Range', f'bytes */{size}')
            content = b''
        elif part:
            first, last = int(part[1]), min(int(part[2] or size - 1), size - 1)
            content = content[first:last + 1]
            handler.send_response(206)
            handler.send_header('Content-Range', f'bytes {first}-{last}/{size}')
        else:
            handler.send_response(200)
        if self.version:
            handler.send_header('ETag', self.version)
        handler.send_header('Content-Length', str(len(content)))
        handler.end_headers()
        if handler.command != 'HEAD':
            try:
                handler.wfile.write(content)
            except OSError:
                handler.close_connection = True
