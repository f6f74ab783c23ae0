"""How many, how much and how often: limits on tags, properties, members, bytes and new images."""
from typing import Any

from glance import exceptions
from glance.domain.image import Image
from glance.domain.location import NewLocation
from glance.domain.member import Member
from glance.domain.properties import is_internal
from glance.environment import Environment
from glance.layers.base import Images, Members
from glance.transfer.sources import Source


def _check_count(env: Environment, noun: str, count: int, limit: int) -> None:
    if 0 <= limit < count:
        env.metrics.quota_refused(noun)
        raise exceptions.LimitExceeded('The image would have %d %s; at most %d are allowed.' % (count, noun, limit))


class QuotaImages(Images):
    """Counts what the caller adds; an image that is over a limit already may still be changed otherwise."""

    def new(self, values: dict[str, Any]) -> Image:
        image = self.inner.new(values)
        self._check_tags(image)
        self._check_properties(image)
        return image

    def add(self, image: Image) -> None:
        if self.env.create_rate is not None:
            self.env.create_rate.take(self.context.owner)
        self.inner.add(image)

    def save(self, image: Image, from_status: str | None = None) -> None:
        changes = image.changes
        if changes.added_tags:
            self._check_tags(image)
        if changes.added_locations:
            _check_count(self.env, 'locations', len(image.locations), self.env.conf.image_location_quota)
        if any(not is_internal(name) for name in changes.new_properties):
            self._check_properties(image)
        self.inner.save(image, from_status)

    def import_location(self, image: Image, location: NewLocation) -> None:
        _check_count(self.env, 'locations', len(image.locations) + 1, self.env.conf.image_location_quota)
        self.inner.import_location(image, location)

    def upload(self, image: Image, source: Source, size: int | None = None, store: str | None = None) -> None:
        cap = self.env.conf.image_size_cap
        if size is not None and size > cap:
            self.env.metrics.quota_refused('size')
            raise exceptions.ImageSizeLimitExceeded(cap)
        self.inner.upload(image, source, size, store)

    def _check_tags(self, image: Image) -> None:
        _check_count(self.env, 'tags', len(image.tags), self.env.conf.image_tag_quota)

    def _check_properties(self, image: Image) -> None:
        count = sum(not is_internal(name) for name in image.extra_properties)
        _check_count(self.env, 'properties', count, self.env.conf.image_property_quota)


class QuotaMembers(Members):
    """Counts the members of the image."""

    def new(self, member_id: str) -> Member:
        member = self.inner.new(member_id)
        _check_count(self.env, 'members', len(self.inner.list()) + 1, self.env.conf.image_member_quota)
        return member
