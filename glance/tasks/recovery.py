"""Undoes what dead workers left half-done, so that it can be done again."""
import itertools
import logging
import threading
from collections.abc import Callable

from glance import exceptions
from glance.db.interface import SERVICE, Database, ImageChanges, ImageRecord, Lease
from glance.domain.properties import IMPORT_LOCK
from glance.store.backends import Backends
from glance.store.base import Store
from glance.tasks import leases

LOG = logging.getLogger(__name__)

# Seconds between two looks for work whose worker died.
INTERVAL = 60
# Rounds between two searches of the stores, which read whole directories.
_SWEEP_EVERY = 60

_FORGET_DATA = dict.fromkeys(('size', 'virtual_size', 'checksum', 'os_hash_algo', 'os_hash_value'))


def recover(database: Database, stores: Backends) -> int:
    """Return images of dead workers to ``queued`` and free the space of their partial data; return how many.

    A worker is dead when its process on this machine is gone, or when its lease, wherever it runs, has lapsed. Safe to
    run in several processes at once, beside running uploads.
    """
    lapsed = database.lease_list(expired_at=leases.utcnow())
    dead = {lease.attempt: lease for lease in lapsed + leases.of_dead_workers(database)}
    return sum(_undo(database, stores, lease) for lease in dead.values())


def _undo(database: Database, stores: Backends, lease: Lease) -> bool:
    """Take the lease over, so that nobody else works on the image; remove its bytes; then let it go."""
    try:
        image = database.image_get(SERVICE, lease.image_id)
        if image['properties'].get(IMPORT_LOCK) == lease.attempt:
            return _undo_task(database, stores, lease, image)
    except exceptions.ImageNotFound:
        return False
    mine = leases.new_lease(lease.image_id)
    changes = ImageChanges(columns={'status': 'queued', **_FORGET_DATA})
    try:
        database.image_update(lease.image_id, ImageChanges(), 'saving', acquire=mine, release=lease.attempt)
        # The image has no location: an object that was committed was never recorded.
        discarded = [_discard(store, lease, committed=True) for store in stores.enabled]
        if not all(discarded):
            # The lease that was taken over lapses, and the next look tries again.
            return False
        database.image_update(lease.image_id, changes, 'saving', release=mine.attempt)
    except (exceptions.NotFound, exceptions.Conflict):
        # Deleted meanwhile, finished after all, or taken over by another process.
        return False
    LOG.warning('The upload of image %s was interrupted; the image is queued again.', lease.image_id)
    return True


def _undo_task(database: Database, stores: Backends, lease: Lease, image: ImageRecord) -> bool:
    """Take the lock off an image: queue one again that did not get its location; one that has data stays as it is."""
    for store in stores.enabled:
        # What was copied there to the end may have been recorded; the audit knows.
        _discard(store, lease, committed=False)
    importing = image['status'] == 'importing'
    changes = ImageChanges(columns={'status': 'queued', **_FORGET_DATA} if importing else {}, remove_properties=[IMPORT_LOCK])
    try:
        database.image_update(lease.image_id, changes, image['status'], release=lease.attempt)
    except (exceptions.NotFound, exceptions.Conflict):
        return False
    LOG.warning('A task on image %s was interrupted; the image %s.', lease.image_id,
                'is queued again' if importing else 'stays as it is')
    return True


def _discard(store: Store, lease: Lease, committed: bool) -> bool:
    try:
        freed = store.discard(lease.image_id, lease.attempt, committed)
    except exceptions.StoreError as error:
        LOG.warning('Data of the interrupted work on image %s stays in store %s: %s', lease.image_id, store.name, error)
        return False
    if freed:
        LOG.info('Removed %d bytes of an interrupted upload of image %s.', freed, lease.image_id)
    return True


def sweep(stores: Backends) -> None:
    """Remove partial data of writers that died without a lease, or whose image was deleted meanwhile."""
    for store in (*stores.enabled, stores.staging):
        try:
            removed = store.sweep()
        except exceptions.StoreError as error:
            LOG.warning('Store %s could not be searched for partial data: %s', store.name, error)
        else:
            if removed:
                LOG.info('Removed %d pieces of partial data from store %s.', len(removed), store.name)


class Janitor:
    """Looks for half-done work when the process starts and every minute after that; ``jobs`` are done as often."""

    def __init__(self, database: Database, stores: Backends):
        self._database, self._stores = database, stores
        self.jobs: list[Callable[[], object]] = []
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name='recovery', daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def close(self) -> None:
        """Stop looking."""
        self._closed.set()

    def _run(self) -> None:
        for number in itertools.count():
            self._attempt(lambda: recover(self._database, self._stores))
            for job in self.jobs:
                self._attempt(job)
            if number % _SWEEP_EVERY == 0:
                self._attempt(lambda: sweep(self._stores))
            if self._closed.wait(INTERVAL):
                return

    def _attempt(self, work: Callable[[], object]) -> None:
        try:
            work()
        except exceptions.GlanceError as error:
            LOG.warning('Images cannot be looked after at the moment: %s', error)
        except Exception:
            LOG.exception('Looking after images failed.')
