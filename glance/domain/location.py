"""Locations as clients give them: their form, what they promise about the data, and where they go in an image."""
import dataclasses
import hashlib
import json
import re
from collections.abc import Callable
from typing import Any, Self

from glance import exceptions
from glance.domain.image import Image, Location
from glance.domain.properties import IMPORT_LOCK

MAX_URL = 255
MAX_METADATA_BYTES = 4096
MAX_METADATA_DEPTH = 4
IMPORT_ALGORITHMS = ('sha1', 'sha256', 'sha512', 'md5')
_METADATA_NAME = re.compile(r'[A-Za-z0-9_]{1,64}')
_STORE_NAME = re.compile(r'[A-Za-z0-9_-]{1,64}')
_HEX = re.compile(r'[0-9a-f]+')
_MD5_DIGITS = 32


@dataclasses.dataclass(frozen=True)
class Validation:
    """What whoever adds a location knows about the data there."""

    os_hash_algo: str
    os_hash_value: str
    checksum: str | None = None

    def __post_init__(self) -> None:
        # Whoever hashes the data, a client after a download too, compares with digits in lower case.
        for name in ('os_hash_value', 'checksum'):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, getattr(self, name).lower())

    def problem(self) -> str | None:
        """Return what keeps the values from being hashes of any data, or None."""
        try:
            digits = hashlib.new(self.os_hash_algo, usedforsecurity=False).digest_size * 2
        except ValueError:
            return 'The hash algorithm %r is not known.' % self.os_hash_algo
        for name, value, length in (('os_hash_value', self.os_hash_value, digits), ('checksum', self.checksum, _MD5_DIGITS)):
            if value is not None and not (len(value) == length and _HEX.fullmatch(value)):
                return '%s must be %d hexadecimal digits.' % (name, length)
        return None

    def apply_to(self, image: Image, algorithm: str) -> None:
        """Make this what is known of the image's data, hashed with ``algorithm``. Raises Conflict when it cannot be."""
        given = {name: value for name, value in dataclasses.asdict(self).items() if value is not None}
        for name, value in given.items():
            if getattr(image, name) not in (None, value):
                raise exceptions.Conflict('%s of the validation data differs from that of the image.' % name)
        if all(getattr(image, name) == value for name, value in given.items()):
            return
        if image.status != 'queued':
            raise exceptions.Conflict('New validation data is taken only in status "queued", not in %r.' % image.status)
        if self.os_hash_algo != algorithm:
            raise exceptions.Conflict('os_hash_algo must be %s, the algorithm of this service.' % algorithm)
        problem = self.problem()
        if problem:
            raise exceptions.Conflict(problem)
        for name, value in given.items():
            setattr(image, name, value)


@dataclasses.dataclass(frozen=True)
class NewLocation:
    """A location to add, as a client describes it."""

    url: str
    metadata: dict[str, Any]
    validation: Validation | None = None

    @classmethod
    def parse(cls, value: Any) -> Self:
        """Return the location that an operation of a patch describes; raise Invalid naming the fault."""
        if not isinstance(value, dict):
            raise exceptions.Invalid('A location must be a JSON object.')
        url, metadata = value.get('url'), value.get('metadata')
        if not isinstance(url, str) or not 0 < len(url) <= MAX_URL:
            raise exceptions.Invalid('The "url" of a location must be a string of 1 to %d characters.' % MAX_URL)
        if not isinstance(metadata, dict):
            raise exceptions.Invalid('The "metadata" of a location must be a JSON object.')
        _check_metadata(metadata)
        validation = _validation(value['validation_data']) if 'validation_data' in value else None
        return cls(url, metadata, validation)

    @classmethod
    def parse_import(cls, values: dict[str, Any]) -> Self:
        """Return the location that the body of the call for locations describes; raise Invalid naming the fault."""
        url = values.get('url')
        if not isinstance(url, str) or not url:
            raise exceptions.Invalid('The request body must have a "url" that is a string.')
        given = values.get('validation_data', {})
        if not isinstance(given, dict) or given.keys() not in (set(), {'os_hash_algo', 'os_hash_value'}):
            raise exceptions.Invalid('"validation_data" must be an object with "os_hash_algo" and "os_hash_value", or empty.')
        if not given:
            return cls(url, {})
        if given['os_hash_algo'] not in IMPORT_ALGORITHMS or not isinstance(given['os_hash_value'], str):
            raise exceptions.Invalid('"os_hash_algo" must be one of %s, and "os_hash_value" a string.'
                                     % ', '.join(IMPORT_ALGORITHMS))
        return cls(url, {}, Validation(**given))

    def location(self) -> Location:
        """Return the location, not stored yet."""
        return Location(self.url, dict(self.metadata))


def insert(image: Image, ordered: list[Location], position: int | None, new: NewLocation, algorithm: str) -> None:
    """Add a location at a position of the ``ordered`` ones (None, or beyond: at the end); a queued image becomes active.

    Raises StatusConflict, Conflict for validation data that cannot be right, Invalid while formats are missing.
    """
    _check_open(image)
    _promise(image, [new], algorithm)
    ordered.insert(len(ordered) if position is None else position, new.location())
    _take(image, ordered)


def replace(image: Image, ordered: list[Location], new: list[NewLocation], algorithm: str) -> None:
    """Give an image without locations all of them, or the ones it has another order and other metadata.

    Raises what ``insert`` does, Invalid for other URLs than the image has.
    """
    _check_open(image)
    _promise(image, new, algorithm)
    if not ordered:
        _take(image, [each.location() for each in new])
        return
    left, wanted = list(ordered), []
    for each in new:
        stored = next((location for location in left if location.url == each.url), None)
        if stored is None:
            break
        left.remove(stored)
        wanted.append(dataclasses.replace(stored, metadata=dict(each.metadata)))
    if left or len(wanted) != len(new):
        raise exceptions.Invalid('The locations of an image may be replaced only by the same URLs, in another order or with '
                                 'other metadata; add new ones and remove old ones instead.')
    _take(image, wanted)


def remove(image: Image, ordered: list[Location], position: int | None) -> None:
    """Remove the location at a position of the ``ordered`` ones (None: the last one).

    Raises StatusConflict, Forbidden for the only location, Invalid for a position that does not exist.
    """
    image.check_status('active')
    if len(ordered) == 1:
        raise exceptions.Forbidden('The last location of an image cannot be removed.')
    position = len(ordered) - 1 if position is None else position
    if not 0 <= position < len(ordered):
        raise exceptions.Invalid('The image has no location at position %d.' % position)
    del ordered[position]
    image.locations = ordered


def remove_all(image: Image, is_removed: Callable[[Location], bool]) -> None:
    """Remove the locations that are meant, of which there must be at least one, and never all.

    Raises StatusConflict, Conflict while a task works on the image, Forbidden when no location would be left, NotFound when
    none is meant.
    """
    image.check_status('active')
    holder = image.extra_properties.get(IMPORT_LOCK)
    if holder:
        raise exceptions.Conflict('Image %s is being worked on by task %s.' % (image.image_id, holder))
    kept = [location for location in image.locations if not is_removed(location)]
    if len(image.locations) < 2 or not kept:
        raise exceptions.Forbidden('The last location of an image cannot be removed; delete the image instead.')
    if len(kept) == len(image.locations):
        raise exceptions.NotFound('The image has no data in this store.')
    image.locations = kept


def _check_open(image: Image) -> None:
    if image.status not in ('queued', 'active'):
        raise exceptions.StatusConflict(image.image_id, image.status, 'active')


def _promise(image: Image, new: list[NewLocation], algorithm: str) -> None:
    for each in new:
        if each.validation is not None:
            each.validation.apply_to(image, algorithm)


def _take(image: Image, locations: list[Location]) -> None:
    image.locations = locations
    if image.status == 'queued':
        image.set_status('active')


def _validation(value: Any) -> Validation:
    names = {'os_hash_algo': 64, 'os_hash_value': 128, 'checksum': _MD5_DIGITS}
    if not isinstance(value, dict) or not {'os_hash_algo', 'os_hash_value'} <= value.keys() <= names.keys():
        raise exceptions.Invalid('"validation_data" must have "os_hash_algo" and "os_hash_value", and may have "checksum".')
    for name, text in value.items():
        fits = isinstance(text, str) and (len(text) == _MD5_DIGITS if name == 'checksum' else len(text) <= names[name])
        if not fits:
            raise exceptions.Invalid('%r of the validation data must be a string of %s%d characters.'
                                     % (name, '' if name == 'checksum' else 'at most ', names[name]))
    return Validation(**value)


def _check_metadata(metadata: dict[str, Any]) -> None:
    if len(json.dumps(metadata)) > MAX_METADATA_BYTES:
        raise exceptions.Invalid('The metadata of a location takes more than %d bytes.' % MAX_METADATA_BYTES)
    _check_part(metadata, MAX_METADATA_DEPTH)
    if 'store' in metadata:
        store = metadata['store']
        if not isinstance(store, str) or not _STORE_NAME.fullmatch(store) or store.startswith('os_glance_'):
            raise exceptions.Invalid('"store" in the metadata of a location must be the name of a store for images.')


def _check_part(value: Any, depth: int) -> None:
    if not isinstance(value, str | list | dict):
        raise exceptions.Invalid('Values in the metadata of a location must be strings, arrays and objects; %s is none.'
                                 % json.dumps(value))
    if isinstance(value, str):
        return
    if not depth:
        raise exceptions.Invalid('The metadata of a location is nested deeper than %d levels.' % MAX_METADATA_DEPTH)
    for name in value if isinstance(value, dict) else ():
        if not _METADATA_NAME.fullmatch(name):
            raise exceptions.Invalid('Names in the metadata of a location have 1 to 64 letters, digits and underscores.')
    for part in value.values() if isinstance(value, dict) else value:
        _check_part(part, depth - 1)
