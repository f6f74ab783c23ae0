"""Books in extended attributes and times of the entries themselves."""
import contextlib
import os

from glance import exceptions
from glance.cache.drivers.base import Entry
from glance.cache.layout import Layout

_HITS, _ERROR = 'user.hits', 'user.error'
_PROBE = 'checkme'


class XattrDriver:
    """A ``Driver`` without any file of its own: what is cached is what lies there.

    :raises ConfigurationError: when the file system has no extended attributes of users
    """

    name = 'xattr'

    def __init__(self, layout: Layout):
        self._layout = layout
        path = os.path.join(layout.directory, _PROBE)
        try:
            # By its descriptor, since another process that begins now uses the same name and removes it.
            with open(path, 'w') as file:
                os.setxattr(file.fileno(), _HITS, b'1')
        except OSError as error:
            raise exceptions.ConfigurationError(
                'image_cache_driver = xattr: the file system of %s keeps no extended attributes of users (%s); choose '
                'another driver.' % (layout.directory, error.strerror)) from error
        finally:
            with contextlib.suppress(OSError):
                os.unlink(path)

    def record(self, entry: Entry) -> None:
        self._set(entry.image_id, entry.hits, entry.last_accessed)

    def forget(self, image_ids: list[str]) -> None:
        """What was known of an entry went with its file."""

    def hit(self, image_id: str, now: float) -> None:
        self._set(image_id, self._hits(image_id) + 1, now)

    def entries(self) -> list[Entry]:
        return [Entry(image_id, status.st_size, self._hits(image_id), int(status.st_atime), int(status.st_mtime))
                for image_id, status in self._layout.scan()]

    def rejected(self, path: str, reason: str) -> None:
        with contextlib.suppress(OSError):
            os.setxattr(path, _ERROR, reason.encode()[:1000])

    def close(self) -> None:
        """Nothing is open."""

    def _hits(self, image_id: str) -> int:
        try:
            return int(os.getxattr(self._layout.path(image_id), _HITS))
        except (OSError, ValueError):
            return 0

    def _set(self, image_id: str, hits: int, accessed: float) -> None:
        path = self._layout.path(image_id)
        try:
            os.setxattr(path, _HITS, str(hits).encode())
            # By hand, because file systems are mounted with relatime or noatime; the time of the last write stays.
            os.utime(path, ns=(int(accessed * 1e9), os.stat(path).st_mtime_ns))
        except FileNotFoundError:
            pass
        except OSError as error:
            raise exceptions.CacheUnavailable('The use of a cached image cannot be written down: %s.'
                                              % error.strerror) from error
