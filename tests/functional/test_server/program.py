"""A server with a small application: ``python -m tests.functional.test_server.program SETTINGS``.

SETTINGS is a JSON file: fields of Settings, and ``greeting`` (what ``/`` answers), ``broken`` (the application cannot
be loaded), ``crash`` (the worker ends while it starts), ``bind_retry``.
"""

import hashlib
import json
import logging
import os
import sys
import time

from glance.exceptions import ConfigurationError
from glance.wsgi.server import Server
from glance.wsgi.settings import Settings

LOG = logging.getLogger(__name__)
_OWN = {'greeting', 'broken', 'crash', 'bind_retry'}


class File:
    """A body with a reader, as the image API answers for images in files."""

    def __init__(self, path: str, offset: int, length: int):
        self._file = open(path, 'rb')
        self.reader = self
        self.offset, self.length, self.sent = offset, length, 0

    def fileno(self) -> int:
        return self._file.fileno()

    def __iter__(self):
        self._file.seek(self.offset)
        left = self.length
        while left and (data := self._file.read(min(left, 1 << 16))):
            left -= len(data)
            self.sent += len(data)
            yield data

    def remainder(self) -> None:
        """There is no other place with the same data."""

    def close(self) -> None:
        self._file.close()


class Application:
    def __init__(self, options: dict):
        self.options = options

    def close(self) -> None:
        LOG.info('application closed')

    def __call__(self, environ, start_response):
        query = dict(part.split('=') for part in environ['QUERY_STRING'].split('&') if part)
        name = environ['PATH_INFO'].strip('/').replace('-', '_') or 'root'
        handler = getattr(self, 'do_' + name, None)
        if handler is None:
            return _answer(start_response, b'no such page', '404 Not Found')
        return handler(environ, start_response, **query)

    def do_root(self, _environ, start_response):
        return _answer(start_response, self.options.get('greeting', 'hello').encode())

    def do_pid(self, _environ, start_response):
        return _answer(start_response, str(os.getpid()).encode())

    def do_environ(self, environ, start_response, **_query):
        return _answer(start_response, json.dumps({key: value for key, value in environ.items()
                                                   if isinstance(value, str)}).encode())

    def do_ending(self, environ, start_response):
        return _answer(start_response, b'yes' if environ['glance.ending'] else b'no')

    def do_echo(self, environ, start_response):
        return _answer(start_response, environ['wsgi.input'].read())

    def do_digest(self, environ, start_response):
        digest, buffer, size = hashlib.sha256(), memoryview(bytearray(1 << 20)), 0
        while count := environ['wsgi.input'].readinto(buffer):
            digest.update(buffer[:count])
            size += count
        return _answer(start_response, b'%d %s' % (size, digest.hexdigest().encode()))

    def do_consume(self, environ, start_response, note):
        """Read the body and write down how that ended."""
        try:
            environ['wsgi.input'].read()
            ended = 'complete'
        except Exception as error:
            ended = type(error).__name__
        with open(note, 'w') as file:
            file.write(ended)
        return _answer(start_response, b'')

    def do_refuse(self, _environ, start_response):
        return _answer(start_response, b'no', '401 Unauthorized')

    def do_hold(self, _environ, start_response, fifo):
        """Answer when the test has opened the other end of the FIFO."""
        with open(fifo, 'rb') as file:
            file.read()
        return _answer(start_response, b'held')

    def do_file(self, _environ, start_response, path, offset='0', length=None, announce=None):
        offset = int(offset)
        length = os.stat(path).st_size - offset if length is None else int(length)
        start_response('200 OK', [('Content-Type', 'x/y'), ('Content-Length', announce or str(length))])
        return File(path, offset, length)

    def do_stream(self, _environ, start_response, pieces='3'):
        start_response('200 OK', [('Content-Type', 'x/y')])
        return (b'piece%d;' % number for number in range(int(pieces)))

    def do_endless(self, _environ, start_response, note):
        start_response('200 OK', [('Content-Type', 'x/y')])
        return Endless(note)

    def do_write(self, _environ, start_response):
        write = start_response('200 OK', [('Content-Type', 'x/y'), ('Content-Length', '6')])
        write(b'abc')
        return [b'def']

    def do_short(self, _environ, start_response):
        start_response('200 OK', [('Content-Length', '10')])
        return [b'abc']

    def do_long(self, _environ, start_response):
        start_response('200 OK', [('Content-Length', '3')])
        return [b'abc', b'def']

    def do_no_content(self, _environ, start_response):
        start_response('204 No Content', [('Content-Length', '0')])
        return [b'']

    def do_not_modified(self, _environ, start_response):
        start_response('304 Not Modified', [('ETag', 'x')])
        return [b'ignored']

    def do_boom(self, _environ, start_response):
        raise RuntimeError('secret detail')

    def do_boom_late(self, _environ, start_response):
        start_response('200 OK', [('Content-Type', 'x/y')])

        def pieces():
            yield b'abc'
            raise RuntimeError('secret detail')
        return pieces()

    def do_split(self, _environ, start_response):
        start_response('200 OK', [('X-A', 'b\r\nSet-Cookie: c')])
        return [b'']

    def do_silent(self, _environ, _start_response):
        return [b'no head']


class Endless:
    def __init__(self, note: str):
        self._note = note

    def __iter__(self):
        while True:
            yield bytes(1 << 16)

    def close(self):
        with open(self._note, 'w') as file:
            file.write('closed')


def _answer(start_response, content: bytes, status: str = '200 OK') -> list[bytes]:
    start_response(status, [('Content-Type', 'text/plain'), ('Content-Length', str(len(content)))])
    return [content]


def _read(path: str) -> dict:
    with open(path) as file:
        return json.load(file)


def main(path: str) -> int:
    logging.basicConfig(level=logging.INFO, format='%(asctime)s %(process)d %(levelname)s %(message)s')
    options = _read(path)

    def settings() -> Settings:
        return Settings(**{name: value for name, value in options.items() if name not in _OWN})

    def reload() -> Settings | None:
        try:
            options.update(_read(path))
        except ValueError as error:
            LOG.error('not read: %s', error)
            return None
        return settings()

    def load() -> Application:
        if options.get('crash'):
            os._exit(3)
        if options.get('broken'):
            raise ConfigurationError('the application is broken')
        return Application(dict(options))

    try:
        return Server(settings(), load, reload, lambda: LOG.info('report of %d at %f', os.getpid(), time.time()),
                      options.get('bind_retry', 0)).run()
    except ConfigurationError as error:
        print('ERROR: %s' % error, file=sys.stderr)
        return 1


if __name__ == '__main__':
    sys.exit(main(sys.argv[1]))
