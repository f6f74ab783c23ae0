"""The record of an image as v2 of the API shows it, the one form in which all parts of the room exchange it."""
import re
from collections.abc import Collection, Iterator
from typing import Any

from glance.domain.properties import BASE_ATTRIBUTES, RESERVED, is_internal, is_writable

Image = dict[str, Any]

# What says something about the service and not about the image.
_OF_THE_SERVICE = frozenset(('self', 'file', 'schema', 'direct_url', 'locations', 'stores'))
# What describes the data, or follows from it; compared, but never written.
_OF_THE_DATA = ('status', 'size', 'virtual_size', 'checksum', 'os_hash_algo', 'os_hash_value', 'created_at', 'updated_at')
_UUID = re.compile(r'[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}', re.IGNORECASE)
# Cannot change once there is data.
FORMATS = ('disk_format', 'container_format')


def is_image_id(text: str) -> bool:
    """Tell whether this is a UUID."""
    return bool(_UUID.fullmatch(text))


def portable(image: Image) -> Image:
    """Return the record without what belongs to the service that showed it."""
    return {name: value for name, value in image.items() if name not in _OF_THE_SERVICE and not is_internal(name)}


def writable(image: Image, ignored: Collection[str]) -> Image:
    """Return what a new image at another service can be given."""
    return {name: value for name, value in image.items() if value is not None and _is_writable(name, ignored)}


def changes(source: Image, target: Image, ignored: Collection[str]) -> Image:
    """Return what to change at the target to make it like the source; a property that becomes None has to go."""
    found = {name: source.get(name) for name in differences(source, target, ignored) if _is_writable(name, ignored)}
    if 'visibility' in found:
        found['visibility'] = found['visibility'] or 'shared'
    return found


def _is_writable(name: str, ignored: Collection[str]) -> bool:
    return is_writable(name) and name not in ('id', 'locations', *ignored)


def differences(source: Image, target: Image, ignored: Collection[str] = ()) -> Iterator[str]:
    """Names of what differs. Attributes that one of the services does not know are not compared; properties are."""
    for name in sorted(portable(source).keys() | portable(target).keys()):
        if name in ignored or name in RESERVED:
            continue
        if _is_attribute(name) and not (name in source and name in target):
            continue
        if not _same(name, source.get(name), target.get(name), source, target):
            yield name


def _is_attribute(name: str) -> bool:
    return name in BASE_ATTRIBUTES or name in _OF_THE_DATA


def _same(name: str, one: Any, other: Any, source: Image, target: Image) -> bool:
    if name == 'tags':
        return sorted(one) == sorted(other)
    if name == 'visibility' and None in (one, other):   # v1 knows no other than public
        return (one == 'public') == (other == 'public')
    if name in ('os_hash_algo', 'os_hash_value'):
        # Services may be set to different algorithms; then the checksum and the size have to do.
        return source.get('os_hash_algo') != target.get('os_hash_algo') or one == other
    return one == other


# The form of v1, which dumps of old releases have as well.

def from_v1(image: Image) -> Image:
    """Return the record for one that v1 shows as JSON; records of v2 are returned as they are."""
    if not isinstance(image.get('properties'), dict) or 'is_public' not in image:
        return image
    attributes = {name: value for name, value in image.items()
                  if name not in ('properties', 'is_public', 'deleted', 'deleted_at', 'location')}
    return {**image['properties'], **attributes, 'visibility': 'public' if image['is_public'] else None}
