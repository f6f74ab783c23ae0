"""An entry while it is written, and those who read it meanwhile.

The file ``incomplete/<image id>`` is locked (flock) by its one writer, of whatever process: who finds it locked reads along,
who gets the lock knows that the writer died. Everything that a reader has to know is told by the file that it has open: how
much was written by its size, that all of it was verified by its permissions (group may read), that the writer gave up by
the lock that nobody holds. So a file that is renamed, deleted or refused in the meantime confuses nobody.
"""
import contextlib
import errno
import fcntl
import logging
import os
import stat
import time
from collections.abc import Callable, Iterator

from glance import exceptions
from glance.cache.content import Content
from glance.cache.layout import INCOMPLETE, INVALID, QUEUE, Layout
from glance.store.base import Reader
from glance.store.drivers import kernel

LOG = logging.getLogger(__name__)

_UNVERIFIED_MODE, _VERIFIED_MODE = 0o600, 0o640
_WRITEBACK = 8 * 1024 * 1024
_TRIES = 10
# Bytes that readers do not get before all of the file was verified: so what is wrong breaks their transfer.
HELD_BACK = 1024 * 1024
# Seconds between looks for more data, growing between these bounds, and before the lock of a young writer is tried.
_FIRST_PAUSE, _LONGEST_PAUSE, _YOUNG = 0.001, 0.02, 0.25


class Draft:
    """The file of an entry in the hands of its writer; a sink of a transfer. What the disk refuses is raised as OSError."""

    def __init__(self, layout: Layout, content: Content, fd: int):
        self._layout, self._content, self._fd = layout, content, fd
        self._position = self._written_back = 0

    @classmethod
    def claim(cls, layout: Layout, content: Content) -> 'Draft | None':
        """Begin to write an entry, with disk space set aside for it; None when there is one, or somebody writes it."""
        path = layout.path(content.image_id, INCOMPLETE)
        for _ in range(_TRIES):
            try:
                fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, _UNVERIFIED_MODE)
            except FileNotFoundError:
                layout.prepare_folders()
                continue
            except FileExistsError:
                if not remove_dead(path):
                    return None
                continue
            fcntl.flock(fd, fcntl.LOCK_EX)
            draft = cls(layout, content, fd)
            if not os.fstat(fd).st_nlink:
                # It was not locked yet, and taken for that of a dead writer.
                draft.close()
                continue
            return draft._prepared()
        return None

    def _prepared(self) -> 'Draft | None':
        try:
            if self._layout.status(self._content.image_id) is None:
                kernel.reserve(self._fd, self._content.size)
                return self
        except BaseException:
            self.discard()
            raise
        self.discard()
        return None

    def reader(self, open_rest: Callable[[int], Reader]) -> 'GrowingReader':
        """A reader of what is being written. Raises OSError."""
        return GrowingReader(_open(self._layout.path(self._content.image_id, INCOMPLETE)), self._content, open_rest)

    def update(self, block: memoryview) -> None:
        while block:
            written = os.pwrite(self._fd, block, self._position)
            self._position += written
            block = block[written:]
        if self._position - self._written_back >= _WRITEBACK:
            kernel.start_writeback(self._fd, self._written_back, self._position - self._written_back)
            self._written_back = self._position

    def finish(self) -> None:
        """Part of the interface of a sink."""

    def status(self) -> os.stat_result:
        return os.fstat(self._fd)

    def release(self) -> None:
        """Let readers have the end of the verified file: they do not wait for the disk, and it may fail them."""
        os.fchmod(self._fd, _VERIFIED_MODE)

    def flush(self) -> None:
        """Wait until the disk has the file."""
        os.fdatasync(self._fd)

    def publish(self) -> bool:
        """Make the flushed file the entry, for good; False when the entry was deleted in the meantime, or exists.

        The file gets its own name by its descriptor, so that it cannot be another one that is published.
        """
        image_id = self._content.image_id
        try:
            # A descriptor of a folder, without need for an absolute path, makes Python follow the link (linkat(2)).
            os.link('/proc/self/fd/%d' % self._fd, self._layout.path(image_id), src_dir_fd=self._fd, follow_symlinks=True)
        except (FileNotFoundError, FileExistsError):
            return False
        self._unlink()
        try:
            self._layout.flush()
        except OSError:
            self._layout.remove(image_id, '')
            raise
        self._layout.remove(image_id, QUEUE)
        return True

    def reject(self) -> str:
        """Put the file where the cleaner finds it; return where that is."""
        path = self._layout.path(self._content.image_id, INVALID)
        try:
            os.rename(self._layout.path(self._content.image_id, INCOMPLETE), path)
        except OSError:
            self._unlink()
        self.close()
        return path

    def discard(self) -> None:
        """Leave nothing behind."""
        self._unlink()
        self.close()

    def close(self) -> None:
        """Give up the lock; safe to call twice."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def _unlink(self) -> None:
        path = self._layout.path(self._content.image_id, INCOMPLETE)
        with contextlib.suppress(OSError):
            if os.path.samestat(os.lstat(path), os.fstat(self._fd)):
                os.unlink(path)


class _FallingBack:
    """A reader that goes on with the store where the cache fails it. ``offset`` and ``length`` are those of a Reader.

    :param open_rest: opens the image's data in the store from a position
    """

    place = 'cache'

    def __init__(self, offset: int, length: int, open_rest: Callable[[int], Reader]):
        self.offset, self.length = offset, length
        self._position = offset
        self._open_rest, self._rest = open_rest, None

    def readinto(self, buffer: memoryview) -> int:
        buffer = buffer[:self.offset + self.length - self._position]
        if not len(buffer):
            return 0
        count = self._read_cache(buffer) if self._rest is None else 0
        if not count:
            self._rest = self._rest or self._open_rest(self._position)
            count = self._rest.readinto(buffer)
        self._position += count
        return count

    def give_up(self, sent: int) -> None:
        """The disk does not give back what follows the first ``sent`` bytes: the rest comes from the store."""
        self._position = self.offset + sent
        self._rest = self._open_rest(self._position)

    def _read_cache(self, buffer: memoryview) -> int:
        """Read from the cache; 0 sends the reader to the store for the rest."""
        raise NotImplementedError

    def close(self) -> None:
        if self._rest is not None:
            self._rest.close()


class GrowingReader(_FallingBack):
    """A ``store.base.Reader`` of the whole of an entry that another thread or process is writing.

    :param fd: closed with the reader
    """

    def __init__(self, fd: int, content: Content, open_rest: Callable[[int], Reader]):
        super().__init__(0, content.size, open_rest)
        self._image_id = content.image_id
        self._fd: int | None = fd
        self._began = time.monotonic()

    def fileno(self) -> int | None:
        return self._fd

    def ready(self, offset: int) -> int:
        """Wait until there are bytes at this offset of the file, and tell how many; 0 when the writer gave up before.

        Raises StoreError when all was written and is not what the image consists of.
        """
        return max(self._available(offset) - offset, 0)

    def close(self) -> None:
        super().close()
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)

    def is_orphan(self) -> bool:
        """Whether the file was verified by a writer that died before the disk had it: after a power cut it may be anything."""
        return bool(os.fstat(self._fd).st_mode & stat.S_IRGRP) and self._unlocked()

    def wait(self, check: Callable[[], None]) -> None:
        """Wait until the writer has published the entry or given up. ``check`` is called now and then, and may raise.

        Raises StoreError when all was written and is not what the image consists of.
        """
        pauses = _pauses()
        while not self._writer_ended():
            check()
            next(pauses)
        self._available(self.length)

    def _read_cache(self, buffer: memoryview) -> int:
        available = self._available(self._position)
        if available <= self._position:
            return 0
        try:
            return os.preadv(self._fd, [buffer[:available - self._position]], self._position)
        except OSError as error:
            LOG.warning('What was cached of image %s cannot be read: %s.', self._image_id, error.strerror)
            return 0

    def _available(self, position: int) -> int:
        """Wait until there is something behind a position, or nothing will come; return the number of bytes there are.

        Raises StoreError when all was written and is not what the image consists of.
        """
        pauses = _pauses()
        while True:
            status = os.fstat(self._fd)
            if status.st_mode & stat.S_IRGRP:
                return self.length
            available = min(status.st_size, self.length - HELD_BACK)
            if available > position:
                return available
            if self._writer_ended():
                break
            next(pauses)
        status = os.fstat(self._fd)
        if status.st_mode & stat.S_IRGRP:
            return self.length
        if status.st_size >= self.length:
            raise exceptions.StoreError('The data in the store is not that of the image.')
        return -1

    def _writer_ended(self) -> bool:
        return time.monotonic() - self._began >= _YOUNG and self._unlocked()

    def _unlocked(self) -> bool:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        fcntl.flock(self._fd, fcntl.LOCK_UN)
        return True


class EntryReader(_FallingBack):
    """A ``store.base.Reader`` of a span of a complete entry.

    :param file: a reader of the same span, closed with this one
    :param failed: called when the disk does not give the file back
    """

    def __init__(self, file: Reader, open_rest: Callable[[int], Reader], failed: Callable[[], None]):
        super().__init__(file.offset, file.length, open_rest)
        self._file, self._failed = file, failed

    def fileno(self) -> int | None:
        return self._file.fileno()

    def give_up(self, sent: int) -> None:
        self._failed()
        super().give_up(sent)

    def close(self) -> None:
        super().close()
        self._file.close()

    def _read_cache(self, buffer: memoryview) -> int:
        try:
            return self._file.readinto(buffer)
        except exceptions.StoreError:
            self._failed()
            return 0


def _pauses() -> Iterator[None]:
    """Sleep at each step, for longer and longer."""
    pause = _FIRST_PAUSE
    while True:
        time.sleep(pause)
        yield
        pause = min(pause * 2, _LONGEST_PAUSE)


def follow(layout: Layout, content: Content, open_rest: Callable[[int], Reader]) -> GrowingReader | None:
    """A reader of the entry that somebody writes; None when nobody does. Raises OSError."""
    try:
        reader = GrowingReader(_open(layout.path(content.image_id, INCOMPLETE)), content, open_rest)
    except FileNotFoundError:
        return None
    if reader.is_orphan():
        reader.close()
        return None
    return reader


def _open(path: str) -> int:
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)


def remove_dead(path: str) -> bool:
    """Remove an incomplete file if its writer is dead; tell whether it is gone. Raises OSError."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
            raise
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.lstat(path), os.fstat(fd)):
            os.unlink(path)
        return True
    except FileNotFoundError:
        return True
    except BlockingIOError:
        return False
    finally:
        os.close(fd)
