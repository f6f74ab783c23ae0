"""One image in a volume being written, or being read; and attachments that several readers share."""
import contextlib
import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from glance import exceptions
from glance.store.base import Location, Reader, Writer
from glance.store.drivers import cinder_client
from glance.store.drivers.cinder_attachments import Attachment
from glance.store.drivers.cinder_volumes import GIB, Volumes, gib_for

if TYPE_CHECKING:
    from glance.store.drivers.cinder import CinderStore

LOG = logging.getLogger(__name__)

_LARGEST_STEP = 64
_HEARTBEAT = 300


class CinderWriter(Writer):
    """A ``store.base.Writer``: a volume that is attached while data comes, and grows with it."""

    def __init__(self, store: 'CinderStore', volumes: Volumes, image_id: str, attempt: str, volume: Any):
        self._store, self._volumes, self._image_id, self._attempt = store, volumes, image_id, attempt
        self._volume = volume
        self._attachment: Attachment | None = None
        self._gib = volume.size
        self._position = 0
        self._beat = time.monotonic()
        self._done = False
        self._attach()

    def write(self, data: memoryview) -> None:
        with self._errors():
            self._make_room(len(data))
            self._attachment.device.write(data, self._position)
        self._position += len(data)
        if time.monotonic() - self._beat > _HEARTBEAT:
            self._say_alive()

    def hole(self, length: int) -> None:
        with self._errors():
            self._make_room(length)
            if self.holes:
                self._position += length
                return
        super().hole(length)

    def commit(self) -> Location:
        with self._errors():
            if self._attachment is None:
                raise exceptions.StoreError()   # it was aborted, or could not grow
            self._attachment.device.flush()
            self._detach(quietly=False)
            self._volumes.publish(self._volume.id, self._image_id, self._position)
        self._done = True
        self._store.forget(self._attempt)
        return self._store.location(self._volume.id)

    def abort(self) -> None:
        if self._done:
            return
        self._done = True
        self._detach()
        self._volumes.remove_quietly(self._volume.id)
        self._store.forget(self._attempt)

    def _make_room(self, length: int) -> None:
        """Enlarge the volume when it cannot take so many more bytes: by itself, by 64 GiB at most."""
        needed = gib_for(self._position + length)
        if needed <= self._gib:
            return
        gib = max(needed, self._gib + min(self._gib, _LARGEST_STEP))
        if self._store.extends_attached:
            self._volumes.extend(self._volume.id, gib, attached=True)
            self._attachment.extend(gib * GIB)
        else:
            self._attachment.device.flush()
            self._detach(quietly=False)
            self._volumes.extend(self._volume.id, gib, attached=False)
            self._volume = self._volumes.client.volumes.get(self._volume.id)
            self._attach()
        self._gib = gib

    def _attach(self) -> None:
        self._attachment = self._store.attacher.attach(self._volumes.client, self._volume, 'rw')
        self.holes = self._attachment.device.zeroed

    def _detach(self, quietly: bool = True) -> None:
        attachment, self._attachment = self._attachment, None
        if attachment is not None:
            attachment.detach(quietly)

    def _say_alive(self) -> None:
        self._beat = time.monotonic()
        try:
            self._volumes.touch(self._volume.id)
        except Exception as error:
            LOG.warning('%s: volume %s cannot be marked as being written: %s', self._store.title, self._volume.id,
                        type(error).__name__)

    def _errors(self) -> contextlib.AbstractContextManager[None]:
        return cinder_client.errors(self._store.title, exceptions.StoreWriteDenied)


class CinderReader(Reader):
    """A ``store.base.Reader`` of a volume that is attached, maybe together with others in this process."""

    def __init__(self, title: str, offset: int, length: int, shared: 'Shared | None'):
        self.offset, self.length = offset, length
        self._title, self._shared = title, shared
        self._delivered = 0

    def readinto(self, buffer: memoryview) -> int:
        wanted = buffer[:self.length - self._delivered]
        if not wanted:
            return 0
        with cinder_client.errors(self._title):
            count = self._shared.attachment.device.read_into(wanted, self.offset + self._delivered)
        if not count:
            LOG.error('%s: a volume ended after %d bytes.', self._title, self.offset + self._delivered)
            raise exceptions.StoreError('The data of the image ends before its size.')
        self._delivered += count
        return count

    def close(self) -> None:
        shared, self._shared = self._shared, None
        if shared is not None:
            shared.give_back()


class Shared:
    """The one attachment through which a process reads a volume."""

    def __init__(self, pool: 'SharedAttachments', volume_id: str):
        self.attachment: Attachment | None = None
        self.users = 0
        self.idle = 0.0
        self.timer: threading.Timer | None = None
        self.changing = threading.Lock()
        """Held while the volume is attached or detached, which takes seconds."""
        self.volume_id, self._pool = volume_id, pool

    def give_back(self) -> None:
        """Say that one reader has finished."""
        self._pool.give_back(self)


class SharedAttachments:
    """The volumes that are attached for reading; each is kept for a while when nobody reads it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[str, Shared] = {}

    def borrow(self, volume_id: str, attach: Callable[[], Attachment], idle: float) -> Shared:
        """The attachment of a volume, made by ``attach`` unless there is one; it is kept for ``idle`` seconds."""
        with self._lock:
            entry = self._entries.setdefault(volume_id, Shared(self, volume_id))
            entry.users += 1
            entry.idle = idle
            if entry.timer is not None:
                entry.timer.cancel()
                entry.timer = None
        try:
            with entry.changing:
                if entry.attachment is None:
                    entry.attachment = attach()
        except BaseException:
            self.give_back(entry)
            raise
        return entry

    def give_back(self, entry: Shared) -> None:
        with self._lock:
            entry.users -= 1
            if entry.users:
                return
            if entry.attachment is not None and entry.idle:
                entry.timer = threading.Timer(entry.idle, self._detach_unused, (entry,))
                entry.timer.daemon = True
                entry.timer.start()
                return
        self._detach_unused(entry)

    def drop(self, volume_id: str) -> None:
        """Detach a volume unless somebody reads it."""
        with self._lock:
            entry = self._entries.get(volume_id)
        if entry is not None:
            self._detach_unused(entry)

    def close(self) -> None:
        """Detach whatever nobody reads."""
        with self._lock:
            volumes = list(self._entries)
        for volume_id in volumes:
            self.drop(volume_id)

    def _detach_unused(self, entry: Shared) -> None:
        with entry.changing:
            with self._lock:
                if entry.users:
                    return
                attachment, entry.attachment = entry.attachment, None
                if entry.timer is not None:
                    entry.timer.cancel()
                    entry.timer = None
            if attachment is not None:
                attachment.detach()
            with self._lock:
                if not entry.users and entry.attachment is None and self._entries.get(entry.volume_id) is entry:
                    del self._entries[entry.volume_id]
