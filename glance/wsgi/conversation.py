"""A connection as a green thread of the hub sees it: head, small body, hand-over, and again.

Everything here waits without holding a native thread, so a slow client costs a few kilobytes.
"""

import io
import time
from collections.abc import Callable

from eventlet.hubs import trampoline

from glance.wsgi import head as heads
from glance.wsgi.body import Body, ChunkedBody, LengthBody
from glance.wsgi.connection import FOREVER, Connection
from glance.wsgi.head import Head, HeadError
from glance.wsgi.response import Outcome, plain
from glance.wsgi.settings import Settings
from glance.wsgi.tls import HANDSHAKE_SECONDS

LARGEST_BUFFERED_BODY = 64 << 10
DRAIN_IDLE_SECONDS = 1
"""How long a kept connection may stay silent once the worker drains: a request that is on its way is still answered."""
_LINGER_SECONDS = 2


class Stalled(Exception):
    """Thrown into the green thread of a connection whose deadline has passed."""


class _Closed(Exception):
    """The client closed the connection where a request was not complete."""


class Conversation:
    """All requests of one connection.

    :param settings: asked anew for each request, since a reload may change it
    :param perform: has a request served and returns when its response is out
    :param draining: whether the worker only finishes what has begun
    """

    def __init__(self, connection: Connection, settings: Callable[[], Settings],
                 perform: Callable[[Connection, Head, Body | io.BytesIO], Outcome], draining: Callable[[], bool]):
        self._connection = connection
        self._settings = settings
        self._perform = perform
        self._draining = draining

    def run(self) -> None:
        """Serve until one side ends it, then close the connection."""
        connection = self._connection
        try:
            outcome = self._requests()
        except HeadError as error:
            outcome = Outcome.CLOSE
            connection.send_now(plain(error.status, str(error)))
        except Stalled:
            outcome = Outcome.CLOSE
            if connection.buffer:
                connection.send_now(plain('408 Request Timeout', 'The request did not arrive in time.'))
        except (_Closed, OSError):
            outcome = Outcome.CLOSE
        if outcome is Outcome.ABORT:
            connection.reset()
        else:
            self._linger()
            connection.close()

    def _requests(self) -> Outcome:
        self._wait_at_most(HANDSHAKE_SECONDS)
        while not self._connection.handshake():
            self._wait()
        while True:
            head = self._read_head()
            if head is None:
                return Outcome.CLOSE
            outcome = self._perform(self._connection, head, self._read_body(head))
            if outcome is not Outcome.KEEP:
                return outcome

    def _read_head(self) -> Head | None:
        """The next head; None when the client closes, or stays silent, before it begins one."""
        connection = self._connection
        if not connection.buffer and not self._await_first_bytes():
            return None
        self._wait_at_most(self._settings().header_timeout)
        limits = heads.Limits(self._settings().max_header_line)
        if connection.buffer.startswith(b'\r\n'):  # RFC 9112 2.2 allows one empty line before a request
            connection.buffer = connection.buffer[2:]
        checked = 0
        while (end := connection.buffer.find(heads.END, max(checked - 3, 0))) < 0:
            heads.check_unfinished(connection.buffer, checked, limits)
            checked = len(connection.buffer)
            if not checked:
                connection.buffer = b''
            elif isinstance(connection.buffer, bytes):
                connection.buffer = bytearray(connection.buffer)
            connection.buffer += self._receive()
        data = connection.buffer[:end]
        connection.buffer = connection.buffer[end + len(heads.END):]
        connection.requests += 1
        return heads.parse(data, limits)

    def _await_first_bytes(self) -> bool:
        connection, settings = self._connection, self._settings()
        first = not connection.requests
        self._wait_at_most(settings.header_timeout if first else settings.keepalive_timeout)
        if self._draining():
            self._wait_at_most(DRAIN_IDLE_SECONDS)
        connection.idle = True
        try:
            connection.buffer = self._receive()
            return True
        except (_Closed, Stalled):
            return False
        finally:
            connection.idle = False

    def _read_body(self, head: Head) -> Body | io.BytesIO:
        """The body, already complete when it is small, so that no thread waits for it."""
        connection, length = self._connection, head.content_length
        if head.chunked:
            return ChunkedBody(connection, head.expects_continue)
        if not length:
            return io.BytesIO()
        if length > LARGEST_BUFFERED_BODY or head.expects_continue:
            return LengthBody(connection, length, head.expects_continue)
        while len(connection.buffer) < length:
            self._wait_at_most(self._settings().client_socket_timeout)
            connection.buffer += self._receive()
        body, connection.buffer = bytes(connection.buffer[:length]), connection.buffer[length:]
        return io.BytesIO(body)

    def _linger(self) -> None:
        """Drop what still arrives until the client closes: a close with unread data would destroy the response."""
        connection = self._connection
        connection.buffer = b''
        connection.end_sending()
        self._wait_at_most(_LINGER_SECONDS)
        try:
            while True:
                self._receive()
        except (_Closed, Stalled, OSError):
            pass

    def _receive(self) -> bytes:
        while (data := self._connection.receive_now(heads.PIECE)) is None:
            self._wait()
        if not data:
            raise _Closed
        return data

    def _wait(self) -> None:
        connection = self._connection
        trampoline(connection.fd, read=not connection.wants_write, write=connection.wants_write)

    def _wait_at_most(self, seconds: float) -> None:
        self._connection.deadline = time.monotonic() + seconds if seconds else FOREVER
