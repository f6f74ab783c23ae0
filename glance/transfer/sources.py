"""Where the bytes of a transfer come from: a request body, a file, an object of a store, memory.

Everything with ``readinto`` is a source, so an unbuffered file and the Reader of a store are sources as they are; the
classes here add what those lack.
"""
import os
import time
from typing import Any, Protocol, Self

from glance import exceptions
from glance.store import base

PACE_SECONDS = 120.0


class Source(Protocol):
    """Where a transfer reads."""

    def readinto(self, buffer: memoryview) -> int:
        """Put up to ``len(buffer)`` bytes into the buffer; return their number, 0 only at the end."""


class _Closing:
    """A source that is used in a ``with`` statement."""

    def close(self) -> None:
        """Release what the source holds."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self.close()


class WsgiSource(_Closing):
    """The body of a request: ``wsgi.input`` (PEP 3333), or any other object with ``readinto(buffer)`` or ``read(n)``.

    :raises ClientDisconnected: while reading, when the connection breaks
    """

    def __init__(self, stream: Any):
        self._stream = stream
        self._readinto = getattr(stream, 'readinto', None)

    def readinto(self, buffer: memoryview) -> int:
        try:
            if self._readinto is not None:
                return self._readinto(buffer)
            data = self._stream.read(len(buffer))
        except OSError as error:
            raise exceptions.ClientDisconnected() from error
        buffer[:len(data)] = data
        return len(data)


class PacedSource(_Closing):
    """A source that may keep the transfer waiting, but not for ever.

    :param rate: bytes per second that have to come, counted over PACE_SECONDS spent waiting for them
    :raises TooSlow: while reading, when fewer have come
    """

    def __init__(self, source: Source, rate: int):
        self._source, self._rate = source, rate
        self._bytes, self._waited = 0, 0.0

    def readinto(self, buffer: memoryview) -> int:
        since = time.monotonic()
        count = self._source.readinto(buffer)
        self._bytes += count
        self._waited += time.monotonic() - since
        if self._waited >= PACE_SECONDS:
            if self._bytes < self._waited * self._rate:
                raise exceptions.TooSlow(self._rate)
            self._bytes, self._waited = 0, 0.0
        return count


class FileSource(_Closing):
    """A local file, read from its beginning. ``size`` is its length in bytes. A symbolic link is not followed.

    :raises OSError: when the file cannot be opened or read
    """

    def __init__(self, path: str):
        self._file = open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), 'rb', buffering=0)
        self.size = os.fstat(self._file.fileno()).st_size
        os.posix_fadvise(self._file.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
        self.readinto = self._file.readinto
        self.fileno = self._file.fileno

    def close(self) -> None:
        self._file.close()


class ReaderSource(_Closing):
    """The object, or the span of it, that a Reader of a store gives; closing the source closes the reader."""

    def __init__(self, reader: base.Reader):
        self.size = reader.length
        self.readinto = reader.readinto
        self._reader = reader

    def close(self) -> None:
        self._reader.close()


class BytesSource(_Closing):
    """Bytes in memory."""

    def __init__(self, data: bytes | bytearray | memoryview):
        self._rest = memoryview(data).cast('B')
        self.size = len(self._rest)

    def readinto(self, buffer: memoryview) -> int:
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count
