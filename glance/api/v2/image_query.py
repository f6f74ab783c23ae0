"""The query string of an image list: filters, sorting and paging."""
import datetime
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from oslo_config import cfg
from oslo_utils import timeutils

from glance import exceptions
from glance.api.json_body import check_text
from glance.db.interface import MAX_BIG_INTEGER, SORT_COLUMNS, Condition, ImageQuery
from glance.db.validation import second_of
from glance.domain.image import VISIBILITIES
from glance.domain.properties import SHOWN_INTERNAL, is_internal

Parameters = list[tuple[str, str]]

_MEMBER_STATUSES = ('pending', 'accepted', 'rejected', 'all')
_REPEATABLE = ('tag', 'sort_key', 'sort_dir')
# The second name is what old clients send; it stands for one tag.
_TAG = ('tag', 'tags')
_PAGING = ('limit', 'marker', 'sort', 'sort_key', 'sort_dir')
_TEXT = ('owner', 'checksum', 'os_hash_value', 'os_hash_algo')
_TEXT_OR_LIST = ('name', 'id', 'status', 'container_format', 'disk_format')
_TIMES = ('created_at', 'updated_at')
_INTEGERS = ('size', 'virtual_size', 'min_ram', 'min_disk')
_TIME_OPERATORS = ('gt', 'gte', 'lt', 'lte', 'eq', 'neq')
_REFUSED = ('changes-since', 'properties', 'locations', 'members')
_MAX_SORT_KEYS = 8
_MAX_LIST = 200
# An item of an in: list: quoted, with \" and \\ inside, or plain up to the next comma.
_LIST_ITEM = re.compile(r'"((?:[^"\\]|\\.)*)"(?=,|\Z)|([^",]*)(?=,|\Z)', re.DOTALL)


def parameters(query_string: str) -> Parameters:
    """Return names and values in their order; of a name that may stand once, the last one counts.

    Raises Invalid for text that is not UTF-8 or holds NUL.
    """
    try:
        found = parse_qsl(query_string, keep_blank_values=True, errors='strict', max_num_fields=1000)
    except ValueError:
        raise exceptions.Invalid('The query string is not UTF-8 text, or has more than 1000 parts.') from None
    for name, value in found:
        check_text(name)
        check_text(value)
    last = {name: position for position, (name, _) in enumerate(found)}
    return [(name, value) for position, (name, value) in enumerate(found)
            if name in _REPEATABLE or last[name] == position]


def parse(found: Parameters, conf: cfg.ConfigOpts) -> ImageQuery:
    """Return the query that the parameters describe. Raises Invalid or InvalidFilter with the parameter's name."""
    single = dict(found)
    conditions: list[Condition] = []
    properties: list[tuple[str, str]] = []
    for name, value in found:
        if name in _PAGING or name in (*_TAG, 'visibility', 'member_status', 'os_hidden', 'deleted'):
            continue
        conditions_of = _FILTERS.get(name)
        if conditions_of is not None:
            conditions.append(conditions_of(name, value))
        elif name.endswith(('_min', '_max')):
            conditions.append(_bound(name, value))
        elif name in _REFUSED:
            raise exceptions.InvalidFilter('%r is not a filter of this list.' % name)
        elif is_internal(name) and name not in SHOWN_INTERNAL:
            conditions.append(Condition('id', 'in', ()))
        else:
            properties.append((name, value))
    return ImageQuery(
        conditions=tuple(conditions), properties=tuple(properties),
        tags=tuple(value.strip() for name, value in found if name in _TAG), visibility=_visibility(single),
        member_status=_choice('member_status', single.get('member_status', 'accepted'), _MEMBER_STATUSES),
        hidden=_boolean('os_hidden', single.get('os_hidden', 'false').lower()), sort=_sort(found), marker=_marker(single),
        limit=min(_limit(single.get('limit'), conf.limit_param_default), conf.api_limit_max))


def _choice(name: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise exceptions.Invalid('%s=%s is not valid; use one of: %s.' % (name, value[:80], ', '.join(allowed)))
    return value


def _visibility(single: dict[str, str]) -> str | None:
    value = single.get('visibility')
    return _choice('visibility', value, (*VISIBILITIES, 'all')) if value else None


def _boolean(name: str, value: str) -> bool:
    return _choice(name, value, ('true', 'false')) == 'true'


def _integer(name: str, value: str) -> int:
    if not re.fullmatch(r'-?[0-9]{1,19}', value) or abs(int(value)) > MAX_BIG_INTEGER:
        raise exceptions.InvalidFilter('%s=%s is not valid; use an integer of at most 64 bits.' % (name, value[:80]))
    return int(value)


def _bound(name: str, value: str) -> Condition:
    column, end = name[:-4], name[-3:]
    if column not in _INTEGERS:
        raise exceptions.InvalidFilter('%r is not a filter of this list; the attributes %s have bounds.'
                                       % (name, ', '.join(_INTEGERS)))
    return Condition(column, 'gte' if end == 'min' else 'lte', _integer(name, value))


def _text_or_list(name: str, value: str) -> Condition:
    operator, colon, rest = value.partition(':')
    if not colon:
        return Condition(name, 'eq', value)
    if operator == 'eq':
        return Condition(name, 'eq', rest)
    if operator == 'in':
        return Condition(name, 'in', tuple(_list_items(name, rest)))
    raise exceptions.InvalidFilter('%s=%s is not valid; the operators are eq: and in: (write eq: before a value with a '
                                   'colon).' % (name, value[:80]))


def _list_items(name: str, text: str) -> list[str]:
    items, position = [], 0
    while True:
        match = _LIST_ITEM.match(text, position)
        if match is None:
            raise exceptions.InvalidFilter('%s=in:… has a quote in a wrong place; quote whole items, and write \\" for a '
                                           'quote inside.' % name)
        items.append(match[2] if match[1] is None else re.sub(r'\\(["\\])', r'\1', match[1]))
        position = match.end() + 1
        if match.end() == len(text):
            break
    if len(items) > _MAX_LIST:
        raise exceptions.InvalidFilter('%s=in:… has %d items; at most %d are allowed.' % (name, len(items), _MAX_LIST))
    return items


def _time(name: str, value: str) -> Condition:
    operator, colon, rest = value.partition(':')
    if not colon or not operator.isalpha():
        operator, rest = 'eq', value
    if operator not in _TIME_OPERATORS:
        raise exceptions.InvalidFilter('%s=%s is not valid; the operators are: %s.'
                                       % (name, value[:80], ', '.join(_TIME_OPERATORS)))
    moment = _moment(name, rest)
    if operator in ('gt', 'lte'):
        # Clients know times to the second, and a second is over when the next one begins.
        _, following = second_of(moment)
        return Condition(name, 'gte' if operator == 'gt' else 'lt', following)
    return Condition(name, operator, moment)


def _moment(name: str, text: str) -> datetime.datetime:
    try:
        return timeutils.normalize_time(timeutils.parse_isotime(text))
    except (ValueError, OverflowError):
        raise exceptions.InvalidFilter('%s=%s is not valid; use a time like 2026-01-31T12:00:00Z.'
                                       % (name, text[:80])) from None


def _marker(single: dict[str, str]) -> str | None:
    marker = single.get('marker')
    if marker == '':
        raise exceptions.InvalidMarker(marker)
    return marker


def _limit(value: str | None, default: int) -> int:
    if value is None:
        return default
    if not re.fullmatch(r'[0-9]{1,19}', value):
        raise exceptions.Invalid('limit=%s is not valid; use an integer that is not negative.' % value[:80])
    return int(value)


def _sort(found: Parameters) -> tuple[tuple[str, Any], ...]:
    keys = [value for name, value in found if name == 'sort_key']
    directions = [value for name, value in found if name == 'sort_dir']
    sort = dict(found).get('sort')
    if sort is not None:
        if keys or directions:
            raise exceptions.Invalid('sort cannot be combined with sort_key or sort_dir.')
        pairs = [item.strip().partition(':') for item in sort.split(',')]
        keys = [key.strip() for key, _, _ in pairs]
        directions = [direction.strip() or 'desc' for _, _, direction in pairs]
    keys = keys or ['created_at']
    if len(directions) < 2 and sort is None:
        directions = (directions or ['desc']) * len(keys)
        given = 1
    else:
        given = len(directions)
    _check_sort(keys, directions)
    tail = directions[0] if given == 1 else 'desc'
    order: dict[str, Any] = {}
    for key, direction in (*zip(keys, directions, strict=True), ('created_at', tail), ('id', tail)):
        order.setdefault(key, direction)
    return tuple(order.items())


def _check_sort(keys: list[str], directions: list[str]) -> None:
    if len(keys) != len(directions):
        raise exceptions.Invalid('The query has %d sort keys and %d sort directions; give one direction, or one for each '
                                 'key.' % (len(keys), len(directions)))
    if len(keys) > _MAX_SORT_KEYS:
        raise exceptions.Invalid('The query has %d sort keys; at most %d are allowed.' % (len(keys), _MAX_SORT_KEYS))
    for key, direction in zip(keys, directions, strict=True):
        if key not in SORT_COLUMNS:
            raise exceptions.InvalidSortKey('%s is not a sort key; use one of: %s.'
                                            % (key[:80] or '(empty)', ', '.join(sorted(SORT_COLUMNS))))
        _choice('sort direction', direction, ('asc', 'desc'))


_FILTERS: dict[str, Callable[[str, str], Condition]] = {
    **dict.fromkeys(_TEXT, lambda name, value: Condition(name, 'eq', value)),
    **dict.fromkeys(_TEXT_OR_LIST, _text_or_list),
    **dict.fromkeys(_TIMES, _time),
    **dict.fromkeys(_INTEGERS, lambda name, value: Condition(name, 'eq', _integer(name, value))),
    'protected': lambda name, value: Condition(name, 'eq', _boolean(name, value)),
}
