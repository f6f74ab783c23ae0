"""Images as volumes of Cinder, one each, attached to this host while they are written or read.

Atomic: a volume counts as the image from the moment on that its metadata does not say ``glance_incomplete`` any more;
of several writers of one image one wins. Durable: as the backend of Cinder is, once it was told to flush. Integrity:
as the backend says. Ranges: yes. Holes: zeros are not stored in Ceph and on NFS, and are elsewhere. Memory: what the
caller gives; nothing is kept. Size: whole GiB, so that a small image takes a volume of 1 GiB, thin where the backend is.

Volumes belong to a user of the service where the options name one, else to whoever uploads; then only requests with a
token can reach them, and housekeeping without one (``sweep``, ``walk``) cannot.
"""
import re
import uuid
from collections.abc import Iterator
from typing import Any

from oslo_concurrency import lockutils

from glance import exceptions
from glance.conf import libraries
from glance.store import location as locations
from glance.store.base import Capability, Location, StoredObject
from glance.store.drivers import cinder_client, cinder_volumes
from glance.store.drivers.cinder_attachments import Attacher
from glance.store.drivers.cinder_objects import CinderReader, CinderWriter, SharedAttachments
from glance.store.drivers.cinder_volumes import GIB, IMAGE, INCOMPLETE, Volumes

_UUID = re.compile('[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}')
_PLACE = re.compile(r'(?:[^/]*[^/.][^/]*/)?(?P<volume>%s)' % _UUID.pattern)
# Attempts that are being written in this process, by whatever store of it.
_alive: set[str] = set()


class CinderStore:
    """A ``store.base.Store`` of volumes.

    :param options: the options of the store as attributes
    :param lock_path: the folder of the locks that processes of this host share
    """

    schemes = ('cinder',)
    capabilities = Capability.READ_RANDOM | Capability.WRITE

    def __init__(self, name: str | None, options, lock_path: str):
        self.name = name
        self.url_prefixes = ('cinder://%s/' % name if name else 'cinder://',)
        self.details = {'volume_type': options.cinder_volume_type, 'use_multipath': options.cinder_use_multipath}
        self.extends_attached = options.cinder_do_extend_attached
        self.attacher = Attacher(options, lock_path)
        self._options = options
        self._connections = cinder_client.Connections(options)
        self._shared = SharedAttachments()

    @classmethod
    def from_options(cls, options, name: str | None) -> 'CinderStore':
        """The store that a configuration section describes. Raises ConfigurationError."""
        cinder_client.check_catalog_info(options)
        cinder_client.is_service(options)
        libraries.register_group(options.conf, 'oslo_concurrency')
        lock_path = lockutils.get_lock_path(options.conf)
        if not lock_path:
            raise exceptions.ConfigurationError(
                '[oslo_concurrency] lock_path is not set; stores of type cinder, as [%s] is, need a directory for the '
                'locks by which processes of a host attach a volume one after the other.' % options.section)
        return cls(name, options, lock_path)

    def writer(self, image_id: str, size: int | None = None, attempt: str | None = None) -> CinderWriter:
        """See ``Store.writer``. Raises Invalid for an id that is no UUID."""
        attempt = str(uuid.uuid4()) if attempt is None else attempt
        for name in (image_id, attempt):
            if not _UUID.fullmatch(name):
                raise exceptions.Invalid('%r is no UUID, and only these are names of images in a Cinder store' % name)
        with cinder_client.errors(self.title, exceptions.StoreWriteDenied):
            volumes = self._volumes()
            volumes.check_absent(image_id)
            _alive.add(attempt)
            try:
                volume = volumes.create(image_id, attempt, size, self._connections.owner())
                try:
                    return CinderWriter(self, volumes, image_id, attempt, volume)
                except BaseException:
                    volumes.remove_quietly(volume.id)
                    raise
            except BaseException:
                self.forget(attempt)
                raise

    def open(self, location: Location, offset: int = 0, length: int | None = None) -> CinderReader:
        volume_id = self._parse(location)
        with cinder_client.errors(self.title):
            volumes = self._volumes()
            volume = volumes.get(volume_id)
            size = cinder_volumes.size_of(volume)
            length = size - offset if length is None else length
            if min(offset, length) < 0 or offset + length > size:
                raise exceptions.Invalid('The image has %d bytes; %d bytes from %d are not in it'
                                         % (size, length, offset))
            shared = None
            if length:
                shared = self._shared.borrow(volume_id, lambda: self.attacher.attach(volumes.client, volume, 'ro'),
                                             self._idle(volume))
        return CinderReader(self.title, offset, length, shared)

    def size(self, location: Location) -> int:
        volume_id = self._parse(location)
        with cinder_client.errors(self.title):
            return cinder_volumes.size_of(self._volumes().get(volume_id))

    def delete(self, location: Location) -> None:
        volume_id = self._parse(location)
        with cinder_client.errors(self.title):
            volumes = self._volumes()
            self._delete(volumes, volumes.get(volume_id))

    def discard(self, image_id: str, attempt: str | None = None, committed: bool = False) -> int:
        freed = 0
        with cinder_client.errors(self.title):
            volumes = self._volumes()
            for volume in volumes.of_image(image_id):
                writing = volume.metadata.get(INCOMPLETE)
                if writing is None and committed:
                    self._delete(volumes, volume)
                    freed += cinder_volumes.size_of(volume)
                elif writing is not None and attempt in (None, writing) and writing not in _alive:
                    volumes.remove(volume.id)
                    freed += volume.size * GIB
        return freed

    def sweep(self, older_than: float = 3600.0) -> list[str]:
        # When they were last seen alive is all that tells dead writers of other processes from living ones.
        swept: list[str] = []
        if not self._connections.service:
            return swept
        with cinder_client.errors(self.title):
            volumes = self._volumes()
            self.attacher.end_dead(volumes.client)
            for volume in volumes.all():
                writing = volume.metadata.get(INCOMPLETE)
                if writing is None or writing in _alive or cinder_volumes.age_of(volume) < older_than:
                    continue
                volumes.remove(volume.id)
                swept.append(volume.id)
        return swept

    def walk(self) -> Iterator[StoredObject]:
        if not self._connections.service:
            raise exceptions.WalkNotSupported()
        with cinder_client.errors(self.title):
            for volume in self._volumes().all():
                if INCOMPLETE not in volume.metadata:
                    yield StoredObject(self.location(volume.id), cinder_volumes.size_of(volume),
                                       cinder_volumes.age_of(volume), volume.metadata[IMAGE])

    def close(self) -> None:
        self._shared.close()
        self._connections.close()

    def made_for(self, location: Location) -> str | None:
        """The id of the image that a volume was made for, by this service or by Cinder; None where nobody said.

        :raises StoreUnavailable: when Cinder cannot be asked
        """
        try:
            with cinder_client.errors(self.title):
                return self._volumes().get(self._parse(location)).metadata.get(IMAGE)
        except (exceptions.ObjectNotFound, exceptions.BadLocation):
            return None

    # What writers need of their store.

    @property
    def title(self) -> str:
        return 'Store %s' % self.name if self.name else 'The Cinder store'

    def location(self, volume_id: str) -> Location:
        """Where the image in a volume is."""
        return Location(self.url_prefixes[0] + volume_id, {'store': self.name} if self.name else {})

    def forget(self, attempt: str) -> None:
        """Take notice that an attempt has ended."""
        _alive.discard(attempt)

    def _volumes(self) -> Volumes:
        return Volumes(self._connections.client(), self._options.cinder_volume_type,
                       self._options.cinder_state_transition_timeout)

    def _delete(self, volumes: Volumes, volume: Any) -> None:
        self._shared.drop(volume.id)
        if volume.attachments:
            self.attacher.end_dead(volumes.client, volume.id)
        volumes.delete(volume)

    def _idle(self, volume: Any) -> float:
        """Seconds for which the attachment of a volume is kept.

        Only where others can attach it all the same, and where it can be detached without a user's token.
        """
        return self._options.cinder_attachment_idle if volume.multiattach and self._connections.service else 0

    def _parse(self, location: Location) -> str:
        """The id of the volume of a location, which names a store before it or not.

        :raises BadLocation: for anything that cannot be one of a Cinder store
        """
        url = locations.parse(location.url)
        found = _PLACE.fullmatch(url.host + url.path)
        if url.scheme.lower() != 'cinder' or url.query is not None or url.userinfo is not None or found is None:
            raise exceptions.BadLocation('The location is not one of a Cinder store')
        return found['volume']
