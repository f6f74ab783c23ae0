"""Records, lists and filters in the form that former releases know."""
import datetime
from collections.abc import Iterable, Mapping
from typing import Any

from glance import exceptions
from glance.db.interface import FILTER_COLUMNS, Condition, ImageQuery, ImageRecord, MemberRecord

_COLUMNS = ('id', 'name', 'disk_format', 'container_format', 'size', 'virtual_size', 'status', 'visibility', 'checksum',
            'min_disk', 'min_ram', 'owner', 'protected', 'os_hidden', 'os_hash_algo', 'os_hash_value', 'created_at',
            'updated_at', 'deleted_at', 'deleted')
_OPERATORS = ('eq', 'neq', 'gt', 'gte', 'lt', 'lte', 'in')
_BOUNDS = {'_min': 'gte', '_max': 'lte'}
_TIMES = ('created_at', 'updated_at')
# Numbers of members: the DAL knows a membership by image and project.
_SEPARATOR = '/'


def image(record: ImageRecord, v1_mode: bool = False, with_tags: bool = False) -> dict[str, Any]:
    """Return an image as a classic dict."""
    values: dict[str, Any] = {name: record[name] for name in _COLUMNS}  # type: ignore[literal-required]
    values['properties'] = [image_property(record, name, value) for name, value in record['properties'].items()]
    values['locations'] = [dict(location) for location in record['locations']]
    if with_tags:
        values['tags'] = list(record['tags'])
    if v1_mode:
        values['is_public'] = values.pop('visibility') == 'public'
    return values


def image_property(record: ImageRecord, name: str, value: str | None) -> dict[str, Any]:
    """Return one property of an image as a classic dict."""
    return {'id': None, 'image_id': record['id'], 'name': name, 'value': value, 'created_at': record['created_at'],
            'updated_at': record['updated_at'], 'deleted_at': None, 'deleted': False}


def member(record: MemberRecord) -> dict[str, Any]:
    """Return a membership as a classic dict; its id names image and project."""
    return {**record, 'id': record['image_id'] + _SEPARATOR + record['member'], 'deleted': False}


def split_member_id(member_id: Any) -> tuple[str, str]:
    """Return image and project of the id of a membership. Raises NotFound."""
    image_id, separator, name = member_id.partition(_SEPARATOR) if isinstance(member_id, str) else ('', '', '')
    if not separator:
        raise exceptions.NotFound('No membership found with ID %s' % member_id)
    return image_id, name


def visibility(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with ``visibility`` in place of ``is_public``. Raises Invalid when both are given."""
    values = dict(values)
    if 'is_public' in values:
        if 'visibility' in values:
            raise exceptions.Invalid('Give is_public or visibility, not both.')
        values['visibility'] = 'public' if values.pop('is_public') else 'shared'
    return values


def query(filters: Mapping[str, Any] | None, marker: str | None, limit: int | None, sort_key: Any, sort_dir: Any,
          member_status: str, is_public: bool | None) -> ImageQuery:
    """Return what a classic list looks for. Raises Invalid and its kin."""
    keys, directions = _strings(sort_key, 'created_at'), _strings(sort_dir, 'desc')
    if len(directions) == 1:
        directions *= len(keys)
    if len(directions) != len(keys):
        raise exceptions.Invalid('There must be one sort direction, or one for each sort key.')
    conditions: list[Condition] = []
    properties: list[tuple[str, str]] = []
    found: dict[str, Any] = {'deleted': False}
    for name, value in (filters or {}).items():
        if name == 'properties':
            properties += [(key, str(part)) for key, part in dict(value).items()]
        elif name in ('tags', 'visibility', 'deleted'):
            found[name] = tuple(value) if name == 'tags' else value
        elif name == 'changes-since':
            conditions.append(Condition('updated_at', 'gt', _value('updated_at', value)))
            found['deleted'] = (filters or {}).get('deleted')
        elif name[-4:] in _BOUNDS and name[:-4] in FILTER_COLUMNS:
            conditions.append(Condition(name[:-4], _BOUNDS[name[-4:]], _value(name[:-4], value)))  # type: ignore[arg-type]
        elif name in FILTER_COLUMNS:
            conditions.append(_condition(name, value))
        else:
            properties.append((name, str(value)))
    if is_public:
        found['visibility'] = 'public'
    return ImageQuery(tuple(conditions), tuple(properties), member_status=member_status, marker=marker, limit=limit,
                      sort=tuple(zip(keys, directions, strict=True)), **found)  # type: ignore[arg-type]


def _strings(value: Any, default: str) -> list[str]:
    if value is None:
        return [default]
    parts = [value] if isinstance(value, str) else list(value)
    if not all(isinstance(part, str) for part in parts):
        raise exceptions.Invalid('Sort keys and directions must be strings.')
    return parts or [default]


def _condition(name: str, value: Any) -> Condition:
    operator = 'eq'
    if isinstance(value, str):
        word, colon, rest = value.partition(':')
        if colon and word in _OPERATORS:
            operator, value = word, rest
    if operator == 'in':
        return Condition(name, 'in', tuple(part.strip(' "') for part in value.split(',')))
    return Condition(name, operator, _value(name, value))  # type: ignore[arg-type]


def _value(name: str, value: Any) -> Any:
    """Return a value of the kind of the column, as far as a string stands for one."""
    kind = FILTER_COLUMNS[name]
    if not isinstance(value, str) or kind is str:
        return value
    try:
        if name in _TIMES:
            moment = datetime.datetime.fromisoformat(value)
            return moment.astimezone(datetime.UTC).replace(tzinfo=None) if moment.tzinfo else moment
        return value.lower() in ('true', '1') if kind is bool else int(value)
    except (ValueError, OverflowError):
        raise exceptions.InvalidFilter('%r is not a value by which %s can be filtered.' % (value[:80], name)) from None


def names(parts: Iterable[Any]) -> list[str]:
    """Return tags or the like as a list of strings. Raises Invalid."""
    found = list(parts)
    if not all(isinstance(part, str) for part in found):
        raise exceptions.Invalid('A list of strings is needed.')
    return found
