"""The segments of a large object on their way to Swift: kept until they have arrived, or passed on as they come."""
import concurrent.futures
import contextlib
import hashlib
import logging
import tempfile
from collections.abc import Callable, Iterator
from typing import IO, TYPE_CHECKING, Any, Protocol

from glance import exceptions
from glance.store.drivers.swift_client import Account, StreamedPut

if TYPE_CHECKING:
    from glance.store.drivers.swift import SwiftStore

LOG = logging.getLogger(__name__)

_ATTEMPTS = 3
_BLOCK = 1024 * 1024


class Segment(Protocol):
    """One segment being written."""

    size: int

    def write(self, data: memoryview) -> None:
        """Append bytes."""

    def end(self) -> None:
        """Say that there is no more; the next segment may begin."""

    def result(self) -> str:
        """Wait until Swift has the segment; return its MD5, which is its ETag. Raises StoreError."""

    def close(self) -> None:
        """Give it up, or release what it held; returns when nothing is under way any more."""


class StreamedSegment:
    """A segment that takes no room here: it is sent as it comes, and cannot be sent again.

    :param length: bytes it will have; None when not known
    """

    def __init__(self, account: Account, container: str, name: str, length: int | None):
        self.size = 0
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._put: StreamedPut | None = account.put_stream(container, name, length, {})
        self._ended = False

    def write(self, data: memoryview) -> None:
        assert self._put is not None
        self._md5.update(data)
        self._put.send(data)
        self.size += len(data)

    def end(self) -> None:
        assert self._put is not None
        self._put.end()
        self._ended = True

    def result(self) -> str:
        put, self._put = self._put, None
        if put is not None:
            check_etag(put.answer()['ETag'], self._md5.hexdigest())
        return self._md5.hexdigest()

    def close(self) -> None:
        put, self._put = self._put, None
        if put is not None and self._ended:
            with contextlib.suppress(exceptions.StoreError):
                put.answer()    # Swift stores it whether anybody waits for the answer or not
        elif put is not None:
            put.close()


class KeptSegment:
    """A segment that is kept, in memory or in a file without a name, until it has arrived; a thread sends it.

    :param folder: of the file; None keeps it in memory
    """

    def __init__(self, store: 'SwiftStore', account: Account, container: str, name: str, folder: str | None):
        self.size = 0
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._store, self._account, self._container, self._name = store, account, container, name
        self._body: Any = bytearray()
        self._file: IO[bytes] | None = None
        if folder is not None:
            self._body = self._file = disk_full_is_full(lambda: tempfile.TemporaryFile(dir=folder))
        self._sending: concurrent.futures.Future[None] | None = None

    def write(self, data: memoryview) -> None:
        self._md5.update(data)
        if self._file is None:
            self._body += data
        else:
            disk_full_is_full(lambda: self._body.write(data))
        self.size += len(data)

    def end(self) -> None:
        """Hand it to a thread; waits while too many are on their way."""
        self._store.segments_at_a_time.acquire()
        self._sending = self._store.executor.submit(self._send)
        self._sending.add_done_callback(lambda _sending: self._store.segments_at_a_time.release())

    def result(self) -> str:
        assert self._sending is not None
        self._sending.result()
        return self._md5.hexdigest()

    def close(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
            concurrent.futures.wait([self._sending])
        self._release()

    def _send(self) -> None:
        for attempt in range(_ATTEMPTS):
            try:
                self._put()
                break
            except exceptions.StoreUnavailable:
                if attempt == _ATTEMPTS - 1:
                    raise
                LOG.warning('%s: segment %s is sent again.', self._store.title, self._name)
        self._release()

    def _put(self) -> None:
        body = self._body
        if self._file is not None:
            body = _Sized(self._file, self.size)
        self._account.request('PUT', self._container, self._name, data=body, headers={'ETag': self._md5.hexdigest()},
                              denied=exceptions.StoreWriteDenied)

    def _release(self) -> None:
        file, self._file, self._body = self._file, None, bytearray()
        if file is not None:
            file.close()


class _Sized:
    """A file for ``requests``: read in large blocks, and from its beginning again when a token had to be renewed."""

    def __init__(self, file: IO[bytes], size: int):
        self._file, self._size = file, size

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        self._file.seek(0)
        return iter(lambda: self._file.read(_BLOCK), b'')


def check_etag(found: str | None, expected: str) -> None:
    """Raise StoreUnavailable when Swift has other bytes than were sent."""
    if found is None or found.strip('"') != expected:
        LOG.error('Swift stored other bytes than it was sent: their MD5 differs.')
        raise exceptions.StoreUnavailable()


def disk_full_is_full(function: Callable[[], Any]) -> Any:
    """Call a function that writes to the local disk. Raises StoreFull."""
    try:
        return function()
    except OSError as error:
        LOG.error('swift_upload_buffer_dir cannot take a segment: %s', error.strerror)
        raise exceptions.StoreFull() from error
