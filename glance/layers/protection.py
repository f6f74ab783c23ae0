"""Properties that not every caller may know of or change.

Above this layer an image is what its caller may see of it; below, in every verb, it is whole. So handlers and rules cannot
tell a hidden property from an absent one, while limits count it, events tell it, and no save loses it.
"""
import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from glance import exceptions
from glance.context import RequestContext
from glance.db.interface import Condition, ImageQuery
from glance.domain.image import Image
from glance.domain.location import NewLocation
from glance.domain.properties import BASE_ATTRIBUTES
from glance.environment import Environment
from glance.layers.base import Images, Page
from glance.store.base import Reader
from glance.transfer.sources import Source


class ProtectImages(Images):
    """Asks the operator's protections, which the environment must have."""

    def __init__(self, inner: Images, context: RequestContext, env: Environment):
        super().__init__(inner, context, env)
        self._permissions = env.protections.of(context)

    def new(self, values: dict[str, Any]) -> Image:
        for name in values.keys() - BASE_ATTRIBUTES.keys():
            self._check('create', name)
        return self.inner.new(values)

    def get(self, image_id: str, rule: str | None = None) -> Image:
        image = self.inner.get(image_id, rule)
        image.withhold(self._hides)
        return image

    def list(self, query: ImageQuery) -> Page:
        page = self.inner.list(self._honest(query))
        for image in page.images:
            image.withhold(self._hides)
        return page

    def count(self, query: ImageQuery) -> int:
        return self.inner.count(self._honest(query))

    def add(self, image: Image) -> None:
        with self._whole(image):
            self.inner.add(image)

    def save(self, image: Image, from_status: str | None = None) -> None:
        # Compared as the caller sees the image: what is written over a hidden property needs permission even where it
        # equals the hidden value, or else it could be guessed.
        changes = image.changes
        for name in changes.set_properties:
            absent = name in changes.new_properties and name not in image.withheld
            self._check('create' if absent else 'update', name)
        for name in changes.removed_properties:
            self._check('delete', name)
        with self._whole(image):
            self.inner.save(image, from_status)

    def remove(self, image: Image) -> None:
        with self._whole(image):
            self.inner.remove(image)

    def upload(self, image: Image, source: Source, size: int | None = None, store: str | None = None) -> None:
        with self._whole(image):
            self.inner.upload(image, source, size, store)

    def import_location(self, image: Image, location: NewLocation) -> None:
        with self._whole(image):
            self.inner.import_location(image, location)

    def data_size(self, image: Image) -> int:
        with self._whole(image):
            return self.inner.data_size(image)

    def download(self, image: Image, offset: int = 0, length: int | None = None, prefer: Sequence[str] = ()) -> Reader:
        with self._whole(image):
            return self.inner.download(image, offset, length, prefer)

    def end_download(self, image: Image, bytes_sent: int, length: int, destination_ip: str | None = None) -> None:
        with self._whole(image):
            self.inner.end_download(image, bytes_sent, length, destination_ip)

    @contextlib.contextmanager
    def _whole(self, image: Image) -> Iterator[None]:
        image.restore()
        try:
            yield
        finally:
            image.withhold(self._hides)

    def _honest(self, query: ImageQuery) -> ImageQuery:
        """Return the query such that it finds nothing by a property that the caller may not read."""
        if any(self._hides(name) for name, _ in query.properties):
            return dataclasses.replace(query, conditions=(*query.conditions, Condition('id', 'in', ())))
        return query

    def _hides(self, name: str) -> bool:
        return not self._permissions.allow('read', name)

    def _check(self, action: str, name: str) -> None:
        if not self._permissions.allow(action, name):
            raise exceptions.ProtectedProperty(name)
