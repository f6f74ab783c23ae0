"""What can go wrong: with everything, or with one image."""
from glance.exceptions import GlanceError


class ReplicationFailed(GlanceError):
    """Going on makes no sense: a service cannot be reached, does not let us in, or answers rubbish."""


class ImageFailed(GlanceError):
    """One image cannot be read or written; others may."""


class Taken(ImageFailed):
    """An image of this id exists and is not shown to us, or somebody else is just creating it."""


class DataDiffers(ImageFailed):
    """The bytes are not those that the record of the image describes."""
