"""Which locations may come into an image from outside, and what is found there before they do."""
import dataclasses
import time

from glance import exceptions
from glance.context import RequestContext
from glance.domain.image import Image, Location
from glance.domain.location import Validation
from glance.environment import Environment
from glance.store import location as urls
from glance.store.base import Location as StoreLocation
from glance.store.base import Store
from glance.transfer import pipeline
from glance.transfer.pipeline import Result
from glance.transfer.sources import ReaderSource

# What these URLs mean is decided by files of this host or of the service's configuration: nobody may name them.
_LOCAL = ('file', 'filesystem', 'swift+config')
# Stores in which services make snapshots with the tokens of users, who may then name the objects that were made for them.
_SNAPSHOTS = ('rbd', 'cinder')
_SERVICE_ROLE = 'service'
# Seconds that looking in vain at a web server which a user named takes at least.
LEAST_SECONDS = 1.0


def is_service(context: RequestContext) -> bool:
    """Tell whether a service of the cloud asks, be it with a token of its own beside that of a user."""
    return _SERVICE_ROLE in context.roles or _SERVICE_ROLE in context.service_roles


class Admission:
    """Judges the locations that one caller adds."""

    def __init__(self, context: RequestContext, env: Environment):
        self._env = env
        self._trusted = context.is_admin or is_service(context)

    def check(self, image: Image, location: Location) -> Store:
        """Return the store of the location when this caller may add it to the image; asks no store yet.

        Raises Invalid for what nobody may add, Forbidden for what only services may. The URL loses credentials that its
        store does not need.
        """
        parts = _parse(location.url)
        scheme = parts.scheme.lower()
        try:
            store = self._env.stores.for_location(location.url)
        except exceptions.BadLocation:
            raise _invalid(location) from None
        if scheme in _LOCAL:
            raise _invalid(location)
        if parts.driver == 'http':
            store.check(StoreLocation(location.url))
            return store
        if parts.userinfo is not None:
            if parts.driver != 's3':
                raise exceptions.Invalid('The URL of a location must not hold credentials.')
            location.url = str(dataclasses.replace(parts, userinfo=None))
        if self._trusted:
            if not location.url.startswith(store.url_prefixes):
                raise _invalid(location)
        elif not _is_own(image, parts, store, location):
            raise exceptions.Forbidden('Only services may add locations of scheme %s.' % scheme)
        return store

    def admit(self, image: Image, location: Location) -> None:
        """Complete a location that may be added: its store, and the size of an image that had no data.

        Raises what ``check`` and ``check_free`` do; Invalid when there is no data, or of another size than the image's;
        ImageSizeLimitExceeded.
        """
        store = self.check(image, location)
        self.check_free(image, location)
        self.name_store(location)
        size = self._size(store, location)
        if size <= 0:
            raise _invalid(location)
        if size > self._env.conf.image_size_cap:
            raise exceptions.ImageSizeLimitExceeded(self._env.conf.image_size_cap)
        if image.size is None:
            image.size = size
        elif image.size != size:
            raise exceptions.Invalid('The data at the location has %d bytes; the image has %d.' % (size, image.size))

    def name_store(self, location: Location) -> None:
        """Write the name of the store into the metadata, when it can be told by the URL. Raises Invalid for a wrong one."""
        stores = self._env.stores
        if not stores.multiple:
            return
        name = stores.name_for(location.url)
        if name is not None:
            location.metadata['store'] = name
        elif location.metadata.get('store') not in (None, *stores.names):
            raise exceptions.Invalid('There is no store %r.' % location.metadata['store'])

    def verify(self, image: Image, location: Location) -> None:
        """Read the data at a location that is added to an image with data, and compare it with what is known of that.

        Raises Invalid for other data, Forbidden when nothing is known and the caller is no service.
        """
        if image.os_hash_value is None or image.os_hash_algo is None:
            if not self._trusted:
                raise exceptions.Forbidden('The data of the image has no hash: only services may add locations to it.')
            return
        result = digests(self._env, image, location, image.os_hash_algo)
        if not matches(result, Validation(image.os_hash_algo, image.os_hash_value, image.checksum)):
            raise exceptions.Invalid('The data at the location is not that of the image.')

    def check_free(self, image: Image, location: Location) -> None:
        """Raise Conflict when another image has its data at the location, which the deletion of one of them would take."""
        if self._env.database.object_in_use(location.url, image.image_id):
            raise exceptions.Conflict('The data at this location belongs to another image.')

    def _size(self, store: Store, location: Location) -> int:
        begun = time.monotonic()
        try:
            return store.size(StoreLocation(location.url, location.metadata))
        except (exceptions.ObjectNotFound, exceptions.BadLocation, exceptions.StoreUnavailable) as error:
            ours = _parse(location.url).driver != 'http'
            if ours and isinstance(error, exceptions.StoreUnavailable):
                raise
            if not ours:
                # Nobody is to learn from the time that it takes which servers and ports of a network answer.
                time.sleep(max(0.0, begun + LEAST_SECONDS - time.monotonic()))
            raise _invalid(location) from None


def digests(env: Environment, image: Image, location: Location, algorithm: str, progress=None) -> Result:
    """Return the digests of the data at a location, which must have the image's size. Raises StoreError, SizeMismatch."""
    store = env.stores.for_location(location.url, location.metadata)
    with ReaderSource(store.open(StoreLocation(location.url, location.metadata))) as source:
        return pipeline.copy(source, None, algorithm=algorithm, size=image.size, progress=progress)


def matches(result: Result, expected: Validation) -> bool:
    """Tell whether data has the expected digests."""
    return result.hash_value == expected.os_hash_value and expected.checksum in (None, result.md5)


def _parse(url: str) -> urls.LocationUrl:
    try:
        return urls.parse(url)
    except exceptions.BadLocation:
        raise exceptions.Invalid('Invalid location.') from None


def _invalid(location: Location) -> exceptions.Invalid:
    return exceptions.Invalid('Invalid location: %s' % urls.redact(location.url))


def _is_own(image: Image, parts: urls.LocationUrl, store: Store, location: Location) -> bool:
    """Tell whether an object was made for this image, so that its owner may name it."""
    if parts.driver not in _SNAPSHOTS or (image.loaded or image).status != 'queued':
        return False
    if parts.driver == 'rbd':
        # rbd://cluster/pool/image/snapshot
        return parts.path.split('/')[2:3] == [image.image_id] and location.url.startswith(store.url_prefixes)
    made_for = getattr(getattr(store, 'inner', store), 'made_for', None)
    return made_for is not None and made_for(StoreLocation(location.url)) == image.image_id
