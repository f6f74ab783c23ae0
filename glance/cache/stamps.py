"""Which entries are verified: the digest that a file was found to have, bound to the file as it was at that moment.

A stamp holds as long as the file is the same one, of the same size, not written to since, and the machine was not started
again: what a power cut left on the disk is read and hashed before it is served.
"""
import contextlib
import dataclasses
import json
import os
import uuid

from glance.cache.content import Content
from glance.cache.layout import VERIFIED, Layout


@dataclasses.dataclass(frozen=True, slots=True)
class Stamp:
    """The digest of a file; the file is told by inode, size, time of the last write and start of the machine."""

    inode: int
    size: int
    mtime_ns: int
    boot: str
    algorithm: str
    digest: str

    def is_of(self, status: os.stat_result) -> bool:
        """Tell whether the file with this status is the one that was hashed."""
        return (self.inode, self.size, self.mtime_ns, self.boot) == (
            status.st_ino, status.st_size, status.st_mtime_ns, boot_id())

    def vouches_for(self, content: Content) -> bool:
        """Tell whether the digest is that of the content; for content without one, whatever was stored is right."""
        return self.size == content.size and (content.digest is None or (self.algorithm, self.digest) == (
            content.algorithm, content.digest))


class Stamps:
    """The stamps of one cache. What other processes stamp is seen; what was seen is remembered."""

    def __init__(self, layout: Layout):
        self._layout = layout
        self._known: dict[str, Stamp] = {}

    def verified(self, status: os.stat_result, content: Content) -> bool:
        """Tell whether the file of an entry was found to be this content."""
        known = self._known.get(content.image_id)
        if known is not None and known.is_of(status) and known.vouches_for(content):
            return True
        stamp = self.read(content.image_id)
        if stamp is None or not (stamp.is_of(status) and stamp.vouches_for(content)):
            return False
        self._known[content.image_id] = stamp
        return True

    def read(self, image_id: str) -> Stamp | None:
        """The stamp of an entry, whether it still holds or not; None when there is none or it cannot be read."""
        try:
            with open(self._layout.path(image_id, VERIFIED), encoding='ascii') as file:
                return Stamp(**json.load(file))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, image_id: str, status: os.stat_result, algorithm: str, digest: str) -> None:
        """Remember what the file with this status was found to be. Raises OSError."""
        stamp = Stamp(status.st_ino, status.st_size, status.st_mtime_ns, boot_id(), algorithm, digest)
        path = self._layout.path(image_id, VERIFIED)
        # Not the name of an image, so that nobody takes it for a stamp; what a crash leaves is small, and cleaned up.
        draft = '%s.%s' % (path, uuid.uuid4())
        with open(draft, 'x', encoding='ascii') as file:
            json.dump(dataclasses.asdict(stamp), file)
        os.rename(draft, path)
        self._known[image_id] = stamp

    def remove(self, image_id: str) -> None:
        """Forget the entry. A stamp that cannot be removed vouches for nothing but the file that it is of."""
        self._known.pop(image_id, None)
        with contextlib.suppress(OSError):
            self._layout.remove(image_id, VERIFIED)


def boot_id() -> str:
    """Names this run of the machine."""
    global _boot_id
    if not _boot_id:
        try:
            with open('/proc/sys/kernel/random/boot_id', encoding='ascii') as file:
                _boot_id = file.read().strip()
        except OSError:
            # Then only this process knows what it verified.
            _boot_id = str(uuid.uuid4())
    return _boot_id


_boot_id = ''
