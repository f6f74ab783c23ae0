"""The operator's rules, asked before anything is done or told."""
import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from glance import exceptions
from glance.db.interface import ImageQuery
from glance.domain.image import Image
from glance.domain.member import Member
from glance.layers.base import Images, Members, Page
from glance.store.base import Reader
from glance.transfer.sources import Source

# Rules that guard giving an image a visibility.
_VISIBILITY_RULES = {'public': 'publicize_image', 'community': 'communitize_image'}
# Rules that guard the actions, which are changes of status and nothing else.
_ACTION_RULES = {('active', 'deactivated'): 'deactivate', ('deactivated', 'active'): 'reactivate'}


def target_of(image: Image) -> dict[str, Any]:
    """Return the right side of checks on an image: its attributes, its properties, and the classic aliases."""
    return {
        **image.extra_properties,
        'id': image.image_id, 'image_id': image.image_id, 'name': image.name, 'status': image.status,
        'created_at': image.created_at, 'updated_at': image.updated_at, 'visibility': image.visibility,
        'min_disk': image.min_disk, 'min_ram': image.min_ram, 'protected': image.protected,
        'os_hidden': image.os_hidden, 'checksum': image.checksum, 'os_hash_algo': image.os_hash_algo,
        'os_hash_value': image.os_hash_value, 'owner': image.owner, 'project_id': image.owner,
        'disk_format': image.disk_format, 'container_format': image.container_format, 'size': image.size,
        'virtual_size': image.virtual_size, 'tags': image.tags, 'extra_properties': image.extra_properties,
        'member': image.member, 'member_id': image.member,
    }


class EnforceImages(Images):
    """An image that fails ``get_image`` does not exist for the caller; any other refusal is Forbidden."""

    def new(self, values: dict[str, Any]) -> Image:
        owner = values.get('owner')
        visibility = values.get('visibility', 'private')
        target = {'owner': owner, 'project_id': owner, 'visibility': visibility}
        self._check('add_image', target)
        if visibility in _VISIBILITY_RULES:
            self._check(_VISIBILITY_RULES[visibility], target)
        return self.inner.new(values)

    def get(self, image_id: str, rule: str | None = None) -> Image:
        image = self.inner.get(image_id, rule)
        if not self._allows('get_image', target_of(image)):
            raise exceptions.ImageNotFound(image_id)
        if rule is not None:
            self._check(rule, target_of(image))
        return image

    def list(self, query: ImageQuery) -> Page:
        self._check('get_images', {'project_id': self.context.owner})
        page = self.inner.list(query)
        return Page([image for image in page.images if self._allows('get_image', target_of(image))], page.next_marker)

    def count(self, query: ImageQuery) -> int:
        self._check('get_images', {'project_id': self.context.owner})
        return self.inner.count(query)

    def save(self, image: Image, from_status: str | None = None) -> None:
        # What the caller may do depends on the image as it is, not on what the caller would make of it.
        stored = target_of(image.loaded or image)
        for rule in _rules_for_changes(image):
            self._check(rule, stored)
        self.inner.save(image, from_status)

    def remove(self, image: Image) -> None:
        self._check('delete_image', target_of(image))
        self.inner.remove(image)

    def upload(self, image: Image, source: Source, size: int | None = None, store: str | None = None) -> None:
        self._check('upload_image', target_of(image))
        self.inner.upload(image, source, size, store)

    def data_size(self, image: Image) -> int:
        self._check('download_image', target_of(image))
        return self.inner.data_size(image)

    def download(self, image: Image, offset: int = 0, length: int | None = None) -> Reader:
        self._check('download_image', target_of(image))
        return self.inner.download(image, offset, length)

    def _allows(self, rule: str, target: Mapping[str, Any]) -> bool:
        return self.env.enforcer.allows(self.context, rule, target)

    def _check(self, rule: str, target: Mapping[str, Any]) -> None:
        self.env.enforcer.check(self.context, rule, target)


def _rules_for_changes(image: Image) -> Iterator[str]:
    changes = image.changes
    action = _ACTION_RULES.get(((image.loaded or image).status, image.status))
    if action is not None:
        yield action
        attributes = {name: value for name, value in changes.attributes.items() if name != 'status'}
        changes = dataclasses.replace(changes, attributes=attributes)
    if changes or action is None:
        yield 'modify_image'
    visibility = changes.attributes.get('visibility')
    if visibility in _VISIBILITY_RULES:
        yield _VISIBILITY_RULES[visibility]


class EnforceMembers(Members):
    """Asks about the image that the members are of."""

    def new(self, member_id: str) -> Member:
        self._check('add_member')
        return self.inner.new(member_id)

    def get(self, member_id: str, rule: str | None = None) -> Member:
        try:
            self._check('get_member')
            member = self.inner.get(member_id, rule)
        except exceptions.Forbidden:
            if rule is None:
                raise exceptions.MemberNotFound(self.image.image_id, member_id) from None
            raise
        if rule is not None:
            self._check(rule)
        return member

    def list(self) -> list[Member]:
        self._check('get_members')
        members = self.inner.list()
        return members if self.env.enforcer.allows(self.context, 'get_member', target_of(self.image)) else []

    def save(self, member: Member) -> None:
        self._check('modify_member')
        self.inner.save(member)

    def remove(self, member: Member) -> None:
        self._check('delete_member')
        self.inner.remove(member)

    def _check(self, rule: str) -> None:
        self.env.enforcer.check(self.context, rule, target_of(self.image))
