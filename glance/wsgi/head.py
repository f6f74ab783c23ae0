"""The head of an HTTP/1 request: where it ends and what it says (RFC 9112).

Strict on purpose: whatever two parties could read differently (two lengths, folded lines, bare line feeds, spaces
before a colon) is refused, since a proxy in front may have read it the other way.
"""

import functools
import re
from dataclasses import dataclass

END = b'\r\n\r\n'
PIECE = 16 << 10
"""Bytes to receive at once where a head is expected."""
_MOST_HEADERS = 200
_MOST_LINES_OF_BYTES = 16
_UNLIMITED = 16 << 20
"""What "no limit" means for a whole head: the memory that one request may cost."""

_BARE_LINE_FEED = re.compile(rb'(?<!\r)\n')
_CONTROL = re.compile(r'[\x00-\x08\x0a-\x1f\x7f]')
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_TARGET = re.compile(r'[\x21-\x7e\x80-\xff]+')
_ABSOLUTE = re.compile(r'https?://([^/?#@]+)((?:[/?#].*)?)', re.IGNORECASE)
_HOST = re.compile(r'[A-Za-z0-9._~!$&\'()*+,;=%:\[\]-]*')
_LENGTH = re.compile(r'[0-9]{1,18}')
_VERSION = re.compile(r'HTTP/([0-9])\.([0-9])')
_ONCE = frozenset(('CONTENT_LENGTH', 'CONTENT_TYPE', 'HTTP_HOST', 'HTTP_TRANSFER_ENCODING', 'HTTP_EXPECT'))


class HeadError(Exception):
    """The request cannot be served: the status to answer and one sentence why. The connection has to be closed."""

    def __init__(self, status: str, reason: str):
        super().__init__(reason)
        self.status = status


def _bad(reason: str) -> HeadError:
    return HeadError('400 Bad Request', reason)


@dataclass(frozen=True, slots=True)
class Limits:
    """``line``: bytes of the longest header line, 0 for no limit."""

    line: int = 16384

    @property
    def longest_line(self) -> int:
        """Bytes of the longest header line."""
        return self.line or _UNLIMITED

    @property
    def longest_head(self) -> int:
        """Bytes of the longest head."""
        return min(self.line * _MOST_LINES_OF_BYTES or _UNLIMITED, _UNLIMITED)


@dataclass(slots=True)
class Head:
    """A parsed head.

    ``headers`` has the keys of a WSGI environ and text as latin-1; ``path`` is still percent-encoded;
    ``content_length`` is None when the request names none; ``keep_alive`` is what the client wants.
    """

    method: str
    target: str
    path: str
    query: str
    protocol: str
    headers: dict[str, str]
    content_length: int | None
    chunked: bool
    expects_continue: bool
    keep_alive: bool


def check_unfinished(buffer: bytes | bytearray, checked: int, limits: Limits) -> None:
    """Refuse early what can no longer become a valid head.

    :param buffer: the head so far, without its end
    :param checked: how many of its bytes an earlier call has seen
    :raises HeadError: a line is too long, the head is too large, or a line ends without a carriage return
    """
    if _BARE_LINE_FEED.search(buffer, max(checked - 1, 0)):
        raise _bad('Lines of the request must end with CR LF.')
    line_start = buffer.rfind(b'\n') + 1
    if len(buffer) - line_start > limits.longest_line:
        raise _line_too_long(first=line_start == 0)
    if len(buffer) > limits.longest_head:
        raise _head_too_large()


def parse(data: bytes | bytearray, limits: Limits = Limits()) -> Head:
    """Read a head, given without the empty line that ends it.

    :raises HeadError: it is malformed, ambiguous, too large, or asks for what this server does not do
    """
    if len(data) > limits.longest_head:
        raise _head_too_large()
    lines = data.decode('latin-1').split('\r\n')
    longest = limits.longest_line
    if len(lines[0]) > longest:
        raise _line_too_long(first=True)
    method, target, protocol = _request_line(lines[0])
    headers = _headers(lines, longest)
    path, query = _split_target(method, target, headers)
    if protocol == 'HTTP/1.1' and 'HTTP_HOST' not in headers:
        raise _bad('The Host header is missing.')
    length, chunked = _framing(headers, protocol)
    return Head(method, target, path, query, protocol, headers, length, chunked,
                'HTTP_EXPECT' in headers and _expects_continue(headers, protocol),
                _wants_keep_alive(headers, protocol))


def _line_too_long(first: bool) -> HeadError:
    if first:
        return HeadError('414 URI Too Long', 'The request line is too long.')
    return HeadError('431 Request Header Fields Too Large', 'A header line is too long.')


def _head_too_large() -> HeadError:
    return HeadError('431 Request Header Fields Too Large', 'The headers are too large.')


def _request_line(line: str) -> tuple[str, str, str]:
    words = line.split(' ')
    if len(words) == 2:  # a request without a version is taken as HTTP/1.0
        words.append('HTTP/1.0')
    if len(words) != 3:
        raise _bad('The request line must be a method, a target and a version.')
    method, target, protocol = words
    if protocol != 'HTTP/1.1' and protocol != 'HTTP/1.0':
        protocol = _other_protocol(protocol)
    if not _TOKEN.fullmatch(method):
        raise _bad('The method is not valid.')
    if not _TARGET.fullmatch(target):
        raise _bad('The request target is not valid.')
    return method, target, protocol


def _other_protocol(protocol: str) -> str:
    version = _VERSION.fullmatch(protocol)
    if not version:
        raise _bad('The protocol version is not valid.')
    if version[1] != '1':
        raise HeadError('505 HTTP Version Not Supported', 'This server speaks HTTP/1.0 and HTTP/1.1.')
    return 'HTTP/1.1'


@functools.lru_cache(maxsize=512)
def _environ_key(name: str) -> str | None:
    """The environ key of a header; None for one that must be dropped, since ``_`` and ``-`` would look the same."""
    if not _TOKEN.fullmatch(name):
        raise _bad('The name of a header is not valid.')
    if '_' in name:
        return None
    key = name.upper().replace('-', '_')
    return key if key in ('CONTENT_LENGTH', 'CONTENT_TYPE') else 'HTTP_' + key


def _headers(lines: list[str], longest: int) -> dict[str, str]:
    if len(lines) - 1 > _MOST_HEADERS:
        raise HeadError('431 Request Header Fields Too Large', 'The request has more than %d headers.' % _MOST_HEADERS)
    headers: dict[str, str] = {}
    for line in lines[1:]:
        if len(line) > longest:
            raise _line_too_long(first=False)
        name, colon, value = line.partition(':')
        if not colon or line[0] in ' \t':
            raise _bad('A header line is not a name, a colon and a value.')
        if _CONTROL.search(value):
            raise _bad('The value of a header holds a control character.')
        key = _environ_key(name)
        if key is None:
            continue
        value = value.strip(' \t')
        if key not in headers:
            headers[key] = value
        elif key in _ONCE:
            raise _bad('The header %s is there twice.' % name)
        else:
            headers[key] += ('; ' if key == 'HTTP_COOKIE' else ',') + value
    return headers


def _split_target(method: str, target: str, headers: dict[str, str]) -> tuple[str, str]:
    if method == 'CONNECT':
        raise HeadError('405 Method Not Allowed', 'This server is no proxy.')
    if not target.startswith('/'):
        absolute = _ABSOLUTE.fullmatch(target)
        if not absolute:
            raise _bad('The request target must be a path or an http URL.')
        headers['HTTP_HOST'], target = absolute.groups()  # RFC 9112 3.2.2: the target wins over the header
    if not _HOST.fullmatch(headers.get('HTTP_HOST', '')):
        raise _bad('The Host header is not valid.')
    path, _, query = target.partition('?')
    return path.partition('#')[0] or '/', query.partition('#')[0]


def _framing(headers: dict[str, str], protocol: str) -> tuple[int | None, bool]:
    """How long the body is (RFC 9112 6): its length or None, and whether it is chunked."""
    coding, length = headers.get('HTTP_TRANSFER_ENCODING'), headers.get('CONTENT_LENGTH')
    if coding is not None:
        if length is not None:
            raise _bad('Content-Length and Transfer-Encoding exclude each other.')
        if protocol == 'HTTP/1.0':
            raise _bad('HTTP/1.0 knows no Transfer-Encoding.')
        if coding.lower() != 'chunked':
            raise HeadError('501 Not Implemented', 'The only transfer coding of this server is chunked.')
        return None, True
    if length is None:
        return None, False
    if not _LENGTH.fullmatch(length):
        raise _bad('Content-Length must be a decimal number.')
    return int(length), False


def _expects_continue(headers: dict[str, str], protocol: str) -> bool:
    if headers['HTTP_EXPECT'].lower() != '100-continue':
        raise HeadError('417 Expectation Failed', 'The only expectation of this server is 100-continue.')
    return protocol == 'HTTP/1.1'


def _wants_keep_alive(headers: dict[str, str], protocol: str) -> bool:
    options = headers.get('HTTP_CONNECTION')
    if options is None:
        return protocol == 'HTTP/1.1'
    words = [word.strip() for word in options.lower().split(',')]
    return 'close' not in words and (protocol == 'HTTP/1.1' or 'keep-alive' in words)
