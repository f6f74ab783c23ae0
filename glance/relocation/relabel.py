"""Writes into the records of locations which store they are in, where that is missing or of another time.

Reading finds the store by the URL as well, so nothing depends on this. It makes records say what is so, and takes
credentials out of them that former releases wrote.
"""
import dataclasses
from collections.abc import Iterator

from glance import exceptions
from glance.db.interface import SERVICE, Database, ImageChanges, LocationRecord
from glance.store.backends import Backends
from glance.store.location import redact, scheme_of, without_credentials

_PAGE = 1000
# Stores of these schemes need no credentials in URLs: they have their own.
_BARE = ('s3', 's3+http', 's3+https')


@dataclasses.dataclass(frozen=True)
class Relabelled:
    """A location that gets, or would get, another label; ``reason`` says why it did not."""

    image_id: str
    url: str
    former: str | None
    store: str
    reason: str | None = None


class Relabelling:
    """One pass over the locations of all live images.

    :param stores: named ones
    :param dry_run: whether nothing is written
    """

    def __init__(self, database: Database, stores: Backends, dry_run: bool = False):
        self._database, self._stores, self._dry_run = database, stores, dry_run

    def run(self) -> Iterator[Relabelled]:
        """Relabel; yield each location. Raises DatabaseUnavailable."""
        after = 0
        while page := self._database.location_list(after, _PAGE):
            for stored in page:
                if self._corrected(stored.location) is not None:
                    yield from self._relabel(stored.image_id, stored.location['id'])
            after = page[-1].location['id']

    def _corrected(self, location: LocationRecord) -> LocationRecord | None:
        """Return the location as it should be; None when it is right, or when that cannot be told."""
        url = location.get('url')
        name = self._stores.name_of(url, location['metadata']) if url else None
        if name is None:
            return None
        bare = without_credentials(url) if scheme_of(url) in _BARE else url
        if location['metadata'].get('store') == name and bare == url:
            return None
        return {**location, 'url': bare, 'metadata': {**location['metadata'], 'store': name}}

    def _relabel(self, image_id: str, location_id: int) -> Iterator[Relabelled]:
        try:
            image = self._database.image_get(SERVICE, image_id)
        except exceptions.ImageNotFound:
            return
        location = next((each for each in image['locations'] if each['id'] == location_id), None)
        corrected = location and self._corrected(location)
        if not corrected:
            return
        found = Relabelled(image_id, redact(corrected['url']), location['metadata'].get('store'),
                           corrected['metadata']['store'])
        try:
            if not self._dry_run:
                self._database.image_update(image_id, ImageChanges(update_locations=[corrected]),
                                            expected={'locations': image['locations']})
        except exceptions.ImageNotFound:
            return
        except exceptions.Conflict as error:
            found = dataclasses.replace(found, reason=str(error))
        yield found
