"""Which images are relocated, one after the other."""
import dataclasses
from collections.abc import Iterator, Sequence

from glance import exceptions
from glance.db.interface import SERVICE, Database, ImageRecord, StoredLocation
from glance.relocation.copier import Copier, Outcome
from glance.relocation.journal import Journal
from glance.store.backends import Backends
from glance.store.base import Store

_PAGE = 1000
_UNREADABLE = 'a location of it cannot be decrypted; check [DEFAULT] metadata_encryption_key'


class Batch:
    """Images that have data in one store.

    :param image_ids: only these; empty: all of the store
    :param owner: only those of this project; None is any
    """

    def __init__(self, database: Database, stores: Backends, copier: Copier, journal: Journal, source: Store,
                 image_ids: Sequence[str] = (), owner: str | None = None):
        self._database, self._stores, self._copier, self._journal = database, stores, copier, journal
        self._source, self._image_ids, self._owner = source, image_ids, owner

    def run(self) -> Iterator[Outcome]:
        """Relocate; yield what became of each image as soon as it is known. Raises DatabaseUnavailable."""
        if self._image_ids:
            for image_id in dict.fromkeys(self._image_ids):
                yield self._named(image_id)
            return
        try:
            for image_id in sorted(self._journal.left):
                yield from self._one(image_id)
            while page := self._database.location_list(self._journal.after, _PAGE):
                for stored in page:
                    if 'url' not in stored.location:
                        yield Outcome(stored.image_id, 'left', 0, _UNREADABLE)
                    elif self._is_meant(stored):
                        yield from self._one(stored.image_id)
                    self._journal.after = stored.location['id']
        finally:
            self._journal.save()
        self._journal.finish()

    def _named(self, image_id: str) -> Outcome:
        """Relocate an image that was asked for, so that whatever keeps it from being in the new store matters."""
        image = self._image(image_id)
        if image is not None and self._owner not in (None, image['owner']):
            return Outcome(image_id, 'left', image['size'] or 0, 'it belongs to another project')
        outcome = Outcome(image_id, 'gone') if image is None else self._copier.run(image)
        reason = {'gone': 'there is no such image', 'absent': 'it has no data in the old store'}.get(outcome.state)
        return dataclasses.replace(outcome, state='left', reason=reason) if reason else outcome

    def _one(self, image_id: str) -> Iterator[Outcome]:
        image = self._image(image_id)
        outcome = None
        if image is not None and self._owner in (None, image['owner']):
            outcome = self._copier.run(image)
        self._journal.left.discard(image_id)
        if outcome is None or outcome.state in ('absent', 'gone'):
            return
        if outcome.state == 'left':
            self._journal.left.add(image_id)
        if outcome.state == 'done':
            self._journal.save()
        yield outcome

    def _is_meant(self, stored: StoredLocation) -> bool:
        location = stored.location
        if stored.image_status not in ('active', 'deactivated') or location['status'] == 'pending_delete':
            return False
        try:
            return self._stores.for_location(location['url'], location['metadata']) is self._source
        except exceptions.BadLocation:
            return False

    def _image(self, image_id: str) -> ImageRecord | None:
        try:
            return self._database.image_get(SERVICE, image_id)
        except exceptions.ImageNotFound:
            return None
