"""Start the program of this folder, and talk to it byte by byte."""

import contextlib
import http.client
import json
import os
import pathlib
import queue
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import psutil

ROOT = pathlib.Path(__file__).resolve().parents[3]
SECONDS = 60
"""How long a test waits for what has to happen, before it fails."""


class RunningServer:
    """One server process. It inherits a listening socket unless ``bind_port`` is among the options.

    :param wait: return once the server has sent READY=1
    :param systemd_activation: hand the socket over the way systemd does
    """

    def __init__(self, wait: bool = True, systemd_activation: bool = False, environment: dict | None = None, **options):
        self.options = {'bind_host': '127.0.0.1', 'workers': 0} | options
        self._folder = tempfile.TemporaryDirectory(prefix='glance-test-')
        self.folder = pathlib.Path(self._folder.name)
        self.write_options()
        self._notifications = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notifications.bind(str(self.folder / 'notify'))
        self._notifications.settimeout(SECONDS)
        self._log_file = open(self.folder / 'log', 'wb')
        variables = {**os.environ, 'PYTHONPATH': str(ROOT), 'NOTIFY_SOCKET': str(self.folder / 'notify'),
                     **(environment or {})}
        command = [sys.executable, '-m', 'tests.functional.test_server.program', str(self.folder / 'settings')]
        with contextlib.ExitStack() as stack:
            descriptors = []
            if 'bind_port' in options:
                self.port = options['bind_port']
            else:
                listener = stack.enter_context(socket.create_server(('127.0.0.1', 0), backlog=1024))
                self.port = listener.getsockname()[1]
                descriptors.append(listener.fileno())
                if systemd_activation:
                    command = [sys.executable, '-c', _AS_SYSTEMD, str(listener.fileno()), *command]
                else:
                    variables['GLANCE_TEST_SOCKET_FD'] = str(listener.fileno())
            self.process = subprocess.Popen(command, cwd=ROOT, env=variables, stdin=subprocess.DEVNULL,
                                            stdout=subprocess.DEVNULL, stderr=self._log_file, pass_fds=descriptors)
        if wait:
            try:
                self.wait_for('READY=1')
            except BaseException:
                print(self.log)
                self.close()
                raise

    def close(self) -> None:
        family = [self.process, *self.children()]
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
                process.kill()
        self.process.wait()
        self._notifications.close()
        self._log_file.close()
        self._folder.cleanup()

    @property
    def log(self) -> str:
        return (self.folder / 'log').read_text()

    def write_options(self, **changes) -> None:
        """Change the configuration file."""
        self.options |= changes
        (self.folder / 'settings').write_text(json.dumps(self.options))

    def wait_for(self, state: str) -> str:
        """Return the next notification to systemd that holds this state."""
        while True:
            message = self._notifications.recv(4096).decode()
            if state in message.split('\n'):
                return message

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def reload(self, **changes) -> None:
        """Change the configuration and have it read; returns when the server is ready again."""
        self.write_options(**changes)
        self.signal(signal.SIGHUP)
        self.wait_for('RELOADING=1')
        self.wait_for('READY=1')

    def wait(self) -> int:
        """The exit code."""
        return self.process.wait(SECONDS)

    def children(self) -> list[psutil.Process]:
        try:
            return psutil.Process(self.process.pid).children()
        except psutil.NoSuchProcess:
            return []

    def fifo(self) -> str:
        """The path of a new FIFO for ``/hold``."""
        path = str(self.folder / ('fifo-%s' % os.urandom(4).hex()))
        os.mkfifo(path)
        return path

    # Talking.

    def connect(self) -> socket.socket:
        return socket.create_connection(('127.0.0.1', self.port), SECONDS)

    def talk(self, data: bytes) -> bytes:
        """Send bytes, close that direction, and return all that comes back."""
        with self.connect() as sock:
            with contextlib.suppress(OSError):  # the server may have closed it already
                sock.sendall(data)
                sock.shutdown(socket.SHUT_WR)
            return read_all(sock)

    def client(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection('127.0.0.1', self.port, timeout=SECONDS)

    def get(self, target: str = '/', method: str = 'GET', body=None, headers: dict | None = None,
            **options) -> tuple[int, bytes, http.client.HTTPMessage]:
        """One request on a connection of its own: status, body, headers."""
        client = self.client()
        with contextlib.closing(client):
            client.request(method, target, body, headers or {}, **options)
            response = client.getresponse()
            return response.status, response.read(), response.headers


# systemd sets LISTEN_PID in the process that becomes the server, and passes descriptor 3.
_AS_SYSTEMD = """
import os, sys
os.dup2(int(sys.argv[1]), 3, inheritable=True)
os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""


def read_all(sock: socket.socket) -> bytes:
    """Everything until the end; a reset counts as the end."""
    received = b''
    with contextlib.suppress(ConnectionError):
        while data := sock.recv(1 << 16):
            received += data
    return received


def read_response(sock: socket.socket) -> bytes:
    """One response that has a Content-Length."""
    received = b''
    while b'\r\n\r\n' not in received:
        received += _some(sock)
    head, _, body = received.partition(b'\r\n\r\n')
    length = int(re.search(rb'content-length: (\d+)', head.lower())[1])
    while len(body) < length:
        body += _some(sock)
    return head + b'\r\n\r\n' + body


def _some(sock: socket.socket) -> bytes:
    data = sock.recv(1 << 16)
    if not data:
        raise AssertionError('the server closed the connection')
    return data


def in_background(function, *arguments) -> queue.SimpleQueue:
    """Call it in a thread; the queue gets its result, or the exception."""
    results: queue.SimpleQueue = queue.SimpleQueue()

    def run():
        try:
            results.put(function(*arguments))
        except BaseException as error:
            results.put(error)
    threading.Thread(target=run, daemon=True).start()
    return results


def assert_soon(condition) -> None:
    """Return when it holds; for what sends no event."""
    give_up = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > give_up:
            raise AssertionError('it did not happen')
        time.sleep(0.02)


class ServerTestCase(unittest.TestCase):
    """Starts servers that end with the test."""

    def start(self, *arguments, **options) -> RunningServer:
        server = RunningServer(*arguments, **options)
        self.addCleanup(server.close)
        return server


class SharedServerTestCase(unittest.TestCase):
    """One server for all tests of a class."""

    options: dict = {}

    @classmethod
    def setUpClass(cls):
        cls.server = RunningServer(**cls.options)
        cls.addClassCleanup(cls.server.close)
