"""Signed images: the properties of a signature come together, and stay as they are once they vouch for data."""
from typing import Any

from glance import exceptions
from glance.domain.image import Image
from glance.domain.signature import PROPERTIES, check_complete
from glance.layers.base import Images

# While the data is still to come, the owner may change his mind about its signature.
_OPEN = ('queued', 'uploading')


class SignImages(Images):
    """Refuses half signatures, and new signatures over data that was verified by another one."""

    def new(self, values: dict[str, Any]) -> Image:
        image = self.inner.new(values)
        check_complete(image.extra_properties)
        return image

    def save(self, image: Image, from_status: str | None = None) -> None:
        changes = image.changes
        touched = [name for name in PROPERTIES if name in changes.set_properties or name in changes.removed_properties]
        if touched:
            check_complete(image.extra_properties)
            if not self.context.is_admin:
                _check_open(image, touched[0])
                # An upload that has begun since then verifies by what it found.
                from_status = from_status or image.loaded.status
        self.inner.save(image, from_status)


def _check_open(image: Image, name: str) -> None:
    if image.loaded.status not in _OPEN:
        raise exceptions.Forbidden('Attribute %r cannot be changed in status %r: it vouches for the data of the image.'
                                   % (name, image.loaded.status))
