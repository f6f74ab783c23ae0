"""The keys of encrypted images, which may go with them."""
from glance.domain.image import Image
from glance.keys.disposal import dispose
from glance.layers.base import Images


class DisposeKeys(Images):
    """Deletes the key once nobody can restore the image; that of an image that waits for the scrubber is the scrubber's."""

    def remove(self, image: Image) -> None:
        self.inner.remove(image)
        if image.status == 'deleted':
            dispose(self.env.keys, self.env.database, self.context, image)
