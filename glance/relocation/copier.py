"""Copies or moves the data of one image from store to store, whatever else happens to the image meanwhile.

As long as it is worked on the image carries the lock of a task, under a lease: of several who want it one gets it, and when
that one dies the service takes the lock off again. The bytes are hashed on their way and published only when they are those
of the image; then they are recorded, and only then what is moved is taken from the old place. Others are told what they are
told of uploads. What a copy takes is reserved for the owner like an upload; what is moved takes no more than before.
"""
import contextlib
import dataclasses
import logging
from collections.abc import Callable, Iterator

from glance import exceptions
from glance.db.interface import SERVICE, Charge, Database, ImageChanges, ImageRecord, Lease, LocationRecord
from glance.domain.image import Image
from glance.domain.properties import IMPORT_LOCK
from glance.layers.database import load
from glance.notify import payloads
from glance.notify.notifier import Notifier
from glance.quota.base import Quotas
from glance.relocation.pace import Pace, Paced
from glance.store.backends import Backends
from glance.store.base import Location, Store, Writer
from glance.store.location import redact
from glance.tasks import leases
from glance.transfer import pipeline
from glance.transfer.sources import ReaderSource, Source

LOG = logging.getLogger(__name__)

_SETTLED = ('active', 'deactivated')


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of an image.

    ``state`` is ``done``, ``planned`` (a dry run), ``present`` (there was nothing to do), ``absent`` (it has no data in the
    old store), ``gone`` (it was deleted) or ``left`` (it could not be done); ``size`` is bytes; ``reason`` says why it was
    left, or what is still to happen.
    """

    image_id: str
    state: str
    size: int = 0
    reason: str | None = None


@dataclasses.dataclass(frozen=True)
class Orders:
    """What is to be done with each image.

    :param algorithm: of the hash of images that have none
    :param location_quota: how many locations an image may have; negative is any number
    :param delayed_delete: leave what is moved to the scrubber
    """

    source: Store
    target: Store
    move: bool
    algorithm: str
    location_quota: int
    delayed_delete: bool = False
    dry_run: bool = False


class Copier:
    """Carries out orders, image by image.

    :param held: the leases of this process
    :param notifier: tells others what becomes of images
    :param quotas: how much the owners may have; None is any number
    :param pace: of the bytes; None is as fast as possible
    :param progress: called now and then with image id, bytes done and bytes in all
    """

    def __init__(self, database: Database, stores: Backends, held: leases.LeaseKeeper, orders: Orders, notifier: Notifier,
                 quotas: Quotas | None = None, pace: Pace | None = None,
                 progress: Callable[[str, int, int], None] = lambda image_id, done, size: None):
        self._database, self._stores, self._leases, self._orders = database, stores, held, orders
        self._notifier, self._quotas, self._pace, self._progress = notifier, quotas, pace, progress

    def run(self, image: ImageRecord) -> Outcome:
        """Do what is to be done with an image. Raises DatabaseUnavailable, and what ends the process."""
        image_id, size = image['id'], image['size'] or 0
        here, there = self._in(image, self._orders.source), self._in(image, self._orders.target)
        if not here:
            return Outcome(image_id, 'present' if there else 'absent', size)
        if there and not self._orders.move:
            return Outcome(image_id, 'present', size)
        reason = self._why_not(image, bool(there))
        if reason:
            return Outcome(image_id, 'left', size, reason)
        if self._orders.dry_run:
            return Outcome(image_id, 'planned', size)
        try:
            with self._locked(image) as lease:
                return Outcome(image_id, 'done', size, self._relocate(image, lease, here, there))
        except (exceptions.ImageNotFound, exceptions.ImageGone):
            return Outcome(image_id, 'gone', size)
        except exceptions.ObjectExists:
            return Outcome(image_id, 'left', size, 'the new store holds data of this image that no record names; see '
                                                   '"glance-manage store audit"')
        except exceptions.OverLimit as error:
            return Outcome(image_id, 'left', size, str(self._quotas.refusal(image['owner'], error)))
        except (exceptions.StoreError, exceptions.Conflict, exceptions.Invalid, exceptions.LimitsUnavailable) as error:
            return Outcome(image_id, 'left', size, str(error))

    def _in(self, image: ImageRecord, store: Store) -> list[LocationRecord]:
        return [each for each in image['locations'] if self._store(each) is store]

    def _store(self, location: LocationRecord) -> Store | None:
        try:
            return self._stores.for_location(location['url'], location['metadata'])
        except exceptions.BadLocation:
            return None

    def _why_not(self, image: ImageRecord, present: bool) -> str | None:
        if image['status'] not in _SETTLED:
            return 'it has status %s' % image['status']
        holder = image['properties'].get(IMPORT_LOCK)
        if holder:
            return 'it is being worked on by task %s' % holder
        quota = self._orders.location_quota
        if not present and 0 <= quota < len(image['locations']) + 1:
            return 'it would have more than %d locations, which is the image_location_quota' % quota
        return None

    @contextlib.contextmanager
    def _locked(self, image: ImageRecord) -> Iterator[Lease]:
        image_id, charge = image['id'], self._charge(image)
        with self._leases.hold(image_id) as lease:
            lock = ImageChanges(add_properties={IMPORT_LOCK: lease.attempt})
            reserving = dataclasses.replace(lease, owner=charge.owner, storage=charge.deltas['storage']) if charge else lease
            self._database.image_update(image_id, lock, image['status'], acquire=reserving, charge=charge)
            try:
                yield lease
            finally:
                self._unlock(image_id, lease)

    def _charge(self, image: ImageRecord) -> Charge | None:
        """What a copy takes of what the owner may have; None where that is not limited. Raises LimitsUnavailable."""
        if self._orders.move or self._quotas is None:
            return None
        limits = self._quotas.limits(image['owner'], ('storage',))
        return Charge(image['owner'], {'storage': image['size'] or 0}, limits) if limits else None

    def _unlock(self, image_id: str, lease: Lease) -> None:
        try:
            self._database.image_update(image_id, ImageChanges(remove_properties=[IMPORT_LOCK]), release=lease.attempt)
        except (exceptions.ImageNotFound, exceptions.LeaseLost):
            return
        except exceptions.DatabaseUnavailable:
            LOG.error('Image %s keeps its lock until the service takes it off: the database is away.', image_id)

    def _relocate(self, image: ImageRecord, lease: Lease, here: list[LocationRecord], there: list[LocationRecord]
                  ) -> str | None:
        """Do it; return what is still to happen with the old data."""
        if there:
            # Whoever put it there: the old data goes only when this is the same.
            with self._reading(there[0]) as reading:
                _check(image, self._hash(image, lease, reading))
        else:
            with self._telling(image):
                self._record(image['id'], lease, self._copy(image, lease, here[0]))
        return self._leave(image['id'], lease) if self._orders.move else None

    @contextlib.contextmanager
    def _telling(self, image: ImageRecord) -> Iterator[None]:
        """Tell others that data goes into the new store, and how that ended."""
        image_id = image['id']
        self._notifier.info('image.prepare', payloads.of_prepared_image(load(image), self._orders.target.name), image_id)
        try:
            yield
        except exceptions.GlanceError as error:
            self._notifier.error('image.upload', str(error), image_id)
            raise
        self._notifier.info('image.upload', payloads.of_uploaded_image(self._load(image_id)), image_id)
        self._tell_update(image_id)

    def _tell_update(self, image_id: str) -> None:
        self._notifier.info('image.update', payloads.of_image(self._load(image_id)), image_id)

    def _load(self, image_id: str) -> Image:
        return load(self._database.image_get(SERVICE, image_id))

    def _reading(self, location: LocationRecord) -> ReaderSource:
        store = self._stores.for_location(location['url'], location['metadata'])
        return ReaderSource(store.open(Location(location['url'], location['metadata'])))

    def _copy(self, image: ImageRecord, lease: Lease, location: LocationRecord) -> Location:
        """Write the data into the new store; return where it is. Raises Invalid when it is not that of the image."""
        with self._reading(location) as reading:
            writer = self._orders.target.writer(image['id'], image['size'], lease.attempt)
            try:
                result = self._pass(image, lease, reading, writer)
                _check(image, result)
                written = writer.commit()
            except BaseException:
                writer.abort()
                raise
        if image['os_hash_value'] is None and image['checksum'] is None:
            self._read_back(image, lease, written, result)
        return written

    def _read_back(self, image: ImageRecord, lease: Lease, written: Location, result: pipeline.Result) -> None:
        """Compare the copy with what was read where no record says what the data must be."""
        try:
            with ReaderSource(self._orders.target.open(written)) as reading:
                if self._hash(image, lease, reading) != result:
                    raise exceptions.StoreError('The copy is not what was written.')
        except BaseException:
            self._discard(image['id'], written)
            raise

    def _hash(self, image: ImageRecord, lease: Lease, reading: Source) -> pipeline.Result:
        return self._pass(image, lease, reading, None)

    def _pass(self, image: ImageRecord, lease: Lease, reading: Source, writer: Writer | None) -> pipeline.Result:
        def go_on(done: int) -> None:
            self._progress(image['id'], done, image['size'] or 0)
            self._check_going_on(image['id'], lease)

        source = Paced(reading, self._pace) if self._pace else reading
        return pipeline.copy(source, writer, algorithm=image['os_hash_algo'] or self._orders.algorithm, size=image['size'],
                             progress=go_on)

    def _check_going_on(self, image_id: str, lease: Lease) -> None:
        """Raise ImageNotFound for an image that was deleted, LeaseLost when others may take it over."""
        with contextlib.suppress(exceptions.DatabaseUnavailable):
            self._database.image_get(SERVICE, image_id)
        if not self._leases.is_sure(lease):
            raise exceptions.LeaseLost(image_id)

    def _record(self, image_id: str, lease: Lease, written: Location) -> None:
        """Give the image its new location, or remove what was written for it."""
        try:
            if self._database.object_in_use(written.url, ''):
                raise exceptions.Conflict('its former data in the new store is still to be removed by glance-scrubber')
            added = [{'url': written.url, 'metadata': dict(written.metadata), 'status': 'active'}]
            self._database.image_update(image_id, ImageChanges(add_locations=added), release=lease.attempt,
                                        acquire=leases.prolonged(lease))
        except exceptions.DatabaseUnavailable:
            # It is not known whether the record was written: what it may name stays.
            raise
        except BaseException:
            self._discard(image_id, written)
            raise

    def _discard(self, image_id: str, written: Location) -> None:
        try:
            self._orders.target.delete(written)
        except exceptions.StoreError as error:
            LOG.error('A copy of image %s that no record names stays at %s: %s', image_id, redact(written.url), error)

    def _leave(self, image_id: str, lease: Lease) -> str | None:
        """Take the image from the old store; return what is still to happen with its data there.

        The record waits for the scrubber until the data is gone, so that nothing is forgotten when this process dies.
        """
        image = self._database.image_get(SERVICE, image_id)
        old = self._in(image, self._orders.source)
        shared = [each['id'] for each in old if self._database.object_in_use(each['url'], image_id)]
        changes = ImageChanges(remove_locations={
            each['id']: 'deleted' if each['id'] in shared else 'pending_delete' for each in old})
        self._database.image_update(image_id, changes, release=lease.attempt, acquire=leases.prolonged(lease),
                                    expected={'locations': image['locations']})
        self._tell_update(image_id)
        if self._orders.delayed_delete:
            return 'its old data waits for glance-scrubber'
        reasons = [self._remove(image_id, each) for each in old if each['id'] not in shared]
        return next(filter(None, reasons), None)

    def _remove(self, image_id: str, location: LocationRecord) -> str | None:
        """Remove the data at an old location; return why it is left to the scrubber."""
        try:
            self._orders.source.delete(Location(location['url'], location['metadata']))
        except (exceptions.ObjectNotFound, exceptions.StoreReadOnly):
            LOG.info('The old data of image %s at %s is gone, or not ours.', image_id, redact(location['url']))
        except exceptions.StoreError as error:
            return 'its old data is left to glance-scrubber: %s' % error
        self._database.image_scrubbed(image_id, [location['id']])
        return None


def _check(image: ImageRecord, result: pipeline.Result) -> None:
    """Raise Invalid when data with these digests is not that of the image."""
    value, checksum = image['os_hash_value'], image['checksum']
    if value is not None and value.lower() != result.hash_value or checksum not in (None, result.md5):
        raise exceptions.Invalid('the data in the old store does not have the hash of the image')
