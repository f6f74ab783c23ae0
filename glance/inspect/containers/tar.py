"""Walking through a tar archive while it streams by. Source: POSIX.1-2017, pax; GNU tar manual, "Basic Tar Format"."""
from dataclasses import dataclass
from typing import Protocol

BLOCK = 512
MAX_EXTENDED_HEADER = 8192
MAX_TRAILER = 1024 * 1024
"""Zeros that are accepted behind the end of the archive."""
PAX_HARMLESS = frozenset({'mtime', 'atime', 'ctime', 'uid', 'gid', 'uname', 'gname', 'comment', 'path', 'size'})


class Malformed(Exception):
    """Not a tar archive, or one with a member that can't be walked over."""


class Unsafe(Exception):
    """A member that is more than bytes under a name: a link, a device, a sparse file."""


@dataclass(frozen=True, slots=True)
class Member:
    """A regular file: its name as the archive has it, which is not to be trusted, and its size in bytes."""

    name: str
    size: int


class Visitor(Protocol):
    """Is shown the members one after the other."""

    def open(self, member: Member) -> None: ...

    def update(self, data: memoryview) -> None: ...

    def close(self) -> None: ...


class Walk:
    """A sink that shows the members of an archive to a visitor. Keeps one header at a time.

    :raises Malformed: from ``update`` and ``finish``
    :raises Unsafe: from ``update``
    """

    def __init__(self, visitor: Visitor):
        self._visitor = visitor
        self._header = bytearray()
        self._extended: bytearray | None = None
        self._overrides: dict[str, str] = {}
        self._is_open = False
        self._left = self._padding = 0
        self._zero_blocks = 0
        self._trailer = 0

    def update(self, data: memoryview) -> None:
        while len(data):
            if self._zero_blocks == 2:
                self._skip_trailer(len(data))
                return
            if self._left:
                data = self._take_body(data)
            elif self._padding:
                step = min(self._padding, len(data))
                self._padding -= step
                data = data[step:]
            else:
                data = self._take_header(data)

    def finish(self) -> None:
        if self._left or self._header or not self._zero_blocks or self._extended is not None:
            raise Malformed

    def _skip_trailer(self, count: int) -> None:
        self._trailer += count
        if self._trailer > MAX_TRAILER:
            raise Malformed

    def _take_header(self, data: memoryview) -> memoryview:
        step = min(BLOCK - len(self._header), len(data))
        self._header += data[:step]
        if len(self._header) == BLOCK:
            header, self._header = bytes(self._header), bytearray()
            if any(header):
                if self._zero_blocks:
                    raise Malformed
                self._begin(header)
            else:
                self._zero_blocks += 1
        return data[step:]

    def _take_body(self, data: memoryview) -> memoryview:
        step = min(self._left, len(data))
        if self._extended is not None:
            self._extended += data[:step]
        elif self._is_open:
            self._visitor.update(data[:step])
        self._left -= step
        if not self._left:
            self._end_body()
        return data[step:]

    def _end_body(self) -> None:
        if self._extended is not None:
            self._overrides = _parse_extended(bytes(self._extended))
            self._extended = None
        elif self._is_open:
            self._is_open = False
            self._visitor.close()

    def _begin(self, header: bytes) -> None:
        if not _is_intact(header):
            raise Malformed
        kind = header[156:157]
        if kind == b'x' and not self._overrides:
            self._extended = bytearray()
            size = _number(header[124:136])
            if not 0 < size <= MAX_EXTENDED_HEADER:
                raise Malformed
        elif kind in (b'0', b'\0'):
            size = self._open(header)
        elif kind in b'12346S':
            raise Unsafe
        else:
            raise Malformed
        self._left, self._padding = size, -size % BLOCK

    def _open(self, header: bytes) -> int:
        name = _text(header[:100])
        if header[257:262] == b'ustar' and header[263:265] == b'00' and any(header[345:500]):
            name = _text(header[345:500]) + '/' + name
        size = _number(header[124:136])
        overrides, self._overrides = self._overrides, {}
        name = overrides.get('path', name)
        if 'size' in overrides:
            size = _decimal(overrides['size'])
        self._visitor.open(Member(name, size))
        self._is_open = size > 0
        if not size:
            self._visitor.close()
        return size


def _is_intact(header: bytes) -> bool:
    """Whether the checksum is right, for which its own field counts as spaces."""
    return _number(header[148:156]) == sum(header[:148]) + 8 * 0x20 + sum(header[156:])


def _number(field: bytes) -> int:
    """A number in octal digits, or, as GNU tar writes large ones, in binary after a set first bit."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], 'big')
    digits = field.strip(b'\0 ')
    if not digits or digits.strip(b'01234567'):
        raise Malformed
    return int(digits, 8)


def _decimal(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 20):
        raise Malformed
    return int(text)


def _text(field: bytes) -> str:
    return field.partition(b'\0')[0].decode('latin-1')


def _parse_extended(records: bytes) -> dict[str, str]:
    """The keywords of an extended header, which are lines of ``length keyword=value``."""
    found: dict[str, str] = {}
    while records:
        digits = records[:8].partition(b' ')[0]
        length = _decimal(digits.decode('latin-1'))
        record, records = records[:length], records[length:]
        keyword, separator, value = record[len(digits) + 1:].decode('utf-8', 'replace').partition('=')
        if len(record) < length or not record.endswith(b'\n') or not separator:
            raise Malformed
        if keyword not in PAX_HARMLESS:
            raise Unsafe
        found[keyword] = value[:-1]
    return found
