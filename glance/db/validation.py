"""Checks of what goes into the DAL, shared by its implementations: they answer before an engine could.

Every function raises ``Invalid`` (or one of its subclasses) with a sentence that names the value at fault.
"""
import datetime
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from glance import exceptions
from glance.db import interface

ID_LENGTH = 36
NAME_LENGTH = 255           # names of properties, tags, members and workers
# Columns of ``images`` that hold text, with the number of characters they take.
TEXT_COLUMNS: Mapping[str, int] = {
    'id': ID_LENGTH, 'name': 255, 'status': 30, 'disk_format': 20, 'container_format': 20, 'checksum': 32, 'owner': 255,
    'os_hash_algo': 64, 'os_hash_value': 128,
}
INTEGER_COLUMNS: Mapping[str, int] = {
    'min_disk': interface.MAX_INTEGER, 'min_ram': interface.MAX_INTEGER,
    'size': interface.MAX_BIG_INTEGER, 'virtual_size': interface.MAX_BIG_INTEGER,
}
BOOLEAN_COLUMNS = frozenset(('protected', 'os_hidden'))
REQUIRED_COLUMNS = frozenset(('id', 'status', 'visibility', 'min_disk', 'min_ram', *BOOLEAN_COLUMNS))
WRITABLE_COLUMNS = frozenset((*TEXT_COLUMNS, *INTEGER_COLUMNS, *BOOLEAN_COLUMNS, 'visibility')) - {'id'}
VISIBILITIES = frozenset(('private', 'public', 'shared', 'community'))
LIST_VISIBILITIES = VISIBILITIES | {None, 'all'}
LOCATION_STATUSES = frozenset(('active', 'pending_delete', 'deleted'))
MEMBER_STATUSES = frozenset(('pending', 'accepted', 'rejected'))
REMOVED_STATUSES = frozenset(('deleted', 'pending_delete'))
RESTORED_STATUSES = frozenset(('active', 'deactivated'))
ORDERED_KINDS = (int, datetime.datetime)
BEING_SCRUBBED = 'The data of image %s is being removed at the moment; if that fails, try again later.'


@dataclass(frozen=True, slots=True)
class Limits:
    """What the engine behind the DAL can hold: bytes of a long text, and whether 4-byte characters at all."""

    text_bytes: int | None = None
    four_bytes: Callable[[], bool] = lambda: True


def is_storable(text: Any) -> bool:
    """Whether every engine can take this as text: no NUL, no half of a surrogate pair."""
    if not isinstance(text, str) or '\0' in text:
        return False
    return text.isascii() or not any('\ud800' <= char <= '\udfff' for char in text)


def needs_four_bytes(text: str) -> bool:
    return not text.isascii() and max(text) > '\uffff'


def is_id(image_id: Any) -> bool:
    """Whether this can be the id of anything, so that it is worth a query."""
    return is_storable(image_id) and len(image_id) <= ID_LENGTH and not needs_four_bytes(image_id)


def check_text(what: str, text: Any, length: int | None, limits: Limits) -> None:
    """Check one text; ``length`` in characters, None for the columns that hold long texts."""
    if not isinstance(text, str):
        raise exceptions.Invalid('%s must be a string.' % what)
    if not is_storable(text):
        raise exceptions.Invalid('%s holds a character that cannot be stored.' % what)
    if length is not None and len(text) > length:
        raise exceptions.Invalid('%s is longer than %d characters.' % (what, length))
    if length is None and limits.text_bytes is not None and len(text.encode()) > limits.text_bytes:
        raise exceptions.Invalid('%s is longer than %d bytes.' % (what, limits.text_bytes))
    if needs_four_bytes(text) and not limits.four_bytes():
        raise exceptions.Invalid("%s can't contain 4 byte unicode characters." % what)


def check_columns(values: Mapping[str, Any], limits: Limits) -> None:
    """Check values of columns of ``images``."""
    for column, value in values.items():
        if value is None:
            if column in REQUIRED_COLUMNS:
                raise exceptions.Invalid('%r must not be null.' % column)
        elif column in TEXT_COLUMNS:
            check_text('%r' % column, value, TEXT_COLUMNS[column], limits)
        elif column in INTEGER_COLUMNS:
            check_integer(column, value)
        elif column in BOOLEAN_COLUMNS and not isinstance(value, bool):
            raise exceptions.Invalid('%r must be true or false.' % column)
    if 'status' in values and values['status'] not in interface.IMAGE_STATUSES:
        raise exceptions.Invalid('%r is not a status of images.' % values['status'])
    if 'visibility' in values and values['visibility'] not in VISIBILITIES:
        raise exceptions.Invalid('%r is not a visibility of images.' % values['visibility'])


def check_integer(column: str, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise exceptions.Invalid('%r must be an integer.' % column)
    if value > INTEGER_COLUMNS[column]:
        raise exceptions.Invalid('%r value out of range, must not exceed %d.' % (column, INTEGER_COLUMNS[column]))
    if value < -INTEGER_COLUMNS[column]:
        raise exceptions.Invalid('%r value out of range.' % column)


def check_properties(properties: Mapping[str, Any], limits: Limits) -> None:
    for name, value in properties.items():
        check_text('The name of a property', name, NAME_LENGTH, limits)
        if value is not None:
            check_text('The value of property %r' % name, value, None, limits)


def check_tags(tags: Iterable[Any], limits: Limits) -> None:
    for tag in tags:
        check_text('A tag', tag, NAME_LENGTH, limits)


def check_locations(locations: Iterable[Mapping[str, Any]], limits: Limits) -> None:
    for location in locations:
        check_text('The URL of a location', location.get('url'), None, limits)
        check_location_status(location.get('status', 'active'))


def check_location_status(status: str, allowed: frozenset[str] = LOCATION_STATUSES) -> None:
    if status not in allowed:
        raise exceptions.Invalid('The status of a location must be one of %s, not %r.'
                                 % (', '.join(sorted(allowed)), status))


def check_restored_status(status: str) -> None:
    if status not in RESTORED_STATUSES:
        raise exceptions.Invalid('An image is restored to the status %s, not %r.'
                                 % (' or '.join(sorted(RESTORED_STATUSES)), status))


def check_member(member: Any, status: str, limits: Limits) -> None:
    check_text('A member', member, NAME_LENGTH, limits)
    check_member_status(status)


def check_member_status(status: str) -> None:
    if status not in MEMBER_STATUSES:
        raise exceptions.Invalid('The status of a member must be one of %s, not %r.'
                                 % (', '.join(sorted(MEMBER_STATUSES)), status))


def check_changes(changes: interface.ImageChanges, from_status: str | None, limits: Limits) -> None:
    """Check a difference; a column that nobody may write is a mistake in the program (``ValueError``)."""
    unknown = changes.columns.keys() - WRITABLE_COLUMNS
    if unknown:
        raise ValueError('images has no writable column %s' % ', '.join(sorted(unknown)))
    if 'status' in changes.columns and from_status is None:
        raise ValueError('a change of status needs from_status')
    check_columns(changes.columns, limits)
    check_properties(changes.set_properties, limits)
    check_properties(changes.add_properties, limits)
    check_tags(changes.add_tags, limits)
    check_locations((*changes.add_locations, *changes.update_locations), limits)
    for status in changes.remove_locations.values():
        check_location_status(status, REMOVED_STATUSES)


def check_query(query: interface.ImageQuery, limits: Limits) -> None:
    """Check everything of a query but its order (``full_sort``) and its marker. Raises InvalidFilter."""
    for condition in query.conditions:
        check_condition(condition, limits)
    for name, value in query.properties:
        _check_filter('The filter on a property', name, str, limits)
        _check_filter('The filter on property %r' % name, value, str, limits)
    for tag in query.tags:
        _check_filter('The filter on tags', tag, str, limits)
    if query.visibility not in LIST_VISIBILITIES:
        raise exceptions.InvalidFilter('%r is not a visibility of images.' % query.visibility)
    if query.member_status not in MEMBER_STATUSES | {'all'}:
        raise exceptions.InvalidFilter('%r is not a status of members.' % query.member_status)
    if query.limit is not None and query.limit < 0:
        raise exceptions.Invalid('The limit must not be negative.')


def check_condition(condition: interface.Condition, limits: Limits) -> None:
    kind = interface.FILTER_COLUMNS.get(condition.column)
    what = 'The filter on %r' % condition.column
    if kind is None:
        raise exceptions.InvalidFilter('Images cannot be filtered by %r.' % condition.column)
    if condition.op == 'in':
        if not isinstance(condition.value, tuple):
            raise exceptions.InvalidFilter('%s needs a list of values.' % what)
        for value in condition.value:
            _check_filter(what, value, kind, limits)
    elif condition.op in ('eq', 'neq'):
        if condition.value is not None:
            _check_filter(what, condition.value, kind, limits)
    elif condition.op in ('gt', 'gte', 'lt', 'lte') and kind in ORDERED_KINDS:
        _check_filter(what, condition.value, kind, limits)
    else:
        raise exceptions.InvalidFilter('%s does not know the operator %r.' % (what, condition.op))


def _check_filter(what: str, value: Any, kind: type, limits: Limits) -> None:
    if not isinstance(value, kind) or kind is int and isinstance(value, bool):
        raise exceptions.InvalidFilter('%s needs a value of another kind than %r.' % (what, value))
    if kind is int and abs(value) > interface.MAX_BIG_INTEGER:
        raise exceptions.InvalidFilter('%s has a value out of range.' % what)
    if kind is str:
        if not is_storable(value):
            raise exceptions.InvalidFilter('%s holds a character that cannot be stored.' % what)
        if needs_four_bytes(value) and not limits.four_bytes():
            raise exceptions.InvalidFilter("%s can't contain 4 byte unicode characters." % what)


def full_sort(sort: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Return the order with ``created_at`` and ``id`` at its end, each key once. Raises InvalidSortKey."""
    directions: dict[str, str] = {}
    for key, direction in sort:
        if key not in interface.SORT_COLUMNS:
            raise exceptions.InvalidSortKey('Images cannot be sorted by %r.' % key)
        if direction not in ('asc', 'desc'):
            raise exceptions.InvalidSortKey('The sort direction must be asc or desc, not %r.' % direction)
        directions.setdefault(key, direction)
    rest = sort[0][1] if len(sort) == 1 else 'desc'
    for key in ('created_at', 'id'):
        directions.setdefault(key, rest)
    return tuple(directions.items())


def second_of(moment: datetime.datetime) -> tuple[datetime.datetime, datetime.datetime]:
    """Return the beginning of the second that holds the moment, and that of the next one (``eq`` on times)."""
    start = moment.replace(microsecond=0)
    if start == datetime.datetime.max.replace(microsecond=0):
        return start, datetime.datetime.max
    return start, start + datetime.timedelta(seconds=1)


def is_as_expected(image: interface.ImageRecord, expected: Mapping[str, Any]) -> bool:
    """Tell whether an image holds the expected values; properties, tags and locations are compared as a whole."""
    # Times cannot stand in for the rest: where the engine keeps whole seconds, two changes have the same one.
    return all(image[name] == value for name, value in expected.items())


def check_cached_image(node: Any, entry: interface.CachedImage) -> None:
    check_text('The URL of the node', node, NAME_LENGTH, Limits())
    check_text('id', entry.image_id, ID_LENGTH, Limits())
    if entry.checksum is not None:
        check_text('checksum', entry.checksum, TEXT_COLUMNS['checksum'], Limits())
    check_integer('size', entry.size)
