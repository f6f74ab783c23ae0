"""The directory of the cache: which file is where, and what in it belongs to the cache.

    <image id>              a complete entry; readable by the group once it is verified, see ``filling``
    incomplete/<image id>   being written, or left by a writer that died
    invalid/<image id>      what was refused, kept for the cleaner
    queue/<image id>        empty; the image is to be fetched, the oldest first
    verified/<image id>     what the entry was found to be when it was last hashed, see ``stamps``
    locks/<name>            held by who prunes, cleans or fetches

Only names that are canonical UUIDs are looked at; whatever else lies there is not the cache's and stays.
"""
import contextlib
import fcntl
import os
import re
import stat
from collections.abc import Iterator

from glance import exceptions

INCOMPLETE, INVALID, QUEUE, VERIFIED, LOCKS = 'incomplete', 'invalid', 'queue', 'verified', 'locks'
_FOLDERS = (INCOMPLETE, INVALID, QUEUE, VERIFIED, LOCKS)
_IMAGE_ID = re.compile(r'[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}')
_MODE = 0o750


def is_image_id(text: str) -> bool:
    """Tell whether this can be the name of a file of the cache: a UUID in its canonical form."""
    return bool(_IMAGE_ID.fullmatch(text))


class Layout:
    """The files below one directory. What the operating system refuses is raised as OSError unless said otherwise."""

    def __init__(self, directory: str):
        self.directory = os.path.abspath(directory)

    def prepare(self) -> None:
        """Make the directories that are missing. Raises CacheUnavailable."""
        with unavailable('prepared'):
            os.makedirs(self.directory, _MODE, exist_ok=True)
            self.prepare_folders()

    def prepare_folders(self) -> None:
        """Make the directories below the one of the cache, whose own absence may mean that it is not mounted."""
        for folder in _FOLDERS:
            with contextlib.suppress(FileExistsError):
                os.mkdir(os.path.join(self.directory, folder), _MODE)

    def path(self, image_id: str, folder: str = '') -> str:
        """Where a file of an image is. Raises ValueError for what is no id of an image."""
        if not is_image_id(image_id):
            raise ValueError('%r is no canonical UUID' % image_id)
        return os.path.join(self.directory, folder, image_id)

    def status(self, image_id: str, folder: str = '') -> os.stat_result | None:
        """The status of a regular file of an image; None when there is none."""
        try:
            found = os.lstat(self.path(image_id, folder))
        except (FileNotFoundError, NotADirectoryError):
            return None
        return found if stat.S_ISREG(found.st_mode) else None

    def remove(self, image_id: str, *folders: str) -> bool:
        """Remove the files of an image from these folders; tell whether there was one."""
        removed = False
        for folder in folders:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError):
                os.unlink(self.path(image_id, folder))
                removed = True
        return removed

    def flush(self) -> None:
        """Wait until the disk has the names of the entries."""
        fd = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def scan(self, folder: str = '') -> list[tuple[str, os.stat_result]]:
        """Every regular file of an image in a folder, with its status. Raises CacheUnavailable."""
        found = []
        with unavailable('read'):
            try:
                entries = os.scandir(os.path.join(self.directory, folder))
            except FileNotFoundError:
                if folder:
                    return []
                raise
            with entries:
                for entry in entries:
                    if not is_image_id(entry.name):
                        continue
                    with contextlib.suppress(FileNotFoundError):
                        if entry.is_file(follow_symlinks=False):
                            found.append((entry.name, entry.stat(follow_symlinks=False)))
        return found

    @contextlib.contextmanager
    def lock(self, name: str, wait: bool = True) -> Iterator[bool]:
        """Hold a lock that processes on this directory share; yields whether it is held, which ``wait`` makes sure of.

        Raises CacheUnavailable.
        """
        with unavailable('locked'):
            self.prepare_folders()
            path = os.path.join(self.directory, LOCKS, name)
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o660)
        try:
            yield _try_lock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        finally:
            os.close(fd)


def _try_lock(fd: int, operation: int) -> bool:
    try:
        fcntl.flock(fd, operation)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def unavailable(what: str) -> Iterator[None]:
    """Turn OSError into CacheUnavailable; ``what`` could not be done with the directory."""
    try:
        yield
    except OSError as error:
        raise exceptions.CacheUnavailable('The image cache of this node cannot be %s: %s.' % (what, error.strerror)) from error
