"""The data of images: stored, delivered and deleted so that a record never names bytes that are not there."""
import dataclasses
import functools
import logging
from collections.abc import Container, Sequence

from glance import exceptions
from glance.domain.image import Image, Location
from glance.inspect.engine import Inspection
from glance.layers.base import Images
from glance.layers.first_readable import FirstReadable
from glance.store.backends import title
from glance.store.base import Location as StoreLocation
from glance.store.base import Reader, Store
from glance.store.location import redact
from glance.tasks.leases import Lease
from glance.transfer import pipeline
from glance.transfer.sinks import Sink
from glance.transfer.sources import Source

LOG = logging.getLogger(__name__)

_READABLE = ('active', 'deactivated')


class StoreImages(Images):
    """Bytes are published before the record that names them, and deleted after it is taken from everybody."""

    def upload(self, image: Image, source: Source, size: int | None = None, store: str | None = None) -> None:
        image.check_status('queued')
        image.check_formats()
        target = self.env.stores.get(store or self.env.stores.default)
        with self.env.leases.hold(image.image_id, storage=size or 0) as lease:
            self.inner.begin_upload(image, lease, target.name)
            try:
                self._transfer(image, source, size, target, lease)
            except BaseException as error:
                self.inner.abort_upload(image, lease, error)
                raise
            self._finish(image, lease)

    def _transfer(self, image: Image, source: Source, size: int | None, target: Store, lease: Lease) -> None:
        conf = self.env.conf
        signature = self._signature_checks(image)
        inspection = Inspection(image.disk_format, image.container_format, self.env.inspection)
        with self.env.metrics.transfer('in', title(target)) as transfer:
            def progress(done: int) -> None:
                transfer.reach(done)
                self.inner.check_uploading(image)

            location, result = pipeline.store(
                self.inner.reserving(image, source, lease), target, image.image_id, algorithm=conf.hashing_algorithm,
                size=size, limit=conf.image_size_cap, sinks=[inspection, *signature], progress=progress,
                attempt=lease.attempt)
            transfer.reach(result.size)
        image.size, image.checksum = result.size, result.md5
        image.os_hash_algo, image.os_hash_value = result.hash_algo, result.hash_value
        image.virtual_size = inspection.virtual_size
        image.locations.append(Location(location.url, dict(location.metadata)))

    def _signature_checks(self, image: Image) -> list[Sink]:
        # The signature may have been changed since the image was loaded, and cannot be any more: it is the stored one
        # that will vouch for the data.
        try:
            stored = self.inner.get(image.image_id)
        except exceptions.ImageNotFound:
            raise exceptions.ImageGone(image.image_id) from None
        return self.env.signatures.checks(self.context, image.image_id, stored.extra_properties)

    def _finish(self, image: Image, lease: Lease) -> None:
        location = image.locations[-1]
        try:
            self.inner.finish_upload(image, lease)
        except exceptions.DatabaseUnavailable:
            # It is not known whether the record was written: the bytes stay until recovery has looked.
            raise
        except BaseException as error:
            # Nobody will ever refer to these bytes; the image, if it still is there, can be uploaded again.
            try:
                self._remove_data(image.image_id, location)
            except exceptions.GlanceError as failure:
                LOG.error('The data of image %s stays at %s: %s', image.image_id, redact(location.url), failure)
            self.inner.abort_upload(image, lease, error)
            raise

    def save(self, image: Image, from_status: str | None = None) -> None:
        former, removed = list(image.loaded.locations) if image.loaded else [], image.changes.removed_locations
        self.inner.save(image, from_status)
        if self.env.conf.delayed_delete:
            return
        kept, left = {location.url for location in image.locations}, {}
        for location in removed:
            try:
                if location.url not in kept and not self.env.database.object_in_use(location.url, image.image_id):
                    self._remove_data(image.image_id, location)
            except exceptions.GlanceError as error:
                left[location.id] = error
        if left:
            self._bring_back(image, former, left)
            raise next(iter(left.values()))

    def _bring_back(self, image: Image, former: list[Location], left: Container[int | None]) -> None:
        """Give the image the locations again whose data could not be deleted, in their former places."""
        present = {each.id for each in image.locations}
        image.locations = [each if each.id in present else dataclasses.replace(each, id=None) for each in former
                           if each.id in present or each.id in left]
        try:
            self.inner.save(image)
        except exceptions.GlanceError as error:
            LOG.error('Data of image %s that could not be deleted has no record any more: %s (at %s)', image.image_id, error,
                      ', '.join(redact(each.url) for each in former if each.id in left))

    def data_size(self, image: Image) -> int:
        if image.status not in _READABLE or not image.locations or image.size is None:
            raise exceptions.ObjectNotFound()
        return image.size

    def download(self, image: Image, offset: int = 0, length: int | None = None, prefer: Sequence[str] = ()) -> Reader:
        locations = self.env.stores.in_reading_order(image.locations, prefer)
        try:
            return FirstReadable((self._place_of(location), functools.partial(self._try, image, location, offset, length))
                                 for location in locations)
        except exceptions.ObjectNotFound:
            # An image that was deleted since it was loaded is not one without data. Raises ImageNotFound.
            self.inner.get(image.image_id)
            raise

    def _place_of(self, location: Location) -> str:
        """The name of the store that has the location, for the metrics."""
        try:
            return title(self._store(location))
        except exceptions.BadLocation:
            return 'unknown'

    def _try(self, image: Image, location: Location, offset: int, length: int | None) -> Reader:
        try:
            return self._open(image, location, offset, length)
        except exceptions.GlanceError as failure:
            LOG.warning('Image %s cannot be read from %s: %s', image.image_id, redact(location.url), failure)
            raise

    def _open(self, image: Image, location: Location, offset: int, length: int | None) -> Reader:
        store = self._store(location)
        wanted = image.size - offset if length is None else length
        try:
            reader = store.open(StoreLocation(location.url, location.metadata), offset, length)
        except exceptions.Invalid:
            # The span lies in the image: it is the object that is too short.
            raise exceptions.StoreError('The data in the store is shorter than the image.') from None
        if reader.length != wanted:
            reader.close()
            raise exceptions.StoreError('The data in the store is not as long as the image.')
        return reader

    def remove(self, image: Image) -> None:
        image.check_deletable()
        if self.env.conf.delayed_delete:
            self.inner.finish_removal(image, self.inner.begin_removal(image))
            return
        # The lease keeps the scrubber off: what it removed meanwhile could not be given back when a store refuses.
        with self.env.leases.hold(image.image_id) as lease:
            removal = self.inner.begin_removal(image, lease)
            try:
                for location in image.locations:
                    self._remove_data(image.image_id, location)
            except BaseException:
                self.inner.undo_removal(image, removal)
                raise
            self.inner.finish_removal(image, removal)

    def _remove_data(self, image_id: str, location: Location) -> None:
        """Delete the data at a location, or find that nobody can; what may succeed another time is raised."""
        try:
            self._store(location).delete(StoreLocation(location.url, location.metadata))
        except exceptions.ObjectNotFound:
            LOG.warning('The data of image %s at %s was gone already.', image_id, redact(location.url))
        except exceptions.StoreReadOnly:
            LOG.debug("The data of image %s at %s is not the service's own and stays.", image_id, redact(location.url))
        except exceptions.BadLocation as error:
            LOG.error('The data of deleted image %s stays at %s: %s', image_id, redact(location.url), error)
        location.status = 'deleted'

    def _store(self, location: Location) -> Store:
        return self.env.stores.for_location(location.url, location.metadata)
