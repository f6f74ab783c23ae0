"""One RBD image being written, or being read."""
import collections
import contextlib
import logging
import threading
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import rbd

from glance import exceptions
from glance.store.base import Location, Reader, Writer
from glance.store.drivers import rbd_images
from glance.store.drivers.rbd_cluster import Pool

if TYPE_CHECKING:
    from glance.store.drivers.rbd import RbdStore

LOG = logging.getLogger(__name__)

_PIECE = 2 * 1024 ** 2
"""Bytes of a write. With larger ones cluster and hashes wait for each other, at the end of an image above all."""
_WRITES = 8
"""Writes on their way to the cluster at a time."""
_AHEAD = 2
"""Blocks that are asked for before they are needed."""
_LARGEST_GROWTH = 8 * 1024 ** 3


class RbdWriter(Writer):
    """A ``store.base.Writer`` of pieces that do not cross objects of the cluster, several of them on their way at a time."""

    def __init__(self, store: 'RbdStore', pool: Pool, image_id: str, name: str, size: int | None):
        self._store, self._pool, self._image_id, self._name = store, pool, image_id, name
        self.holes = store.thin
        self._piece = min(_PIECE, store.block_size)
        self._position = 0          # where the next byte of the stream belongs
        self._buffer = bytearray(self._piece)
        self._pending = 0           # bytes at the beginning of the buffer, which end at the position
        self._writes: collections.deque[tuple[Any, bytearray]] = collections.deque()
        self._idle: list[bytearray] = []    # buffers to be used again: new memory costs as much as the copy
        self._growth = store.block_size
        self._capacity = size or 0
        self._created = self._committed = self._lost = False
        self._image: rbd.Image | None = None
        try:
            with self._errors():
                rbd_images.create(pool, name, self._capacity, store.block_size)
                self._created = True
                self._image = rbd.Image(pool.ioctx, name)
                _close_in_the_end(self, self._image, pool)
        except BaseException:
            self.abort()
            raise

    def write(self, data: memoryview) -> None:
        with self._errors():
            while data:
                part = data[:self._piece - self._position % self._piece]
                memoryview(self._buffer)[self._pending:self._pending + len(part)] = part
                self._pending += len(part)
                self._position += len(part)
                if self._position % self._piece == 0:
                    self._send()
                data = data[len(part):]

    def hole(self, length: int) -> None:
        if not self.holes:
            super().hole(length)
            return
        with self._errors():
            self._send()
            self._position += length

    def commit(self) -> Location:
        with self._errors():
            self._send()
            self._wait(0)
            if self._capacity != self._position:
                self._image.resize(self._position)
            rbd_images.publish(self._pool, self._image, self._name, self._image_id)
        self._committed, self._image = True, None
        return self._store.location(self._image_id)

    def abort(self) -> None:
        image, self._image = self._image, None
        if self._committed or not self._created:
            return
        self._created = False
        if self._lost:
            # Closing takes as long as a few operations that time out, and removing would take longer still.
            LOG.warning('%s: %s is left behind, to be discarded or swept later.', self._store.title, self._name)
            threading.Thread(target=self._abandon, args=(image,), name='rbd-close').start()
            return
        try:
            with self._errors():
                self._abandon(image)
                rbd_images.remove_part(self._store.pool(), self._name)
        except exceptions.ObjectNotFound:
            pass        # removed by somebody else, who took this writer for dead
        except exceptions.StoreError as error:
            LOG.error('%s: %s is left behind, to be swept later: %s', self._store.title, self._name, error)

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Translates errors, and remembers that the cluster does not answer."""
        try:
            with self._store.write_errors():
                yield
        except exceptions.StoreUnavailable:
            self._lost = True
            raise

    def _send(self) -> None:
        """Begin to write what is pending; waits while too much is on its way."""
        if not self._pending:
            return
        self._wait(_WRITES - 1)
        if self._position > self._capacity:
            self._grow()
        data, self._buffer = self._buffer, self._idle.pop() if self._idle else bytearray(self._piece)
        del data[self._pending:]
        offset, self._pending = self._position - self._pending, 0
        # The library reads the data from where it is, until the write has ended.
        self._writes.append((self._image.aio_write(data, offset, _nothing), data))

    def _wait(self, most: int) -> None:
        """Wait until no more than so many writes are on their way. Raises their errors."""
        while len(self._writes) > most:
            write, data = self._writes.popleft()
            _result(write, 'writing')
            if len(data) == self._piece:
                self._idle.append(data)

    def _grow(self) -> None:
        """Make the image larger: by more each time, for each takes a while."""
        self._growth = min(self._growth * 2, _LARGEST_GROWTH)
        self._capacity = max(self._position, self._capacity + self._growth)
        self._image.resize(self._capacity)

    def _abandon(self, image: rbd.Image | None) -> None:
        for write, _ in self._writes:
            write.wait_for_complete_and_cb()
        self._writes.clear()
        if image is not None:
            _close(image, self._pool)


class RbdReader(Reader):
    """A ``store.base.Reader`` that asks for the next blocks while one is taken."""

    def __init__(self, store: 'RbdStore', pool: Pool, image: rbd.Image, offset: int, length: int):
        self.offset, self.length = offset, length
        self._store = store
        self._image: rbd.Image | None = image
        self._next, self._end = offset, offset + length     # what is still to be asked for
        self._reads: collections.deque[_Read] = collections.deque()
        self._data = memoryview(b'')
        _close_in_the_end(self, image, pool)

    def readinto(self, buffer: memoryview) -> int:
        if not self._data:
            with self._store.read_errors():
                self._ask()
                if not self._reads:
                    return 0
                self._data = memoryview(self._reads.popleft().result())
                self._ask()
        taken = self._data[:len(buffer)]
        buffer[:len(taken)] = taken
        self._data = self._data[len(taken):]
        return len(taken)

    def close(self) -> None:
        image, self._image = self._image, None
        self._data = memoryview(b'')
        if image is None:
            return
        try:
            with self._store.read_errors():
                for read in self._reads:
                    read.wait()
                self._reads.clear()
                image.close()
        except exceptions.StoreError as error:
            LOG.warning('%s: an image could not be closed: %s', self._store.title, error)

    def _ask(self) -> None:
        while self._image is not None and self._next < self._end and len(self._reads) < _AHEAD:
            block = self._store.block_size
            length = min(block - self._next % block, self._end - self._next)
            self._reads.append(_Read(self._image, self._next, length))
            self._next += length


class _Read:
    """A block that was asked for."""

    def __init__(self, image: rbd.Image, offset: int, length: int):
        self._length = length
        self._arrived: list[bytes | None] = []
        arrived = self._arrived     # and not this object, lest it lives on in a circle with what holds the image
        self._completion = image.aio_read(offset, length, lambda _completion, data: arrived.append(data))

    def wait(self) -> None:
        """Wait for the end, whatever that is."""
        self._completion.wait_for_complete_and_cb()

    def result(self) -> bytes:
        """The block. Raises what reading it ended with, StoreError when it is too short."""
        _result(self._completion, 'reading')
        data = self._arrived[0] or b''
        if len(data) != self._length:
            raise exceptions.StoreError('The data of the image ends too early in its store.')
        return data


def _close_in_the_end(user: RbdReader | RbdWriter, image: rbd.Image, pool: Pool) -> None:
    """Have an image closed when its user is gone, or the process ends, and before its connection is."""
    weakref.finalize(user, _close, image, pool)


def _close(image: rbd.Image, _pool: Pool) -> None:
    with contextlib.suppress(rbd.Error):
        image.close()


def _nothing(_completion: Any) -> None:
    """For the bindings, which want to call something at the end of a write."""


def _result(completion: Any, what: str) -> None:
    """Wait for an operation. Raises the error that it ended with."""
    completion.wait_for_complete_and_cb()
    value = completion.get_return_value()
    if value < 0:
        raise rbd.OSError('%s an image failed' % what, errno=-value)
