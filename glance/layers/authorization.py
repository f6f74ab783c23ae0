"""Ownership: who may make and change images, whatever the rules say."""
from collections.abc import Sequence
from typing import Any

from glance import exceptions
from glance.context import RequestContext
from glance.domain.image import Image
from glance.domain.location import NewLocation
from glance.domain.member import Member
from glance.layers.base import Images, Members
from glance.store.base import Reader
from glance.transfer.sources import Source


class AuthorizeImages(Images):
    """Owners change their own images, administrators all, anonymous callers none."""

    def new(self, values: dict[str, Any]) -> Image:
        _refuse_read_only(self.context)
        values.setdefault('owner', self.context.owner)
        if not self.context.is_admin and (values['owner'] is None or values['owner'] != self.context.owner):
            raise exceptions.Forbidden('You are not permitted to create images owned by %r.' % values['owner'])
        return self.inner.new(values)

    def save(self, image: Image, from_status: str | None = None) -> None:
        _check_mutable(image, self.context, 'modify')
        if 'owner' in image.changes.attributes and not self.context.is_admin:
            raise exceptions.Forbidden('Only an administrator may change the owner of an image.')
        self.inner.save(image, from_status)

    def remove(self, image: Image) -> None:
        _check_mutable(image, self.context, 'delete')
        self.inner.remove(image)

    def upload(self, image: Image, source: Source, size: int | None = None, store: str | None = None) -> None:
        _check_mutable(image, self.context, 'upload data of')
        self.inner.upload(image, source, size, store)

    def import_location(self, image: Image, location: NewLocation) -> None:
        # Services add locations to images of the projects that they work for.
        _refuse_read_only(self.context)
        self.inner.import_location(image, location)

    def data_size(self, image: Image) -> int:
        self._check_readable(image)
        return self.inner.data_size(image)

    def download(self, image: Image, offset: int = 0, length: int | None = None, prefer: Sequence[str] = ()) -> Reader:
        self._check_readable(image)
        return self.inner.download(image, offset, length, prefer)

    def _check_readable(self, image: Image) -> None:
        if image.status == 'deactivated' and not self.context.is_admin:
            raise exceptions.Forbidden('The requested image has been deactivated. Image data download is forbidden.')


class AuthorizeMembers(Members):
    """Owners choose the members of their images, members answer for themselves; administrators do either."""

    def new(self, member_id: str) -> Member:
        _check_mutable(self.image, self.context, 'add members to')
        return self.inner.new(member_id)

    def save(self, member: Member) -> None:
        _refuse_read_only(self.context)
        itself = self.context.owner == member.member_id and self.context.owner != self.image.owner
        if not itself and not self.context.is_admin:
            raise exceptions.Forbidden('Only the member itself may accept or reject an image.')
        self.inner.save(member)

    def remove(self, member: Member) -> None:
        _check_mutable(self.image, self.context, 'remove members of')
        self.inner.remove(member)


def _check_mutable(image: Image, context: RequestContext, action: str) -> None:
    _refuse_read_only(context)
    if context.is_admin:
        return
    # Judged by the stored owner, so that nobody gains an image by giving it to himself.
    owner = (image.loaded or image).owner
    if owner is None or owner != context.owner:
        raise exceptions.Forbidden('You are not permitted to %s this image.' % action)


def _refuse_read_only(context: RequestContext) -> None:
    if context.read_only:
        raise exceptions.Forbidden('An anonymous caller may not change anything; authenticate first.')
