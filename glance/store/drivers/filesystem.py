"""Images as files, one each, in one or several local directories.

Atomic: a file with the name of an image is whole; of several writers of one image one wins and the others get
ObjectExists, also when they chose different directories. Durable: file and directory entry are on the disk when
``commit`` returns (``filesystem_store_fsync``); a removal is not waited for, and what comes back after a power cut is
an orphan. Ranges: yes, and the kernel can send them (``fileno``). Holes: with ``filesystem_thin_provisioning``.
"""
import contextlib
import errno
import fcntl
import logging
import os
import re
import stat
import time
import uuid
from collections.abc import Iterator, Sequence
from typing import NoReturn

from glance import exceptions
from glance.store.base import Capability, Location, StoredObject
from glance.store.drivers import directories
from glance.store.drivers.deadline import Deadline
from glance.store.drivers.directories import Directory
from glance.store.drivers.files import FileReader, FileWriter, remove_dead, write_errors

LOG = logging.getLogger(__name__)

_UUID = r'[0-9a-fA-F]{8}(?:-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}'
_NAME = re.compile(_UUID)
_PART = re.compile(r'\.(?P<image>%s)\.(?P<attempt>%s)\.part' % (_UUID, _UUID))

_READ_ERRORS = {
    errno.EACCES: exceptions.StoreForbidden, errno.EPERM: exceptions.StoreForbidden,
    errno.ELOOP: exceptions.BadLocation,
}


class FileStore:
    """A ``store.base.Store`` of files.

    :param chunk_size: in bytes, only told; reading and writing go by larger blocks
    :param directories: where images are; at least one, the highest priority first
    :param file_mode: permissions of the files of images; None for 640 less the umask
    :param directory_mode: permissions of directories that have to be created
    """

    schemes = ('file', 'filesystem')
    capabilities = Capability.READ_RANDOM | Capability.WRITE

    def __init__(self, name: str | None, directories: Sequence[Directory], *, thin: bool = False, fsync: bool = True,
                 chunk_size: int = 65536, file_mode: int | None = None, directory_mode: int = 0o750,
                 deadline: Deadline | None = None):
        self.name = name
        paths = [directory.path for directory in directories]
        self.details = {'data_dir': paths if len(paths) > 1 else paths[0], 'chunk_size': chunk_size,
                        'thin_provisioning': thin}
        self.url_prefixes = tuple('%s://%s/' % (scheme, directory.path.rstrip('/'))
                                  for directory in directories for scheme in self.schemes)
        self.thin, self.fsync, self.file_mode = thin, fsync, file_mode
        self._directories = list(directories)
        self._directory_mode = directory_mode
        self._deadline = deadline or Deadline()
        for directory in self._directories:
            try:
                self._prepare(directory)
            except OSError as error:
                LOG.warning('The directory %s of %s cannot be written to: %s. Uploads fail until this is corrected.',
                            directory.path, self.title, error.strerror)

    @classmethod
    def from_options(cls, options, name: str | None) -> 'FileStore':
        """The store that a configuration section describes. Raises ConfigurationError."""
        return cls(name, directories.configured(options), thin=options.filesystem_thin_provisioning,
                   fsync=options.filesystem_store_fsync, chunk_size=options.filesystem_store_chunk_size,
                   file_mode=_file_mode(options),
                   deadline=Deadline(options.filesystem_store_timeout, options.filesystem_store_thread_pool_size,
                                     options.filesystem_store_threadpool_threshold))

    @classmethod
    def in_directory(cls, path: str, name: str | None = None) -> 'FileStore':
        """A store in a directory that is for the service alone."""
        return cls(name, [Directory(os.path.abspath(path))], directory_mode=0o700)

    def writer(self, image_id: str, size: int | None = None, attempt: str | None = None) -> FileWriter:
        """See ``Store.writer``. Raises Invalid for an id that is no UUID."""
        attempt = str(uuid.uuid4()) if attempt is None else attempt
        for name in (image_id, attempt):
            if not _NAME.fullmatch(name):
                raise exceptions.Invalid('%r is no UUID, and only these are names of images in a file store' % name)
        with write_errors(self.title):
            for directory in self._directories:
                if not directory.marked:
                    self._prepare(directory, for_writing=True)
                self._check_mounted(directory)
                self.check_absent(directory, image_id)
            return FileWriter(self, self._choose(size or 0), image_id, attempt, size or 0)

    def open(self, location: Location, offset: int = 0, length: int | None = None) -> FileReader:
        directory, path = self._find(location)
        with self._read_errors(directory):
            # Not blocking, so that a FIFO of this name does not hang the caller.
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            size = _regular_size(os.fstat(fd))
            length = size - offset if length is None else length
            if min(offset, length) < 0 or offset + length > size:
                raise exceptions.Invalid('The image has %d bytes; %d bytes from %d are not in it'
                                         % (size, length, offset))
            os.posix_fadvise(fd, offset, length, os.POSIX_FADV_SEQUENTIAL)
            return FileReader(fd, offset, length)
        except BaseException:
            os.close(fd)
            raise

    def size(self, location: Location) -> int:
        directory, path = self._find(location)
        with self._read_errors(directory):
            return _regular_size(self._deadline.call(os.lstat, path))

    def delete(self, location: Location) -> None:
        directory, path = self._find(location)
        try:
            self._deadline.call(os.unlink, path)
        except FileNotFoundError:
            self._check_not_bare(directory)
            raise exceptions.ObjectNotFound() from None
        except OSError as error:
            LOG.error('%s: removing an image failed: %s', self.title, error)
            raise exceptions.StoreForbidden() from error

    def discard(self, image_id: str, attempt: str | None = None, committed: bool = False) -> int:
        freed = [remove_dead(path) for path, image, of in self._parts()
                 if image == image_id and attempt in (None, of)]
        return sum(size for size in freed if size is not None) + (self._remove_object(image_id) if committed else 0)

    def _remove_object(self, image_id: str) -> int:
        freed = 0
        for directory in self._directories:
            location = self.location(directory, image_id)
            with contextlib.suppress(exceptions.ObjectNotFound):
                size = self.size(location)
                self.delete(location)
                freed += size
        return freed

    def sweep(self, older_than: float = 3600.0) -> list[str]:
        # Locks tell of writers on other hosts only if a shared file system passes them on; hence the age.
        return [os.path.basename(path) for path, _, _ in self._parts() if remove_dead(path, older_than) is not None]

    def walk(self) -> Iterator[StoredObject]:
        for directory in self._directories:
            for entry in self._entries(directory):
                with contextlib.suppress(FileNotFoundError):
                    if _NAME.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                        status = entry.stat(follow_symlinks=False)
                        yield StoredObject(self.location(directory, entry.name), status.st_size,
                                           time.time() - status.st_mtime, entry.name)

    def close(self) -> None:
        self._deadline.close()

    def location(self, directory: Directory, image_id: str) -> Location:
        """Where an image in this directory is."""
        return Location('file://' + os.path.join(directory.path, image_id), directory.location_metadata(self.name))

    def check_absent(self, directory: Directory, image_id: str) -> None:
        """Raise ObjectExists when the directory has a file of the image."""
        try:
            self._deadline.call(os.lstat, os.path.join(directory.path, image_id))
        except FileNotFoundError:
            return
        raise exceptions.ObjectExists()

    @contextlib.contextmanager
    def publishing(self, directory: Directory, image_id: str) -> Iterator[None]:
        """Within this, a name that is free in the directory is free in the other ones too.

        One directory needs no more than the exclusive link; with several, who links holds a lock on the first of them.
        """
        if len(self._directories) == 1:
            yield
            return
        fd = os.open(self._directories[0].marker, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            for other in self._directories:
                if other is not directory:
                    self.check_absent(other, image_id)
            yield
        finally:
            os.close(fd)

    @property
    def title(self) -> str:
        return 'Store %s' % self.name if self.name else 'The file store'

    def _prepare(self, directory: Directory, for_writing: bool = False) -> None:
        mode = self.file_mode or 0
        directory.prepare(self._directory_mode, (0o010 if mode & 0o070 else 0) | (0o001 if mode & 0o007 else 0), for_writing)

    def _check_mounted(self, directory: Directory) -> None:
        if self._deadline.call(directory.is_missing):
            self._report_bare(directory)

    def _check_not_bare(self, directory: Directory) -> None:
        """Raise StoreUnavailable where what is not there may only be out of sight."""
        if self._deadline.call(directory.is_bare):
            self._report_bare(directory)

    def _report_bare(self, directory: Directory) -> NoReturn:
        LOG.error('%s: there is no file %s in %s; is its file system mounted?', self.title, directories.MARKER,
                  directory.path)
        raise exceptions.StoreUnavailable()

    def _choose(self, size: int) -> Directory:
        """The directory for a new image: the highest priority with room for it, and of these the most room."""
        needed = 1 if self.thin else max(size, 1)
        candidates = []
        for directory in self._directories:
            status = self._deadline.call(os.statvfs, directory.path)
            free = status.f_bavail * status.f_frsize
            if free >= needed:
                candidates.append((directory.priority, free, directory))
        if not candidates:
            LOG.error('%s: no directory has %d bytes free.', self.title, needed)
            raise exceptions.StoreFull()
        return max(candidates, key=lambda candidate: candidate[:2])[2]

    def _find(self, location: Location) -> tuple[Directory, str]:
        """The directory and the path that a location means.

        :raises BadLocation: for anything but an image of this store
        """
        scheme, _, path = location.url.partition('://')
        folder, name = os.path.split(path.strip())
        if scheme.lower() in self.schemes and os.path.isabs(folder) and '\0' not in folder and _NAME.fullmatch(name):
            for directory in self._directories:
                if folder == directory.path or os.path.realpath(folder) == os.path.realpath(directory.path):
                    return directory, os.path.join(directory.path, name)
        raise exceptions.BadLocation('The location is not one of an image in this store')

    @contextlib.contextmanager
    def _read_errors(self, directory: Directory) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, NotADirectoryError):
            self._check_not_bare(directory)
            raise exceptions.ObjectNotFound() from None
        except OSError as error:
            LOG.error('%s: reading failed: %s', self.title, error)
            raise _READ_ERRORS.get(error.errno, exceptions.StoreUnavailable)() from error

    def _parts(self) -> Iterator[tuple[str, str, str]]:
        """(path, image, attempt) of every part file."""
        for directory in self._directories:
            for entry in self._scan(directory):
                if match := _PART.fullmatch(entry.name):
                    yield entry.path, match['image'], match['attempt']

    def _scan(self, directory: Directory) -> list[os.DirEntry]:
        return list(self._entries(directory))

    def _entries(self, directory: Directory) -> Iterator[os.DirEntry]:
        self._check_mounted(directory)
        try:
            with os.scandir(directory.path) as entries:
                yield from entries
        except FileNotFoundError:
            return
        except OSError as error:
            LOG.error('%s: listing failed: %s', self.title, error)
            raise exceptions.StoreUnavailable() from error


def _regular_size(status: os.stat_result) -> int:
    if not stat.S_ISREG(status.st_mode):
        raise exceptions.BadLocation('The location is not one of an image in this store')
    return status.st_size


def _file_mode(options) -> int | None:
    digits = options.filesystem_store_file_perm
    if digits <= 0:
        return None
    try:
        mode = int(str(digits), 8)
    except ValueError:
        mode = 0
    if not mode & stat.S_IRUSR:
        raise exceptions.ConfigurationError('[%s] filesystem_store_file_perm = %s must be octal digits that let the '
                                            'owner read, for example 640.' % (options.section, digits))
    return mode
