"""Files of images while they are written and read: part files, their locks, their publication.

A file is written under the name ``.<image>.<attempt>.part`` in the directory where it is to be, and linked to its own
name when it is complete. Its writer holds a lock on it (flock), which ends with the writer's process; so who gets the
lock knows that the file was left by a dead writer.
"""
import contextlib
import errno
import fcntl
import logging
import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from glance import exceptions
from glance.store.base import Location
from glance.store.drivers import kernel
from glance.store.drivers.directories import Directory

if TYPE_CHECKING:
    from glance.store.drivers.filesystem import FileStore

LOG = logging.getLogger(__name__)

_FILE_MODE = 0o640
_WRITEBACK = 8 * 1024 * 1024
_ZEROS = bytes(1024 * 1024)

_WRITE_ERRORS = {
    errno.ENOSPC: exceptions.StoreFull, errno.EDQUOT: exceptions.StoreFull, errno.EFBIG: exceptions.StoreFull,
    errno.EACCES: exceptions.StoreWriteDenied, errno.EPERM: exceptions.StoreWriteDenied,
    errno.EROFS: exceptions.StoreWriteDenied,
    errno.EEXIST: exceptions.ObjectExists,
}


@contextlib.contextmanager
def write_errors(title: str) -> Iterator[None]:
    """Turn OSError into the error of a store, and log it, with the title of the store, for the operator."""
    try:
        yield
    except OSError as error:
        kind = _WRITE_ERRORS.get(error.errno, exceptions.StoreUnavailable)
        if kind is not exceptions.ObjectExists:
            LOG.error('%s: writing an image failed: %s', title, error)
        raise kind() from error


class FileWriter:
    """A ``store.base.Writer`` of a file. Zeros are not written: they have disk space set aside, or none when it is thin.

    :param store: for its settings, and the lock under which images are published
    :param size: bytes to set aside; 0 when not known
    :raises OSError: when the part file cannot be made, or ``size`` bytes cannot be set aside for it
    """

    holes = True

    def __init__(self, store: 'FileStore', directory: Directory, image_id: str, attempt: str, size: int):
        self._store, self._directory, self._name = store, directory, image_id
        self._part = '.%s.%s.part' % (image_id, attempt)
        self._position = self._written_back = self._reserved = 0
        self._ends_with_hole = self._published = False
        self._folder: int | None = os.open(directory.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._file = self._create()
        except BaseException:
            os.close(self._folder)
            raise
        try:
            if not store.thin and kernel.reserve(self._file, size):
                self._reserved = size
        except BaseException:
            self.abort()
            raise

    def write(self, data: memoryview) -> None:
        self._ends_with_hole = False
        with write_errors(self._store.title):
            while data:
                written = os.pwrite(self._file, data, self._position)
                self._position += written
                data = data[written:]
            if self._store.fsync and self._position - self._written_back >= _WRITEBACK:
                kernel.start_writeback(self._file, self._written_back, self._position - self._written_back)
                self._written_back = self._position

    def hole(self, length: int) -> None:
        if not self._has_space(length):
            self._write_zeros(length)
            return
        self._ends_with_hole = True
        self._position += length

    def _has_space(self, length: int) -> bool:
        """Whether the next bytes need not be written to be zeros; sets disk space aside for them if they are to have it."""
        end = self._position + length
        if self._store.thin or end <= self._reserved:
            return True
        with write_errors(self._store.title):
            return kernel.reserve(self._file, length, self._position)

    def _write_zeros(self, length: int) -> None:
        while length:
            zeros = memoryview(_ZEROS)[:length]
            self.write(zeros)
            length -= len(zeros)

    def commit(self) -> Location:
        with write_errors(self._store.title):
            # Also gives back what was set aside beyond the end.
            if self._position != self._reserved or self._ends_with_hole:
                os.ftruncate(self._file, self._position)
            self._set_mode()
            if self._store.fsync:
                os.fdatasync(self._file)
            with self._store.publishing(self._directory, self._name):
                self._link()
            if self._store.fsync:
                os.fsync(self._folder)
        self._close()
        return self._store.location(self._directory, self._name)

    def abort(self) -> None:
        if self._folder is None:
            return
        for name in (self._name, self._part) if self._published else (self._part,):
            try:
                os.unlink(name, dir_fd=self._folder)
            except FileNotFoundError:
                pass
            except OSError as error:
                LOG.error('%s in %s is left over: %s', name, self._directory.path, error.strerror)
        self._close()

    def _create(self) -> int:
        """Make the part file and lock it."""
        while True:
            fd = os.open(self._part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, _FILE_MODE,
                         dir_fd=self._folder)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX)
                locked_in_time = os.fstat(fd).st_nlink > 0
            except BaseException:
                os.unlink(self._part, dir_fd=self._folder)
                os.close(fd)
                raise
            if locked_in_time:
                return fd
            # A sweep took the file, which was not locked yet, for that of a dead writer.
            os.close(fd)

    def _set_mode(self) -> None:
        if self._store.file_mode is None:
            return
        try:
            os.fchmod(self._file, self._store.file_mode)
        except OSError as error:
            LOG.warning('The permissions of an image in %s could not be set: %s', self._directory.path, error.strerror)

    def _link(self) -> None:
        try:
            os.link(self._part, self._name, src_dir_fd=self._folder, dst_dir_fd=self._folder, follow_symlinks=False)
        except FileExistsError:
            # A network file system repeats a call whose answer was lost: then what exists is this very file.
            if not os.path.samestat(os.stat(self._name, dir_fd=self._folder, follow_symlinks=False),
                                    os.fstat(self._file)):
                raise
        self._published = True
        os.unlink(self._part, dir_fd=self._folder)

    def _close(self) -> None:
        folder, self._folder = self._folder, None
        os.close(folder)
        os.close(self._file)


class FileReader:
    """A ``store.base.Reader`` of an open file, which it closes."""

    def __init__(self, fd: int, offset: int, length: int):
        self.offset, self.length = offset, length
        self._fd: int | None = fd
        self._position = offset

    def readinto(self, buffer: memoryview) -> int:
        wanted = min(len(buffer), self.offset + self.length - self._position)
        if not wanted:
            return 0
        try:
            count = os.preadv(self._fd, [buffer[:wanted]], self._position)
        except OSError as error:
            LOG.error('Reading an image failed: %s', error.strerror)
            raise exceptions.StoreUnavailable() from error
        if not count:
            raise exceptions.StoreError('The data of the image in the store is shorter than it should be.')
        self._position += count
        return count

    def fileno(self) -> int | None:
        return self._fd

    def close(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)


def remove_dead(path: str, older_than: float = 0.0) -> int | None:
    """Remove a part file if its writer is dead; return the bytes that this freed, None if it stays."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        status = os.fstat(fd)
        if older_than and time.time() - status.st_mtime < older_than:
            return None
        os.unlink(path)
        # A writer that died while it published leaves a second name of the image's own file.
        return status.st_blocks * 512 if status.st_nlink == 1 else 0
    except OSError:
        return None
    finally:
        os.close(fd)
