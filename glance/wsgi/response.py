"""One request served by a native thread: the application is called and its response written to the socket.

A response is whole or visibly broken: when it cannot be finished the connection is reset, so that no client takes a
part of an image for the image.
"""

import enum
import functools
import logging
import time
from collections.abc import Callable, Iterable
from email.utils import formatdate

from glance import exceptions
from glance.wsgi.body import Body
from glance.wsgi.connection import Connection

LOG = logging.getLogger(__name__)

_JOIN_UP_TO = 64 << 10
"""A piece up to this size is copied behind the head, so that both leave in one system call."""
_SENDFILE_STEP = 4 << 20
_DISCARD_BYTES = 64 << 10
_DISCARD_SECONDS = 2
_HOP_BY_HOP = frozenset(('connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'proxy-connection', 'trailer'))


class Outcome(enum.Enum):
    """What is to be done with the connection after the response."""

    KEEP = 'keep'
    CLOSE = 'close'
    ABORT = 'abort'


class AbortedResponse(Exception):
    """The response cannot be completed as its head promised."""


class _ClientGone(Exception):
    """The client does not take the response any more."""


@functools.lru_cache(maxsize=1)
def _date(_second: int) -> str:
    return formatdate(usegmt=True)


def _number_of_pieces(result: Iterable) -> int | None:
    try:
        return len(result)
    except TypeError:
        return None


def _close(result: Iterable) -> None:
    close = getattr(result, 'close', None)
    if close is None:
        return
    try:
        close()
    except Exception:  # the bytes are out already; they are not made wrong by this
        LOG.exception('Closing the body of a response failed')


def plain(status: str, text: str, head_only: bool = False) -> bytes:
    """A complete small response after which the connection is closed."""
    content = text.encode() + b'\n'
    head = ('HTTP/1.1 %s\r\nContent-Type: text/plain; charset=UTF-8\r\nContent-Length: %d\r\nDate: %s\r\n'
            'Connection: close\r\n\r\n' % (status, len(content), _date(int(time.time()))))
    return head.encode('latin-1') + (b'' if head_only else content)


class Response:
    """Writes the response to one request.

    :param keep_alive: asked when the head is built, whether the connection may serve another request
    """

    def __init__(self, connection: Connection, method: str, protocol: str, body: Body | None,
                 keep_alive: Callable[[], bool]):
        self._connection = connection
        self._method = method
        self._protocol = protocol
        self._request_body = body
        self._keep_alive = keep_alive
        self._status: str | None = None
        self._headers: list[tuple[str, str]] = []
        self._left: int | None = None
        """Bytes that the announced Content-Length still lacks; None without one."""
        self._chunked = False
        self._bodiless = False
        self._kept = False
        self.head_sent = False

    def serve(self, application: Callable, environ: dict) -> Outcome:
        """Call the application and send what it answers. Raises nothing."""
        try:
            result = application(environ, self.start)
            try:
                self._send_body(result)
            finally:
                _close(result)
        except (_ClientGone, exceptions.ClientDisconnected) as error:
            LOG.debug('%s %s: %s', self._method, environ['PATH_INFO'], error)
            return Outcome.ABORT
        except AbortedResponse as error:
            LOG.error('%s %s: %s', self._method, environ['PATH_INFO'], error)
            return Outcome.ABORT
        except BaseException:  # a thread of the pool must outlive whatever an application raises
            return self._failed(environ)
        return self._finish()

    def start(self, status: str, headers: list[tuple[str, str]], exc_info=None) -> Callable[[bytes], None]:
        """``start_response`` of PEP 3333."""
        if exc_info:
            try:
                if self.head_sent:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif self._status is not None:
            raise RuntimeError('start_response was called twice')
        self._status, self._headers = status, headers
        return self._write

    def _send(self, data: bytes | memoryview, more: bool = False) -> None:
        try:
            self._connection.send(data, more)
        except OSError as error:
            raise _ClientGone(error) from None

    def _send_body(self, result: Iterable) -> None:
        reader = getattr(result, 'reader', None)
        if reader is not None and self._connection.can_sendfile and self._status and reader.fileno() is not None:
            self._send_file(result, reader)
            return
        single = _number_of_pieces(result) == 1
        # Pieces that are valid until the next one is asked for need not be copied.
        for piece in getattr(result, 'passing_pieces', result.__iter__)():
            if not self.head_sent and piece:
                self._begin(piece, len(piece) if single else None)
            elif piece:
                self._write(piece)
            if self._bodiless:
                break
        if not self.head_sent:
            self._begin(b'', 0)

    def _write(self, piece: bytes | memoryview) -> None:
        if not self.head_sent:
            self._begin(piece, None)
        elif piece and not self._bodiless:
            self._send_piece(b'', piece)

    def _begin(self, piece: bytes | memoryview, whole: int | None) -> None:
        """Send the head and the first piece. ``whole`` is the size of the body when this piece is all of it."""
        head = self._head(whole)
        self.head_sent = True
        if piece and not self._bodiless:
            self._send_piece(head, piece)
        else:
            self._send(head)

    def _send_piece(self, head: bytes, piece: bytes | memoryview) -> None:
        if self._left is not None:
            if len(piece) > self._left:
                LOG.error('The response is longer than its Content-Length; the rest is cut off.')
                piece, self._kept = memoryview(piece)[:self._left], False
            self._left -= len(piece)
        if self._chunked:
            head, tail = b'%s%x\r\n' % (head, len(piece)), b'\r\n'
        else:
            tail = b''
        if len(piece) <= _JOIN_UP_TO:
            self._send(b''.join((head, piece, tail)))
            return
        if head:
            self._send(head, more=True)
        self._send(piece)
        if tail:
            self._send(tail, more=True)

    def _send_file(self, body, reader) -> None:
        """Let the kernel send the span of the reader; ``body.sent`` counts the bytes."""
        head = self._head(reader.length)
        self.head_sent = True
        if self._bodiless:
            self._send(head)
            return
        if self._chunked:
            raise AbortedResponse('a file cannot be sent in chunks')
        left = reader.length if self._left is None else min(self._left, reader.length)
        with self._connection.full_segments():
            self._send(head)
            self._send_span(body, reader, left)

    def _send_span(self, body, reader, left: int) -> None:
        # Of a file that is being written, ``ready`` waits for the next bytes and tells their number.
        fd, offset, ready = reader.fileno(), reader.offset, getattr(reader, 'ready', None)
        while left:
            step = min(left, _SENDFILE_STEP)
            if ready is not None:
                step = min(step, ready(offset))
            try:
                sent = self._connection.sendfile(fd, offset, step)
            except (ConnectionError, TimeoutError) as error:
                raise _ClientGone(error) from None
            except OSError as error:
                LOG.error('The kernel cannot send an object: %s', error)
                sent = 0
            if not sent:
                self._send_remainder(body, left)
                return
            body.sent += sent
            offset += sent
            left -= sent
            if self._left is not None:
                self._left -= sent

    def _send_remainder(self, body, left: int) -> None:
        """Go on from another place, where the reader knows one, after the file gave out with ``left`` bytes to come."""
        pieces = body.remainder()
        if pieces is None:
            raise AbortedResponse('the object ended %d bytes too early' % left)
        for piece in pieces:
            self._write(piece)

    def _head(self, whole: int | None) -> bytes:
        """Build the head and decide how the body is framed."""
        if self._status is None:
            raise RuntimeError('the application sent a body without having called start_response')
        lines = ['HTTP/1.1 ' + self._status]
        has_date = asks_close = False
        for name, value in self._headers:
            lower = name.lower()
            if lower in _HOP_BY_HOP:
                asks_close = asks_close or (lower == 'connection' and value.lower() == 'close')
                continue
            if lower == 'content-length':
                self._left = int(value)
                continue
            has_date = has_date or lower == 'date'
            lines.append('%s: %s' % (name, value))
        if not has_date:
            lines.append('Date: ' + _date(int(time.time())))
        self._frame(lines, whole)
        self._kept = self._kept and not asks_close and self._keep_alive() and self._request_is_read()
        if not self._kept:
            lines.append('Connection: close')
        elif self._protocol == 'HTTP/1.0':
            lines.append('Connection: keep-alive')
        text = '\r\n'.join(lines)
        if text.count('\n') != len(lines) - 1 or text.count('\r') != len(lines) - 1 or '\0' in text:
            raise ValueError('a header of the response holds a line break or NUL')
        if self._request_body is not None:
            self._request_body.forgo_continue()
        return (text + '\r\n\r\n').encode('latin-1')

    def _request_is_read(self) -> bool:
        """Drop a small rest of the request's body; tell whether nothing is left of it, as the next request needs."""
        body = self._request_body
        return body is None or body.discard(_DISCARD_BYTES, _DISCARD_SECONDS)

    def _frame(self, lines: list[str], whole: int | None) -> None:
        code = self._status[:3]
        self._kept = True
        if code == '204' or code[0] == '1':
            self._bodiless, self._left = True, None
            return
        if self._method == 'HEAD' or code == '304':
            self._bodiless = True
        elif self._left is None and whole is not None:
            self._left = whole
        if self._left is not None:
            lines.append('Content-Length: %d' % self._left)
        elif not self._bodiless:
            self._chunked = self._kept = self._protocol == 'HTTP/1.1'
            if self._chunked:
                lines.append('Transfer-Encoding: chunked')

    def _finish(self) -> Outcome:
        try:
            if self._chunked:
                self._send(b'0\r\n\r\n')
        except _ClientGone:
            return Outcome.ABORT
        if self._left and not self._bodiless:
            LOG.error('The response ended %d bytes before its Content-Length.', self._left)
            return Outcome.ABORT
        return Outcome.KEEP if self._kept else Outcome.CLOSE

    def _failed(self, environ: dict) -> Outcome:
        LOG.exception('%s %s failed', self._method, environ['PATH_INFO'])
        if self.head_sent:
            return Outcome.ABORT
        try:
            self._connection.send(plain('500 Internal Server Error', 'The server failed to process the request.',
                                        head_only=self._method == 'HEAD'))
        except OSError:
            return Outcome.ABORT
        return Outcome.CLOSE
