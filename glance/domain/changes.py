"""What differs between two states of one image."""
import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from glance.domain.image import Image, Location

# Attributes of an image that the service itself keeps: never part of a difference.
_KEPT_ELSEWHERE = frozenset(('image_id', 'created_at', 'updated_at', 'tags', 'extra_properties', 'locations', 'member',
                             'loaded', 'guarded', 'withheld'))


@dataclasses.dataclass(frozen=True)
class Changes:
    """The new values of attributes, and what was added to or removed from the collections."""

    attributes: dict[str, Any]
    set_properties: dict[str, str | None]
    removed_properties: set[str]
    new_properties: set[str]
    added_tags: list[str]
    removed_tags: list[str]
    added_locations: list['Location']
    updated_locations: list['Location']
    removed_locations: list['Location']
    reordered_locations: bool = False

    def __bool__(self) -> bool:
        return any(getattr(self, field.name) for field in dataclasses.fields(self))


def difference(before: 'Image', after: 'Image') -> Changes:
    """Return what has to be done to ``before`` to make it ``after``."""
    attributes = {
        field.name: getattr(after, field.name) for field in dataclasses.fields(after)
        if field.name not in _KEPT_ELSEWHERE and getattr(after, field.name) != getattr(before, field.name)}
    old, new = before.extra_properties, after.extra_properties
    stored = {location.id: location for location in before.locations}
    kept = {location.id for location in after.locations if location.id is not None}
    return Changes(
        attributes=attributes,
        set_properties={name: value for name, value in new.items() if name not in old or old[name] != value},
        removed_properties=set(old) - set(new),
        new_properties=set(new) - set(old),
        added_tags=[tag for tag in after.tags if tag not in before.tags],
        removed_tags=[tag for tag in before.tags if tag not in after.tags],
        added_locations=[location for location in after.locations if location.id is None],
        updated_locations=[location for location in after.locations
                           if location.id is not None and location != stored.get(location.id)],
        removed_locations=[location for location in before.locations if location.id not in kept],
        reordered_locations=[location.id for location in after.locations if location.id in stored] != [
            location.id for location in before.locations if location.id in kept],
    )
