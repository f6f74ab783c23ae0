"""Compressed disks: gzip, bzip2, xz, ZIP; zstd and LHA are recognised without looking into them.

Sources: RFC 1952 (gzip), RFC 8878 (zstd), .ZIP File Format Specification 6.3.10.
"""
import bz2
import dataclasses
import lzma
import re
import struct
import zlib
from collections.abc import Callable
from typing import Any, Protocol

from glance.inspect.containers.problems import Problems
from glance.inspect.disk import Disk
from glance.inspect.rules import Rules

MAX_OUTPUT = 64 * 1024 * 1024
STEP = 256 * 1024
"""Bytes of output made at a time."""
PIECE = 64 * 1024
"""Bytes of input given at a time, because what is left of them is copied for each stream that ends."""
MAX_MEMBERS = 4096
XZ_MEMORY = 16 * 1024 * 1024
"""Enough for what xz writes unless it is told to take a larger dictionary."""
MAGIC_SIZE = 7

ZIP_HEADER = struct.Struct('<4sHHHHHIIIHH')
ZIP_ENCRYPTED, ZIP_SIZES_FOLLOW = 1 << 0, 1 << 3
ZIP_STORED, ZIP_DEFLATED = 0, 8
ZIP64 = 0xffffffff
LHA = re.compile(rb'..-lh[0-9d]-', re.DOTALL)


class Decompressor(Protocol):
    """The one interface of the decompressors of the standard library."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: Any, max_length: int) -> bytes: ...


class Malformed(Exception):
    """The container can't be read; carries the id of a check."""


class Done(Exception):
    """Enough has been seen, or no more can be."""


class Compressed:
    """A sink that looks at the disk in a compressed stream, up to MAX_OUTPUT bytes of it, without keeping them.

    :param disk_format: declared format of the disk in the container
    :raises InvalidImageData: for a disk that is unsafe; for malformed data when the policy says so
    """

    def __init__(self, disk_format: str, rules: Rules, problems: Problems):
        self._problems = problems
        self._allow_lha = rules.allow_lha
        self._disk = Disk(disk_format, dataclasses.replace(
            rules, require_match=rules.container_check_policy == 'reject'))
        self._start = bytearray()
        self._decoder: _Stream | _Zip | None = None
        self._done = False

    def update(self, data: memoryview) -> None:
        if self._done:
            return
        try:
            if self._decoder is None:
                wanted = MAGIC_SIZE - len(self._start)
                self._start += data[:wanted]
                data = data[wanted:]
                if len(self._start) < MAGIC_SIZE:
                    return
                self._decoder = self._choose()
                self._decoder.update(memoryview(bytes(self._start)))
            self._decoder.update(data)
        except Done:
            self._done = True
        except Malformed as malformed:
            self._done = True
            self._problems.add(str(malformed))

    def finish(self) -> None:
        if self._done:
            return
        if self._decoder is None:
            self._problems.add('mismatch')
        elif self._decoder.complete:
            self._disk.finish()
        else:
            self._problems.add('truncated')

    def _choose(self) -> '_Stream | _Zip':
        start = bytes(self._start)
        for magic, make in DECOMPRESSORS:
            if start.startswith(magic):
                return _Stream(magic, make, _Output(self._disk))
        if start.startswith(b'PK\3\4'):
            return _Zip(_Output(self._disk))
        if start.startswith(b'\x28\xb5\x2f\xfd') or self._allow_lha and LHA.match(start):
            raise Done
        raise Malformed('mismatch')


class _Output:
    """Hands what was decompressed to the inspection of the disk, until it is enough."""

    def __init__(self, disk: Disk):
        self._disk = disk
        self._left = MAX_OUTPUT

    def write(self, data: memoryview | bytes) -> None:
        self._disk.update(memoryview(data)[:self._left])
        self._left -= len(data)
        if self._left <= 0:
            self._disk.leave()
            raise Done

    def decompress(self, decompressor: Decompressor, data: memoryview) -> bytes:
        """Decompress all of the data in small steps. Returns what is left of it behind the end of the stream."""
        rest: Any = data
        while True:
            try:
                output = decompressor.decompress(rest, STEP)
            except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError) as error:
                raise Malformed('header') from error
            self.write(output)
            rest = getattr(decompressor, 'unconsumed_tail', b'')
            if decompressor.eof:
                return decompressor.unused_data
            if not rest and len(output) < STEP and getattr(decompressor, 'needs_input', True):
                return b''


class _Stream:
    """One or more compressed streams of a kind, one behind the other; zeros may follow the last."""

    def __init__(self, magic: bytes, make: Callable[[], Decompressor], output: _Output):
        self._magic = magic
        self._make = make
        self._output = output
        self._decompressor: Decompressor | None = make()
        self._between = b''
        self._members = 1

    @property
    def complete(self) -> bool:
        return self._decompressor is None and not self._between

    def update(self, data: memoryview) -> None:
        for offset in range(0, len(data), PIECE):
            self._take(data[offset:offset + PIECE])

    def _take(self, data: memoryview) -> None:
        rest: Any = data
        while len(rest):
            if self._decompressor is None:
                rest = self._next(bytes(rest))
            if self._decompressor is not None:
                rest = self._output.decompress(self._decompressor, rest)
                if self._decompressor.eof:
                    self._decompressor = None

    def _next(self, data: bytes) -> bytes:
        """Begin the next stream if there is one; return its bytes."""
        data = self._between + data
        if not self._between:
            data = data.lstrip(b'\0')
        self._between = b''
        if data.startswith(self._magic):
            self._members += 1
            if self._members > MAX_MEMBERS:
                raise Malformed('header')
            self._decompressor = self._make()
        elif self._magic.startswith(data):
            self._between, data = data, b''
        else:
            raise Malformed('footer')
        return data


class _Zip:
    """The first member of a ZIP archive."""

    def __init__(self, output: _Output):
        self._output = output
        self._buffer = bytearray()
        self.complete = False
        self._skip = 0
        self._left = 0
        self._has_header = False
        self._decompressor: Any = None

    def update(self, data: memoryview) -> None:
        while len(data) and not self.complete:
            if not self._has_header:
                data = self._take_header(data)
            elif self._skip:
                step = min(self._skip, len(data))
                self._skip -= step
                data = data[step:]
            elif self._decompressor is not None:
                self._output.decompress(self._decompressor, data)
                self.complete = self._decompressor.eof
                return
            else:
                data = self._copy(data)

    def _take_header(self, data: memoryview) -> memoryview:
        step = min(ZIP_HEADER.size - len(self._buffer), len(data))
        self._buffer += data[:step]
        if len(self._buffer) == ZIP_HEADER.size:
            _, _, flags, method, _, _, _, compressed, _, name, extra = ZIP_HEADER.unpack(self._buffer)
            self._has_header = True
            self._skip = name + extra
            if flags & ZIP_ENCRYPTED:
                raise Malformed('unknown_features')
            if method == ZIP_DEFLATED:
                self._decompressor = zlib.decompressobj(-zlib.MAX_WBITS)
            elif method == ZIP_STORED and not flags & ZIP_SIZES_FOLLOW:
                self._left = MAX_OUTPUT if compressed == ZIP64 else compressed
            else:
                raise Malformed('unknown_features')
        return data[step:]

    def _copy(self, data: memoryview) -> memoryview:
        step = min(self._left, len(data))
        self._output.write(data[:step])
        self._left -= step
        self.complete = not self._left
        return data[step:]


def _gzip() -> Decompressor:
    return zlib.decompressobj(16 + zlib.MAX_WBITS)


def _xz() -> Decompressor:
    return lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=XZ_MEMORY)


DECOMPRESSORS: tuple[tuple[bytes, Callable[[], Decompressor]], ...] = (
    (b'\x1f\x8b', _gzip), (b'BZh', bz2.BZ2Decompressor), (b'\xfd7zXZ\0', _xz))
"""Decompressors by the magic of what they read."""
