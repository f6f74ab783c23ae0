"""The scrubber: removes the data of images that were deleted.

It finds what is ``pending_delete`` in the records, image by image, claims it by a lease so that scrubbers on other nodes
leave it alone, removes the data from its store, deletes the key of an encrypted image, and only then records that all of
it is gone. Killed at any point it leaves a record that says what is still to be done; a removal that is repeated finds
nothing and goes on.
"""
import collections
import contextlib
import dataclasses
import datetime
import functools
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from oslo_config import cfg

from glance import exceptions
from glance.db.interface import Database, Lease, LocationRecord, PendingImage
from glance.domain.image import Image
from glance.keys.disposal import dispose_for_owner
from glance.keys.manager import KeyManager
from glance.keys.service import ServiceCredentials
from glance.notify import payloads
from glance.notify.notifier import Notifier
from glance.store.backends import Backends
from glance.store.base import Location, Store
from glance.store.location import redact
from glance.tasks import leases

LOG = logging.getLogger(__name__)

# Images that are claimed at a time.
BATCH = 100
# Failures of a store, one after the other, after which a run leaves it alone.
PATIENCE = 5


@dataclasses.dataclass(frozen=True)
class Result:
    """What a run did: images that are scrubbed, locations whose data is gone, images of which something is left."""

    images: int = 0
    locations: int = 0
    failed: int = 0

    def __add__(self, other: 'Result') -> 'Result':
        return Result(self.images + other.images, self.locations + other.locations, self.failed + other.failed)


class Scrubber:
    """Removes what waits, in ``pool_size`` threads, until it is done or ``stop`` is set."""

    def __init__(self, conf: cfg.ConfigOpts, database: Database, stores: Backends, stop: threading.Event):
        self._database, self._stores, self._stop = database, stores, stop
        self._delay = datetime.timedelta(seconds=conf.scrub_time)
        self._pool_size = conf.scrub_pool_size
        self._leases = leases.LeaseKeeper(database)
        self._notifier = Notifier(conf)
        self._keys, self._credentials = KeyManager(conf), ServiceCredentials(conf)
        self._failures: collections.Counter[int] = collections.Counter()

    def close(self) -> None:
        """Send what is to be told, and end the heartbeat."""
        self._notifier.close()
        self._leases.close()

    def waiting(self) -> Iterator[PendingImage]:
        """Yield what a run would remove now."""
        for page in self._pages(leases.utcnow() - self._delay):
            yield from page

    def run(self) -> Result:
        """Remove what has waited long enough. Raises DatabaseUnavailable when the records cannot be read."""
        self._failures.clear()
        result, removed_before = Result(), leases.utcnow() - self._delay
        dead = [lease.attempt for lease in leases.of_dead_workers(self._database)]
        with ThreadPoolExecutor(self._pool_size, 'scrub') as pool:
            for page in self._pages(removed_before):
                if self._stop.is_set():
                    break
                with self._leases.hold('') as lease:
                    claimed = self._database.pending_claim([image.image_id for image in page], lease, leases.utcnow(),
                                                           removed_before, dead)
                    try:
                        for done in pool.map(functools.partial(self._scrub, lease), claimed):
                            result += done
                    finally:
                        self._give_back(lease)
        return result

    def _pages(self, removed_before: datetime.datetime) -> Iterator[list[PendingImage]]:
        after = None
        while page := self._database.pending_list(removed_before, after, BATCH):
            yield page
            after = page[-1].image_id

    def _give_back(self, lease: Lease) -> None:
        """Leave what was claimed and not scrubbed to others; otherwise they wait until the claim lapses."""
        with contextlib.suppress(exceptions.DatabaseUnavailable):
            self._database.lease_release([lease.attempt])

    def _scrub(self, lease: Lease, image: PendingImage) -> Result:
        """Scrub one image, as far as that is possible."""
        if self._stop.is_set():
            return Result()
        gone = [location['id'] for location in image.locations if self._remove(image, location, lease)]
        left = len(image.locations) - len(gone)
        try:
            if not left and image.status == 'pending_delete':
                self._dispose_key(image)
            if self._database.image_scrubbed(image.image_id, gone, lease.attempt):
                LOG.info('Image %s is scrubbed.', image.image_id)
        except exceptions.GlanceError as error:
            LOG.error('That the data of image %s is gone could not be recorded: %s', image.image_id, error)
            return Result(failed=1)
        self._notifier.info('image.scrub', payloads.of_scrubbed_image(image.image_id, image.owner, len(gone), left),
                            image.image_id)
        if left:
            return Result(locations=len(gone), failed=not self._stop.is_set())
        return Result(images=1, locations=len(gone))

    def _remove(self, image: PendingImage, location: LocationRecord, lease: Lease) -> bool:
        """Remove the data at a location; return whether there is none any more."""
        if self._stop.is_set():
            return False
        if not self._leases.is_sure(lease):
            # Somebody may take the image over, and restore it: its data is not ours to remove any more.
            LOG.error('Image %s is left for the next run: its claim could not be prolonged.', image.image_id)
            return False
        url = location.get('url')
        if url is None:
            LOG.error('A location of image %s cannot be decrypted; check [DEFAULT] metadata_encryption_key.', image.image_id)
            return False
        try:
            return self._delete(image.image_id, Location(url, location['metadata']))
        except exceptions.GlanceError as error:
            LOG.error('The data of image %s stays at %s: %s', image.image_id, redact(url), error)
        except Exception:
            LOG.exception('The data of image %s stays at %s', image.image_id, redact(url))
        return False

    def _delete(self, image_id: str, location: Location) -> bool:
        store = self._stores.for_location(location.url, location.metadata)
        if self._failures[id(store)] >= PATIENCE:
            return False
        if self._database.object_in_use(location.url, except_image=image_id):
            # Former releases let several images have their data at one place.
            LOG.warning('The data at %s stays for another image than %s.', redact(location.url), image_id)
            return True
        try:
            store.delete(location)
        except exceptions.ObjectNotFound:
            LOG.info('The data of image %s at %s was gone already.', image_id, redact(location.url))
        except exceptions.StoreReadOnly:
            LOG.debug("The data of image %s at %s is not the service's own and stays.", image_id, redact(location.url))
        except exceptions.StoreUnavailable:
            self._note_failure(store)
            raise
        self._failures[id(store)] = 0
        return True

    def _note_failure(self, store: Store) -> None:
        self._failures[id(store)] += 1
        if self._failures[id(store)] == PATIENCE:
            LOG.warning('Store %s failed %d times one after the other; what else is in it is left for the next run.',
                        store.name or store.schemes[0], PATIENCE)

    def _dispose_key(self, image: PendingImage) -> None:
        gone = Image(image.image_id, status='deleted', owner=image.owner, extra_properties=image.properties)
        dispose_for_owner(self._keys, self._database, self._credentials, gone)
