"""Names and values of image attributes: the one validator for every way in (v2, v1, registry, import).

An image has base attributes, listed here with their types and limits, and additional properties: any other name, with a
string value. Some names belong to the service and are refused to clients.
"""
import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

from glance import exceptions
from glance.domain.image import VISIBILITIES

MAX_INTEGER = 2 ** 31 - 1
MAX_NAME = 255
MAX_VALUE_BYTES = 65535
INTERNAL_PREFIX = 'os_glance'
# Names the task that works on the image; who adds it to an image that has none may.
IMPORT_LOCK = 'os_glance_import_task'
# Says of an image that nobody has compared its hash with its data.
UNVERIFIED_HASH = 'os_glance_unverified_hash'
# Internal properties that clients may read.
SHOWN_INTERNAL = frozenset((IMPORT_LOCK, 'os_glance_importing_to_stores', 'os_glance_failed_import'))
_UUID = re.compile(r'[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}')


@dataclasses.dataclass(frozen=True)
class Attribute:
    """A base attribute that clients may set: its JSON type and limits (characters, or bounds of an integer)."""

    name: str
    type: type
    nullable: bool = False
    max_length: int | None = None
    values: tuple[str, ...] | None = None


BASE_ATTRIBUTES = {attribute.name: attribute for attribute in (
    Attribute('id', str, max_length=36),
    Attribute('name', str, nullable=True, max_length=255),
    Attribute('visibility', str, values=VISIBILITIES),
    Attribute('protected', bool),
    Attribute('os_hidden', bool),
    Attribute('owner', str, nullable=True, max_length=255),
    Attribute('tags', list, max_length=255),
    Attribute('min_disk', int),
    Attribute('min_ram', int),
    Attribute('disk_format', str, nullable=True),
    Attribute('container_format', str, nullable=True),
)}
# Set by the service alone: asking to write one of them is refused whatever the value.
READ_ONLY = frozenset(('status', 'size', 'virtual_size', 'checksum', 'os_hash_algo', 'os_hash_value', 'created_at',
                       'updated_at', 'direct_url', 'self', 'file', 'schema', 'stores'))
# Words of the record that must never become additional properties.
RESERVED = frozenset(('location', 'deleted', 'deleted_at'))


def is_internal(name: str) -> bool:
    """Tell whether the name belongs to the service's own bookkeeping."""
    return name.startswith(INTERNAL_PREFIX)


def is_writable(name: str) -> bool:
    """Tell whether a client may write an attribute or property of this name."""
    return not (name in READ_ONLY or name in RESERVED or is_internal(name))


def is_shown(name: str) -> bool:
    """Tell whether clients see a stored property of this name; other releases let some names of attributes pass."""
    return name in SHOWN_INTERNAL or is_writable(name) and name not in BASE_ATTRIBUTES and name != 'locations'


def check_writable(name: str) -> None:
    """Raise ReadonlyProperty or ReservedProperty for a name that no client may write."""
    if name in READ_ONLY:
        raise exceptions.ReadonlyProperty(name)
    if name in RESERVED or is_internal(name):
        raise exceptions.ReservedProperty(name)


def _type_name(kind: type) -> str:
    return {str: 'a string', bool: 'true or false', int: 'an integer', list: 'a list of strings'}[kind]


def _quote(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + '...'


class Validator:
    """Checks values against the base attributes, the configured formats and the operator's extra schema.

    ``extra`` maps names of additional properties to validators with a method ``error(value) -> str | None``; whether
    ``others`` are allowed is the operator's choice.
    """

    def __init__(self, disk_formats: Sequence[str], container_formats: Sequence[str],
                 extra: Mapping[str, Any] | None = None, others: bool = True):
        self._formats = {'disk_format': tuple(disk_formats), 'container_format': tuple(container_formats)}
        self._extra = dict(extra or {})
        self._others = others

    def value(self, name: str, value: Any) -> Any:
        """Return the value as it is kept (``1.0`` becomes 1, repeated tags collapse); raise Invalid naming the fault."""
        attribute = BASE_ATTRIBUTES.get(name)
        return self._property(name, value) if attribute is None else self._base(attribute, value)

    def _base(self, attribute: Attribute, value: Any) -> Any:
        name = attribute.name
        if value is None and attribute.nullable:
            return None
        if attribute.type is int and isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, attribute.type) or (attribute.type is int and isinstance(value, bool)):
            raise exceptions.Invalid('%s is not a valid value of %r, which must be %s%s.' % (
                _quote(value), name, _type_name(attribute.type), ' or null' if attribute.nullable else ''))
        if isinstance(value, str):
            return self._text(attribute, value)
        if isinstance(value, list):
            return _tags(value, attribute.max_length)
        return value if isinstance(value, bool) else _bounded(name, value)

    def _text(self, attribute: Attribute, value: str) -> str | None:
        name = attribute.name
        allowed = self._formats.get(name, attribute.values)
        if allowed is not None and value not in allowed:
            raise exceptions.Invalid('%s is not a valid value of %r; use one of: %s.' % (
                _quote(value), name, ', '.join(allowed) or '(none is configured)'))
        if name == 'id' and not _UUID.fullmatch(value):
            raise exceptions.Invalid('%s is not a valid value of %r, which must be a UUID such as '
                                     'b2173dd3-7ad6-4362-baa6-a68bce3565cb.' % (_quote(value), name))
        check_length('Attribute %r' % name, value, attribute.max_length)
        # An empty owner means that nobody owns the image.
        return None if name == 'owner' and not value else value

    def _property(self, name: str, value: Any) -> Any:
        check_length('The name of a property', name, MAX_NAME)
        if name in self._extra:
            error = self._extra[name].error(value)
            if error:
                raise exceptions.Invalid('%s is not a valid value of %r: %s.' % (_quote(value), name, error))
            if not isinstance(value, str):
                return value
        elif not self._others:
            raise exceptions.Invalid('Additional properties are limited to those of the image schema; %r is none of them.'
                                     % name)
        elif not isinstance(value, str):
            raise exceptions.Invalid('%s is not a valid value of property %r, which must be a string.'
                                     % (_quote(value), name))
        if len(value) > MAX_VALUE_BYTES // 4 and len(value.encode()) > MAX_VALUE_BYTES:
            raise exceptions.Invalid('The value of property %r is longer than %d bytes.' % (name, MAX_VALUE_BYTES))
        return value


def check_length(what: str, value: str, limit: int | None) -> None:
    """Raise Invalid when the text has more than ``limit`` characters."""
    if limit is not None and len(value) > limit:
        raise exceptions.Invalid('%s is longer than %d characters.' % (what, limit))


def _bounded(name: str, value: Any) -> int:
    if not 0 <= value <= MAX_INTEGER:
        raise exceptions.Invalid('%s is not a valid value of %r, which must be between 0 and %d.'
                                 % (_quote(value), name, MAX_INTEGER))
    return value


def _tags(value: list, limit: int | None) -> list[str]:
    for tag in value:
        if not isinstance(tag, str):
            raise exceptions.Invalid('%s is not a valid tag; tags must be strings.' % _quote(tag))
        check_length('Tag %s' % _quote(tag), tag, limit)
    return list(dict.fromkeys(value))
