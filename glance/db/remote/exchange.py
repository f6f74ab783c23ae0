"""One kept HTTP/1.1 connection to a registry: a request goes out whole, an answer comes in whole, before a deadline.

Deliberately small: every record of the service passes through here. What is sent and what is understood is the part of
RFC 9112 that a server and honest proxies use; anything else counts as a wrong answer, never as an answer.
"""
import select
import socket
import ssl
import time
import zlib

_LARGEST_HEAD = 64 << 10
_LARGEST_BODY = 256 << 20
_READ_BYTES = 256 << 10
FOREVER = float('inf')


class NotSent(Exception):
    """The request did not reach the registry: it may be sent again, whatever it asks for."""


class AnswerLost(Exception):
    """The request was sent and the connection ended, or the time was up, before its answer."""


class WrongAnswer(Exception):
    """What came back is not an answer of a registry."""


class Connection:
    """A connection to ``host`` and ``port``; made at once. Raises NotSent.

    :param tls: how to encrypt, or None
    :param deadline: monotonic time by which it has to stand
    """

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None, deadline: float):
        self._buffer = bytearray()
        self.idle_since = 0.0
        try:
            self._socket = socket.create_connection((host, port), timeout=_left(deadline))
        except OSError as error:
            raise NotSent('no connection: %s' % _reason(error)) from None
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if tls:
                self._socket = tls.wrap_socket(self._socket, server_hostname=host)
        except OSError as error:
            self._socket.close()
            raise NotSent('no encrypted connection: %s' % _reason(error)) from None

    def is_alive(self) -> bool:
        """Whether the peer still holds it: bytes that nobody asked for, or its end, mean no."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN | select.POLLPRI)
        return not poll.poll(0)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def exchange(self, request: bytes, deadline: float) -> tuple[int, dict[str, str], bytes, bool]:
        """Send a request; return status, headers (names in lower case), body, and whether the connection lasts.

        Raises NotSent, AnswerLost or WrongAnswer; the connection is of no use then.
        """
        try:
            self._socket.settimeout(_left(deadline))
            self._socket.sendall(request)
            status, headers = self._head(deadline)
            body = self._body(headers, deadline)
        except OSError as error:
            raise AnswerLost(_reason(error)) from None
        if headers.get('content-encoding', 'identity') != 'identity':
            body = _unpacked(body, headers['content-encoding'])
        lasts = not self._buffer and headers.get('connection', '').lower() != 'close'
        return status, headers, body, lasts

    def _head(self, deadline: float) -> tuple[int, dict[str, str]]:
        while True:
            end = self._buffer.find(b'\r\n\r\n')
            if end >= 0:
                lines = self._take(end + 4).decode('latin-1').split('\r\n')
                if not lines[0].startswith('HTTP/1.1 100'):
                    return _status(lines[0]), _headers(lines[1:-2])
            elif len(self._buffer) > _LARGEST_HEAD:
                raise WrongAnswer('the head of the answer does not end')
            else:
                self._fill(deadline)

    def _body(self, headers: dict[str, str], deadline: float) -> bytes:
        if headers.get('transfer-encoding', '').lower() == 'chunked':
            return self._chunks(deadline)
        if 'content-length' not in headers:
            raise WrongAnswer('the answer does not tell its length')
        return self._exactly(_number(headers['content-length'], 10), deadline)

    def _chunks(self, deadline: float) -> bytes:
        body = bytearray()
        while True:
            size = _number(self._line(deadline).partition(';')[0].strip(), 16)
            if not size:
                while self._line(deadline):
                    pass
                return bytes(body)
            body += self._exactly(size, deadline)
            if len(body) > _LARGEST_BODY:
                raise WrongAnswer('the answer is too long')
            if self._line(deadline):
                raise WrongAnswer('a chunk of the answer is longer than announced')

    def _line(self, deadline: float) -> str:
        while (end := self._buffer.find(b'\r\n')) < 0:
            if len(self._buffer) > _LARGEST_HEAD:
                raise WrongAnswer('a line of the answer does not end')
            self._fill(deadline)
        return self._take(end + 2)[:-2].decode('latin-1')

    def _exactly(self, length: int, deadline: float) -> bytes:
        if length > _LARGEST_BODY:
            raise WrongAnswer('the answer is too long')
        while len(self._buffer) < length:
            self._fill(deadline)
        return self._take(length)

    def _take(self, length: int) -> bytes:
        taken = bytes(self._buffer[:length])
        del self._buffer[:length]
        return taken

    def _fill(self, deadline: float) -> None:
        self._socket.settimeout(_left(deadline))
        data = self._socket.recv(_READ_BYTES)
        if not data:
            raise AnswerLost('the connection was closed')
        self._buffer += data


def _left(deadline: float) -> float | None:
    """Return the seconds until the deadline, None when there is none. Raises TimeoutError when it has passed."""
    if deadline == FOREVER:
        return None
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError('timed out')
    return left


def _reason(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__


def _status(line: str) -> int:
    version, _, rest = line.partition(' ')
    if version not in ('HTTP/1.1', 'HTTP/1.0') or not rest[:3].isdecimal() or not rest.isascii():
        raise WrongAnswer('the answer is not one of HTTP')
    return int(rest[:3])


def _headers(lines: list[str]) -> dict[str, str]:
    headers = {}
    for line in lines:
        name, colon, value = line.partition(':')
        if not colon:
            raise WrongAnswer('a header of the answer has no value')
        headers[name.strip().lower()] = value.strip()
    return headers


def _unpacked(body: bytes, encoding: str) -> bytes:
    if encoding.lower() != 'gzip':
        raise WrongAnswer('the answer is encoded in an unknown way')
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        plain = unpacker.decompress(body, _LARGEST_BODY)
    except zlib.error:
        raise WrongAnswer('the answer is not compressed as it says') from None
    if not unpacker.eof or unpacker.unused_data:
        raise WrongAnswer('the answer is too long, or not compressed as it says')
    return plain


def _number(text: str, base: int) -> int:
    try:
        number = int(text, base)
    except ValueError:
        number = -1
    if number < 0:
        raise WrongAnswer('the answer tells a wrong length')
    return number
