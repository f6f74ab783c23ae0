"""The verbs on images and their members, and what a layer does by default: forward them."""
import dataclasses
from collections.abc import Sequence
from typing import Any

from glance.context import RequestContext
from glance.db.interface import ImageQuery, Removal, Resource
from glance.domain.image import Image
from glance.domain.location import NewLocation
from glance.domain.member import Member
from glance.environment import Environment
from glance.store.base import Reader
from glance.tasks.leases import Lease
from glance.transfer.sources import Source


@dataclasses.dataclass(frozen=True)
class Page:
    """Images of one page, and the id after which the next one begins (None on the last page)."""

    images: list[Image]
    next_marker: str | None


class Images:
    """One layer over images. ``inner`` is the next one; ``context`` is who asks."""

    def __init__(self, inner: 'Images', context: RequestContext, env: Environment):
        self.inner, self.context, self.env = inner, context, env

    def new(self, values: dict[str, Any]) -> Image:
        """Make an image from validated attributes and properties, without storing it."""
        return self.inner.new(values)

    def get(self, image_id: str, rule: str | None = None) -> Image:
        """Return an image that the caller may see; ``rule`` is one that the caller must pass for it besides.

        Raises ImageNotFound when it does not exist for the caller, Forbidden when only the rule refuses.
        """
        return self.inner.get(image_id, rule)

    def list(self, query: ImageQuery) -> Page:
        """Return the images that match and that the caller may see."""
        return self.inner.list(query)

    def count(self, query: ImageQuery) -> int:
        """Return how many images match on all pages."""
        return self.inner.count(query)

    def add(self, image: Image) -> None:
        """Store a new image."""
        self.inner.add(image)

    def save(self, image: Image, from_status: str | None = None) -> None:
        """Store what changed; with ``from_status`` only while the stored image has that status."""
        self.inner.save(image, from_status)

    def remove(self, image: Image) -> None:
        """Delete the image and its data."""
        self.inner.remove(image)

    def upload(self, image: Image, source: Source, size: int | None = None, store: str | None = None) -> None:
        """Store the image's data, ``size`` bytes when that is known, in the named store (default: the default one)."""
        self.inner.upload(image, source, size, store)

    def import_location(self, image: Image, location: NewLocation) -> None:
        """Give a queued image its data by a location; what takes time is done after this call."""
        self.inner.import_location(image, location)

    def data_size(self, image: Image) -> int:
        """The size in bytes of the data that the caller may download. Raises ObjectNotFound when there is none."""
        return self.inner.data_size(image)

    def download(self, image: Image, offset: int = 0, length: int | None = None, prefer: Sequence[str] = ()) -> Reader:
        """Open the image's data; ``place`` of the reader names where it is. Raises ObjectNotFound when there is none.

        ``prefer`` names stores that are tried before others, in this order.
        """
        return self.inner.download(image, offset, length, prefer)

    def end_download(self, image: Image, bytes_sent: int, length: int, destination_ip: str | None = None) -> None:
        """Take note that a download ended after ``bytes_sent`` of the ``length`` bytes that were asked for."""
        self.inner.end_download(image, bytes_sent, length, destination_ip)

    # Steps of an upload, which only the innermost layer takes.

    def begin_upload(self, image: Image, lease: Lease, store: str | None) -> None:
        """Move the image from ``queued`` to ``saving`` under the lease; ``store`` is where its data goes."""
        self.inner.begin_upload(image, lease, store)

    def reserving(self, image: Image, source: Source, lease: Lease, resource: Resource = 'storage') -> Source:
        """Return the data that the lease was taken for, as far as the image's owner has room for it."""
        return self.inner.reserving(image, source, lease, resource)

    def finish_upload(self, image: Image, lease: Lease) -> None:
        """Store what the upload found out and make the image ``active``."""
        self.inner.finish_upload(image, lease)

    def abort_upload(self, image: Image, lease: Lease, error: BaseException) -> None:
        """Return the image to ``queued`` because of the error; nothing happens when it is gone."""
        self.inner.abort_upload(image, lease, error)

    # Steps of work that goes on after its request was answered, which only the innermost layer takes.

    def begin_work(self, image: Image, lease: Lease) -> None:
        """Store what changed together with the lease. Raises Duplicate when a property that is new exists by now."""
        self.inner.begin_work(image, lease)

    def finish_work(self, image: Image, lease: Lease, goes_on: bool = False) -> None:
        """Store what changed while the lease is held, and drop it unless the work goes on. Raises LeaseLost."""
        self.inner.finish_work(image, lease, goes_on)

    # Steps of a removal, which only the innermost layer takes.

    def begin_removal(self, image: Image, lease: Lease | None = None) -> Removal:
        """Take the image from everybody; from now on its data may go. Afterwards the image has all its locations."""
        return self.inner.begin_removal(image, lease)

    def finish_removal(self, image: Image, removal: Removal) -> None:
        """Store which locations' data is gone (their status is ``deleted``); the image gets the status that it keeps."""
        self.inner.finish_removal(image, removal)

    def undo_removal(self, image: Image, removal: Removal) -> None:
        """Give the image back as it was, without the locations whose data is gone."""
        self.inner.undo_removal(image, removal)

    def check_uploading(self, image: Image) -> None:
        """Raise ImageGone when the image was deleted since the upload began."""
        self.inner.check_uploading(image)


class Members:
    """One layer over the members of one image, which the caller may see. ``inner`` and ``context`` as for ``Images``."""

    def __init__(self, inner: 'Members', context: RequestContext, env: Environment, image: Image):
        self.inner, self.context, self.env, self.image = inner, context, env, image

    def new(self, member_id: str) -> Member:
        """Make a membership, without storing it."""
        return self.inner.new(member_id)

    def get(self, member_id: str, rule: str | None = None) -> Member:
        """Return a member that the caller may see; ``rule`` is one that the caller must pass to do more than that.

        Raises MemberNotFound when it does not exist for the caller. What else refuses is MemberNotFound, too, for a
        caller who only looks, and Forbidden with a rule.
        """
        return self.inner.get(member_id, rule)

    def list(self) -> list[Member]:
        """Return the members that the caller may see, in the order of their creation."""
        return self.inner.list()

    def add(self, member: Member) -> None:
        """Store a new membership. Raises Duplicate when the project is a member already."""
        self.inner.add(member)

    def save(self, member: Member) -> None:
        """Store the status."""
        self.inner.save(member)

    def remove(self, member: Member) -> None:
        """End the membership."""
        self.inner.remove(member)
