"""The operator's rules, asked before anything is done or told."""
import dataclasses
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

from glance import exceptions
from glance.db.interface import ImageQuery
from glance.domain.changes import Changes
from glance.domain.image import Image
from glance.domain.location import NewLocation
from glance.domain.member import Member
from glance.layers.base import Images, Members, Page
from glance.store.base import Reader
from glance.transfer.sources import Source

# Rules that guard giving an image a visibility.
_VISIBILITY_RULES = {'public': 'publicize_image', 'community': 'communitize_image'}
# Rules that services pass, whose tokens need no role that shows images.
_SERVICE_RULES = ('add_image_location', 'fetch_image_location')
# What an image gets together with its first location.
_FROM_LOCATION = frozenset(('status', 'size', 'checksum', 'os_hash_algo', 'os_hash_value'))
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
        target = target_of(image)
        if rule in _SERVICE_RULES and self._allows(rule, target):
            return image
        if not self._allows('get_image', target):
            raise exceptions.ImageNotFound(image_id)
        if rule is not None:
            self._check(rule, target)
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

    def import_location(self, image: Image, location: NewLocation) -> None:
        self._check('add_image_location', target_of(image))
        self.inner.import_location(image, location)

    def data_size(self, image: Image) -> int:
        self._check('download_image', target_of(image))
        return self.inner.data_size(image)

    def download(self, image: Image, offset: int = 0, length: int | None = None, prefer: Sequence[str] = ()) -> Reader:
        target = target_of(image)
        self._check('download_image', target)
        if prefer:
            self._check('download_from_store', target)
        return self.inner.download(image, offset, length, prefer)

    def _allows(self, rule: str, target: Mapping[str, Any]) -> bool:
        return self.env.enforcer.allows(self.context, rule, target)

    def _check(self, rule: str, target: Mapping[str, Any]) -> None:
        self.env.enforcer.check(self.context, rule, target)


def _rules_for_changes(image: Image) -> Iterator[str]:
    changes = image.changes
    action = _ACTION_RULES.get(((image.loaded or image).status, image.status))
    if action is not None:
        yield action
        changes = _without(changes, {'status'})
    if changes.added_locations or changes.updated_locations or changes.reordered_locations:
        action = 'set_image_location'
        yield action
        changes = _without(changes, _FROM_LOCATION)
    if changes.removed_locations:
        action = 'delete_image_location'
        yield action
    changes = dataclasses.replace(changes, added_locations=[], updated_locations=[], removed_locations=[],
                                  reordered_locations=False)
    if changes or action is None:
        yield 'modify_image'
    visibility = changes.attributes.get('visibility')
    if visibility in _VISIBILITY_RULES:
        yield _VISIBILITY_RULES[visibility]


def _without(changes: Changes, names: Set[str]) -> Changes:
    return dataclasses.replace(changes, attributes={
        name: value for name, value in changes.attributes.items() if name not in names})


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
