"""Compares the stores with the records: finds data without a record, and records without data, and removes them on request.

The stores are listed before the records are read, and what is young is left alone, so data that is on its way belongs to
nobody's findings. Everything is looked at once more in the moment before it is removed.
"""
import dataclasses
import itertools
import logging
from collections.abc import Callable, Iterator

from glance import exceptions
from glance.db.interface import COPYING_PROPERTY, SERVICE, Database, ImageChanges, ImageRecord
from glance.domain.properties import IMPORT_LOCK
from glance.scrub.inventory import Found, Inventory
from glance.store.backends import Backends, title
from glance.store.base import Location, Store
from glance.store.location import redact

LOG = logging.getLogger(__name__)

_PAGE = 1000
STAGING = 'staging'
_SETTLED = ('active', 'deactivated', 'killed')


@dataclasses.dataclass(frozen=True)
class Finding:
    """``kind`` is ``orphan`` (data without a record) or ``missing`` (a record without data).

    ``state`` says what was done: ``found``, ``removed`` or ``kept``; ``reason`` says why it was kept.
    """

    kind: str
    store: str
    url: str
    image_id: str | None
    size: int | None
    state: str = 'found'
    reason: str | None = None


class Audit:
    """One audit of some stores.

    :param grace: seconds; data that is younger is left alone
    :param delete: whether data without a record is removed
    :param forget: whether records without data are removed, together with images that have no other
    :param force: remove records even when most of those of a store have no data
    """

    def __init__(self, database: Database, stores: Backends, inventory: Inventory, grace: float, *, delete: bool = False,
                 forget: bool = False, force: bool = False):
        self._database, self._stores, self._inventory = database, stores, inventory
        self._grace, self._delete, self._forget, self._force = grace, delete, forget, force
        self._unreadable = 0

    def run(self, named: dict[str, Store]) -> Iterator[Finding]:
        """Yield what is found in these stores. Raises StoreUnavailable, WalkNotSupported, DatabaseUnavailable."""
        for name, store in named.items():
            if self._inventory.note('walked ' + name) is None:
                LOG.info('Store %s holds %d objects.', name, self._inventory.add_objects(name, store.walk()))
        self._read_records()
        for name, store in named.items():
            yield from self._orphans(name, store)
            if name != STAGING:
                yield from self._missing(name, store)

    def _read_records(self) -> None:
        """Take in the records that are new since the last time."""
        while page := self._database.location_list(self._inventory.last_record(), _PAGE):
            readable = [each for each in page if 'url' in each.location]
            self._unreadable += len(page) - len(readable)
            self._inventory.add_records((self._store_name(each.location), each) for each in readable)
            if not readable:
                raise exceptions.LocationUnreadable()

    def _store_name(self, location) -> str | None:
        try:
            return title(self._stores.for_location(location['url'], location['metadata']))
        except exceptions.BadLocation:
            return None

    def _orphans(self, name: str, store: Store) -> Iterator[Finding]:
        found = self._inventory.orphans(name, self._grace, staged=name == STAGING)
        while batch := list(itertools.islice(found, _PAGE)):
            if self._delete:
                self._read_records()
            for each in batch:
                reason = self._why_kept(name, each)
                finding = Finding('orphan', name, redact(each.location.url), each.image_id, each.size)
                yield from self._settle(finding, reason, self._delete, lambda each=each: store.delete(each.location))
            if self._delete:
                self._inventory.forget(each.number for each in batch)

    def _why_kept(self, name: str, found: Found) -> str | None:
        """Return what speaks against the removal of an object; None when it is nobody's. Empty: it is none at all."""
        if self._unreadable:
            return 'some locations cannot be decrypted, and one of them may name it; check metadata_encryption_key'
        if name != STAGING and (self._inventory.is_named(found) or self._database.object_in_use(found.location.url, '')):
            return ''
        if found.image_id is None:
            return None
        image = self._image(found.image_id)
        if image is None or image['deleted']:
            return None
        properties = image['properties']
        if image['status'] not in _SETTLED or properties.get(IMPORT_LOCK) or properties.get(COPYING_PROPERTY):
            return '' if name == STAGING else 'its image may be about to get data (status %s)' % image['status']
        return None

    def _missing(self, name: str, store: Store) -> Iterator[Finding]:
        live, missing = self._inventory.counts(name)
        empty = self._inventory.note('walked ' + name) == '0'
        doubtful = self._forget and not self._force and missing > 0 and (empty or missing > 1 and missing * 2 > live)
        if doubtful:
            LOG.error('Of %d records, %d name data that store %s does not hold. No record is removed: is the right file '
                      'system mounted? Add --force if the data really is lost.', live, missing, name)
        for found in self._inventory.missing(name):
            image = self._image(found.image_id)
            if image is None or image['deleted'] or not _is_missing(store, found.location):
                continue
            record = next((each for each in image['locations'] if each['id'] == found.number), None)
            if record is None:
                continue
            finding = Finding('missing', name, redact(found.location.url), found.image_id, image['size'])
            reason = 'too much is missing' if doubtful else self._why_remembered(image)
            yield from self._settle(finding, reason, self._forget,
                                    lambda image=image, record=record: self._remove(image, record['id']))

    def _why_remembered(self, image: ImageRecord) -> str | None:
        if len(image['locations']) == 1 and image['protected']:
            return 'the image is protected and has no other data'
        return None

    def _remove(self, image: ImageRecord, location_id: int) -> None:
        """Remove a location from its image; with its only one, remove the image."""
        if len(image['locations']) > 1:
            changes = ImageChanges(remove_locations={location_id: 'deleted'})
            self._database.image_update(image['id'], changes, image['status'], expected={'locations': image['locations']})
        else:
            self._database.image_remove(image['id'], 'deleted', from_status=image['status'])

    def _settle(self, finding: Finding, reason: str | None, wanted: bool, remove: Callable[[], None]) -> Iterator[Finding]:
        """Yield a finding with what became of it."""
        if reason == '':
            return
        if reason is not None:
            yield dataclasses.replace(finding, state='kept', reason=reason)
            return
        if not wanted:
            yield finding
            return
        try:
            remove()
        except (exceptions.ObjectNotFound, exceptions.ImageNotFound):
            return
        except (exceptions.StoreError, exceptions.Conflict) as error:
            yield dataclasses.replace(finding, state='kept', reason=str(error))
        else:
            yield dataclasses.replace(finding, state='removed')

    def _image(self, image_id: str) -> ImageRecord | None:
        try:
            return self._database.image_get(SERVICE, image_id, show_deleted=True)
        except exceptions.ImageNotFound:
            return None


def _is_missing(store: Store, location: Location) -> bool:
    """Ask the store itself. Raises StoreUnavailable."""
    try:
        store.size(location)
    except exceptions.ObjectNotFound:
        return True
    except exceptions.StoreUnavailable:
        raise
    except exceptions.StoreError as error:
        LOG.warning('It is not known whether there is data at %s: %s', redact(location.url), error)
    return False
