"""Images as RBD images of a Ceph cluster, in one pool, each with a protected snapshot that other services clone.

Atomic: an image gets its name when its snapshot is protected; of several writers of one image one wins and the others get
ObjectExists. Durable: as the pool replicates, when ``commit`` returns. Ranges: yes. Holes: with
``rbd_thin_provisioning``. Deletion: refused while there are clones that need the image, else an image with clones or
further snapshots goes to the trash of the pool, from where ``sweep`` purges it when they are gone. Memory: 18 MiB for each
upload and three blocks of ``rbd_store_chunk_size`` for each download.
"""
import contextlib
import os
import re
import urllib.parse
import uuid
from collections.abc import Iterator
from typing import Any

try:
    import rados  # noqa: F401
    import rbd
except ImportError as missing:
    raise ImportError('they need the bindings rados and rbd of Ceph, which distributions package as python3-rados and '
                      'python3-rbd (%s)' % missing) from missing

from glance import exceptions
from glance.store.base import Capability, Location, StoredObject
from glance.store.drivers import rbd_images
from glance.store.drivers.rbd_cluster import Cluster, Pool
from glance.store.drivers.rbd_images import SNAPSHOT, Trashed
from glance.store.drivers.rbd_objects import RbdReader, RbdWriter

MIB = 1024 * 1024
_UUID = r'[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}'
_NAME = re.compile(_UUID)
_PART = re.compile(r'(?P<image>%s)\.part\.(?P<attempt>%s)' % (_UUID, _UUID))
_LARGEST_BLOCK = 32 * MIB       # librbd takes no larger objects


class RbdStore:
    """A ``store.base.Store`` of one pool.

    :param options: the options of the store as attributes
    """

    schemes = ('rbd',)
    capabilities = Capability.READ_RANDOM | Capability.WRITE

    def __init__(self, name: str | None, options):
        self.name, self.thin = name, options.rbd_thin_provisioning
        self.block_size = 1 << (options.rbd_store_chunk_size * MIB).bit_length() - 1
        self._pool_name = options.rbd_store_pool
        self._cluster = Cluster(self.title, options)

    @classmethod
    def from_options(cls, options, name: str | None) -> 'RbdStore':
        """The store that a configuration section describes. Raises ConfigurationError."""
        if not options.rbd_store_pool:
            raise exceptions.ConfigurationError('[%s] rbd_store_pool is empty; name the pool of the images.'
                                                % options.section)
        if options.rbd_store_chunk_size * MIB > _LARGEST_BLOCK:
            raise exceptions.ConfigurationError('[%s] rbd_store_chunk_size = %d is more than Ceph takes; set it to %d or less.'
                                                % (options.section, options.rbd_store_chunk_size, _LARGEST_BLOCK // MIB))
        path = options.rbd_store_ceph_conf
        if path and not os.access(path, os.R_OK):
            raise exceptions.ConfigurationError('[%s] rbd_store_ceph_conf = %s is not a file that this user may read.'
                                                % (options.section, path))
        return cls(name, options)

    @property
    def details(self) -> dict[str, Any]:
        return {'chunk_size': self.block_size, 'pool': self._pool_name, 'thin_provisioning': self.thin,
                'fsid': self._cluster.known_fsid}

    @property
    def url_prefixes(self) -> tuple[str, ...]:
        """See ``Store.url_prefixes``; empty while nobody knows the fsid of the cluster, which nothing waits for at start."""
        fsid = self._cluster.fsid
        return () if fsid is None else ('rbd://%s/' % '/'.join(map(_quote, (fsid, self._pool_name))),)

    def writer(self, image_id: str, size: int | None = None, attempt: str | None = None) -> RbdWriter:
        """See ``Store.writer``. Raises Invalid for an id that is no UUID."""
        attempt = str(uuid.uuid4()) if attempt is None else attempt
        for name in (image_id, attempt):
            if not _NAME.fullmatch(name):
                raise exceptions.Invalid('%r is no UUID, and only these are names of images in an RBD store' % name)
        pool = self.pool()
        with self.write_errors():
            if rbd_images.exists(pool, image_id):
                raise exceptions.ObjectExists()
        return RbdWriter(self, pool, image_id, '%s.part.%s' % (image_id, attempt), size)

    def open(self, location: Location, offset: int = 0, length: int | None = None) -> RbdReader:
        with self.read_errors():
            pool, image, size = self._open(location)
        length = size - offset if length is None else length
        if min(offset, length) < 0 or offset + length > size:
            image.close()
            raise exceptions.Invalid('The image has %d bytes; %d bytes from %d are not in it' % (size, length, offset))
        return RbdReader(self, pool, image, offset, length)

    def size(self, location: Location) -> int:
        with self.read_errors():
            _, image, size = self._open(location)
            image.close()
            return size

    def delete(self, location: Location) -> None:
        pool, name, snapshot = self._parse(location)
        with self.read_errors():
            rbd_images.delete(self.pool(pool), name, snapshot or SNAPSHOT)

    def discard(self, image_id: str, attempt: str | None = None, committed: bool = False) -> int:
        freed = 0
        with self.read_errors():
            pool = self.pool()
            for name, found in self._parts(pool):
                if found['image'] == image_id and attempt in (None, found['attempt']):
                    freed += rbd_images.remove_dead(pool, name) or 0
        if committed:
            with contextlib.suppress(exceptions.ObjectNotFound):
                location = self.location(image_id)
                size = self.size(location)
                self.delete(location)
                freed += size
        return freed

    def sweep(self, older_than: float = 3600.0) -> list[str]:
        """See ``Store.sweep``; also purges the trash of images that this service deleted and nobody needs any more."""
        with self.read_errors():
            pool = self.pool()
            swept = [name for name, _ in self._parts(pool)
                     if rbd_images.remove_dead(pool, name, older_than) is not None]
        return swept + [trashed.name for trashed in self.purge_trash() if trashed.purged]

    def purge_trash(self, dry_run: bool = False) -> list[Trashed]:
        """Remove for good what was deleted into the trash and has no clones any more; return what was in the trash."""
        with self.read_errors():
            return list(rbd_images.purge_trash(self.pool(), dry_run))

    def walk(self) -> Iterator[StoredObject]:
        with self.read_errors():
            pool = self.pool()
            for name in rbd_images.names(pool):
                with contextlib.suppress(rbd.ImageNotFound):
                    if _NAME.fullmatch(name):
                        found = rbd_images.status(pool, name)
                        yield StoredObject(self.location(name), found.size, found.idle, name)

    def close(self) -> None:
        self._cluster.close()

    # What writers and readers need of their store.

    @property
    def title(self) -> str:
        return 'Store %s' % self.name if self.name else 'The RBD store'

    def pool(self, name: str | None = None) -> Pool:
        """Connect to a pool, by default the one for new images. Raises StoreUnavailable."""
        return self._cluster.pool(name or self._pool_name)

    def write_errors(self) -> contextlib.AbstractContextManager[None]:
        """Translates errors of the bindings into those that writers may raise."""
        return self._cluster.errors(exceptions.StoreWriteDenied)

    def read_errors(self) -> contextlib.AbstractContextManager[None]:
        """Translates errors of the bindings into those that others may raise."""
        return self._cluster.errors()

    def location(self, image_id: str) -> Location:
        """Where an image is. Raises StoreUnavailable when the cluster has never been reached."""
        fsid = self._cluster.fsid
        if fsid is None:
            raise exceptions.StoreUnavailable()
        url = 'rbd://%s' % '/'.join(map(_quote, (fsid, self._pool_name, image_id, SNAPSHOT)))
        return Location(url, {'store': self.name} if self.name else {})

    def _open(self, location: Location) -> tuple[Pool, rbd.Image, int]:
        """The image that a location means, open for reading, and its size. Raises errors of the bindings."""
        pool_name, name, snapshot = self._parse(location)
        pool = self.pool(pool_name)
        image = rbd.Image(pool.ioctx, name, snapshot=snapshot, read_only=True)
        try:
            return pool, image, image.size()
        except BaseException:
            image.close()
            raise

    def _parts(self, pool: Pool) -> list[tuple[str, re.Match]]:
        """Images that are not complete."""
        return [(name, match) for name in rbd_images.names(pool) if (match := _PART.fullmatch(name))]

    def _parse(self, location: Location) -> tuple[str, str, str | None]:
        """Pool, image and snapshot of a location; old ones only have the image.

        :raises BadLocation: for anything that cannot be one of this cluster
        """
        scheme, _, rest = location.url.partition('://')
        parts = [urllib.parse.unquote(part) for part in rest.split('/')]
        if scheme.lower() in self.schemes and all(_is_name(part) for part in parts):
            if len(parts) == 1:
                return self._pool_name, parts[0], None
            if len(parts) == 4 and self._cluster.fsid in (parts[0], None):
                return parts[1], parts[2], parts[3]
        raise exceptions.BadLocation('The location is not one of an image in this Ceph cluster')


def _quote(part: str) -> str:
    return urllib.parse.quote(part, safe='')


def _is_name(part: str) -> bool:
    return bool(part) and part.isprintable() and not set(part) & set('/@?#')
