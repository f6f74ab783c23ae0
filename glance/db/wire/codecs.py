"""Values of a type as JSON and back, compiled once from type hints.

JSON says most things as they are. A time is an object of exactly ``_type`` and ``_value``, naive UTC; where a type is
``Any``, tuples, sets and objects that would look like one of these are written the same way. Decoding is strict: a value
that is not of the type is refused, never bent. Decoders may change what they are given.
"""
import collections.abc
import dataclasses
import datetime
import json
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_TAGS = frozenset(('_type', '_value'))
_LISTS: dict[type, Callable[[list], Any]] = {
    list: list, collections.abc.Sequence: list, collections.abc.Collection: list, collections.abc.Iterable: list,
    collections.abc.Iterator: iter, set: set, frozenset: frozenset, collections.abc.Set: frozenset, tuple: tuple,
}


class Malformed(Exception):
    """A value is not what its type asks for; the text says where and why."""

    def inside(self, where: object) -> 'Malformed':
        """Return the same complaint, seen from the container in which the value has this name or place."""
        return Malformed('%s: %s' % (where, self))


@dataclass(frozen=True, slots=True)
class Codec:
    """How one type is carried.

    ``encode`` makes of a value what ``dumps`` takes; None when it takes the value as it is. A decoded JSON value whose
    exact type is among ``plain`` is the value; for any other ``decode`` has to be asked, which raises Malformed.
    """

    encode: Callable[[Any], Any] | None
    decode: Callable[[Any], Any]
    plain: frozenset[type] = frozenset()


def dumps(value: Any) -> str:
    """Return the JSON text, in ASCII, of an encoded value."""
    return _write(value)


def loads(text: bytes) -> Any:
    """Return the value of a JSON text. Raises Malformed."""
    try:
        return _read(text.decode('utf-8'))
    except (ValueError, RecursionError) as error:
        raise Malformed('not valid JSON: %s' % str(error)[:200]) from None


def _refuse_constant(name: str) -> Any:
    raise ValueError('%s is not a number that JSON knows' % name)


def _default(value: Any) -> Any:
    if type(value) is datetime.datetime:
        if value.tzinfo is not None:
            value = value.astimezone(datetime.UTC).replace(tzinfo=None)
        return {'_type': 'datetime', '_value': value.isoformat()}
    raise TypeError('%s cannot be sent' % type(value).__name__)


_read = json.JSONDecoder(parse_constant=_refuse_constant).decode
_write = json.JSONEncoder(default=_default, allow_nan=False, separators=(',', ':')).encode


# The codecs, by kinds of types.

def codec(hint: Any) -> Codec:
    """Return the codec of a type. Raises TypeError for a type that cannot be carried."""
    origin = typing.get_origin(hint)
    if hint is Any:
        return Codec(_encode_any, _decode_any)
    if hint in _SCALARS:
        return _SCALARS[hint]
    if origin in (typing.Union, types.UnionType):
        return _union(typing.get_args(hint))
    if origin is typing.Literal:
        return _literal(typing.get_args(hint))
    if origin is tuple and not _is_uniform(hint):
        return _fixed_tuple(typing.get_args(hint))
    if origin in _LISTS:
        return _list(origin, typing.get_args(hint)[0])
    if origin in (dict, collections.abc.Mapping):
        return _mapping(*typing.get_args(hint))
    if typing.is_typeddict(hint):
        return _typed_dict(hint)
    if dataclasses.is_dataclass(hint):
        return _dataclass(hint)
    if getattr(hint, '_is_protocol', False):
        return _protocol(hint)
    raise TypeError('values of the type %s cannot be carried' % (hint,))


def _scalar(kind: type, what: str) -> Codec:
    def decode(value: Any) -> Any:
        if type(value) is not kind:
            raise Malformed('must be %s' % what)
        return value
    return Codec(None, decode, frozenset((kind,)))


def _decode_float(value: Any) -> float:
    if type(value) not in (float, int):
        raise Malformed('must be a number')
    return float(value)


def _decode_time(value: Any) -> datetime.datetime:
    if type(value) is not dict or value.keys() != _TAGS or value['_type'] != 'datetime':
        raise Malformed('must be a time')
    try:
        moment = datetime.datetime.fromisoformat(value['_value'])
        return moment.astimezone(datetime.UTC).replace(tzinfo=None) if moment.tzinfo else moment
    except (TypeError, ValueError, OverflowError):
        raise Malformed('must be a time in the form of ISO 8601') from None


_SCALARS = {
    str: _scalar(str, 'a string'), int: _scalar(int, 'an integer'), bool: _scalar(bool, 'true or false'),
    types.NoneType: _scalar(types.NoneType, 'null'), float: Codec(None, _decode_float, frozenset((float,))),
    datetime.datetime: Codec(None, _decode_time),
}


def _union(hints: tuple) -> Codec:
    """The members must be told apart by their JSON: one of them at most may need to be encoded, beside None."""
    members = [codec(hint) for hint in hints]
    plain = frozenset().union(*(member.plain for member in members))
    shaped = [member for member in members if not member.plain]
    if len(shaped) > 1 or shaped and types.NoneType not in hints and len(members) > 1 and shaped[0].encode:
        raise TypeError('a union of %s cannot be carried' % (hints,))
    if not shaped:
        def refuse(value: Any) -> Any:
            raise Malformed('must be one of %s' % ', '.join(sorted(kind.__name__ for kind in plain)))
        return Codec(None, lambda value: value if type(value) in plain else refuse(value), plain)
    encode, decode = shaped[0].encode, shaped[0].decode
    return Codec(encode and (lambda value: None if value is None else encode(value)),
                 lambda value: value if type(value) in plain else decode(value), plain)


def _literal(values: tuple) -> Codec:
    if all(type(value) is str for value in values):
        # The DAL judges words itself, with errors that say what is wrong with them.
        return _SCALARS[str]

    def decode(value: Any) -> Any:
        if not isinstance(value, str | int) or value not in values:
            raise Malformed('must be one of %s' % ', '.join(map(str, values)))
        return value
    return Codec(None, decode)


def _is_uniform(hint: Any) -> bool:
    parts = typing.get_args(hint)
    return len(parts) == 2 and parts[1] is Ellipsis


def _list(kind: Any, hint: Any) -> Codec:
    item, make = codec(hint), _LISTS[kind]
    encode_item, decode_item, plain = item.encode, item.decode, item.plain

    def encode(value: Iterable) -> list:
        return list(value) if encode_item is None else [encode_item(part) for part in value]

    def decode(value: Any) -> Any:
        if type(value) is not list:
            raise Malformed('must be a list')
        for place, part in enumerate(value):
            if type(part) not in plain:
                try:
                    value[place] = decode_item(part)
                except Malformed as error:
                    raise error.inside(place) from None
        return value if make is list else _made(make, value)
    as_it_is = kind in (list, tuple) and encode_item is None
    return Codec(None if as_it_is else encode, decode)


def _made(make: Callable[[list], Any], parts: list) -> Any:
    try:
        return make(parts)
    except TypeError:
        raise Malformed('holds what no set can hold') from None


def _fixed_tuple(hints: tuple) -> Codec:
    items = [codec(hint) for hint in hints]

    def encode(value: tuple) -> list:
        return [item.encode(part) if item.encode else part for item, part in zip(items, value, strict=True)]

    def decode(value: Any) -> tuple:
        if type(value) is not list or len(value) != len(items):
            raise Malformed('must be a list of %d' % len(items))
        return tuple(item.decode(part) for item, part in zip(items, value, strict=True))
    return Codec(encode if any(item.encode for item in items) else None, decode)


def _mapping(key_hint: Any, hint: Any) -> Codec:
    item, by_number = codec(hint), key_hint is int
    if not by_number and codec(key_hint).plain != {str}:
        raise TypeError('mappings from %s cannot be carried' % (key_hint,))

    def encode(value: Mapping) -> dict:
        return {key: item.encode(part) if item.encode else part for key, part in value.items()}

    def decode(value: Any) -> dict:
        if type(value) is not dict:
            raise Malformed('must be an object')
        for key, part in value.items():
            try:
                if type(part) not in item.plain:
                    value[key] = item.decode(part)
            except Malformed as error:
                raise error.inside(key) from None
        return {_number(key): part for key, part in value.items()} if by_number else value
    return Codec(encode, decode)


def _number(text: str) -> int:
    if not text.removeprefix('-').isdecimal() or not text.isascii() or len(text) > 20:
        raise Malformed('%s: must be an integer' % text[:40])
    return int(text)


# Records: their fields by name.

class Fields:
    """The fields of a record, with their codecs."""

    def __init__(self, hints: Mapping[str, Any], required: Iterable[str]):
        self.required = frozenset(required)
        self._codecs = {name: codec(hint) for name, hint in hints.items()}
        self._decoders = {name: (each.plain, each.decode) for name, each in self._codecs.items()}
        self.encoders = {name: each.encode for name, each in self._codecs.items() if each.encode}

    def decode(self, value: Any) -> dict[str, Any]:
        """Return the JSON object with its parts decoded: the known fields, each that is required."""
        if type(value) is not dict:
            raise Malformed('must be an object')
        decoders = self._decoders
        for name, part in value.items():
            if name not in decoders:
                raise Malformed('%s is not known' % ascii(name[:80]))
            plain, decode = decoders[name]
            if type(part) not in plain:
                try:
                    value[name] = decode(part)
                except Malformed as error:
                    raise error.inside(name) from None
        if not value.keys() >= self.required:
            raise Malformed('%s is missing' % ', '.join(sorted(self.required - value.keys())))
        return value

    def encode(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields as ``dumps`` takes them."""
        encoders = self.encoders
        return {name: encoders[name](part) if name in encoders else part for name, part in value.items()}


def _typed_dict(kind: Any) -> Codec:
    fields = Fields(typing.get_type_hints(kind), kind.__required_keys__)
    return Codec(fields.encode if fields.encoders else None, fields.decode)


def _dataclass(kind: Any) -> Codec:
    """Fields that hold their default are left out, so that a peer that does not know them yet is not troubled."""
    defaults: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        if field.default is not dataclasses.MISSING:
            defaults[field.name] = field.default
        elif field.default_factory is not dataclasses.MISSING:
            defaults[field.name] = field.default_factory()
    hints = typing.get_type_hints(kind)
    names = [field.name for field in dataclasses.fields(kind)]
    fields = Fields({name: hints[name] for name in names}, set(names) - defaults.keys())

    def encode(value: Any) -> dict[str, Any]:
        parts = ((name, getattr(value, name)) for name in names)
        return fields.encode({name: part for name, part in parts if name not in defaults or part != defaults[name]})
    return Codec(encode, lambda value: kind(**fields.decode(value)))


def _protocol(kind: Any) -> Codec:
    """What offers these properties; it arrives as a plain frozen record of them."""
    hints = {name: typing.get_type_hints(member.fget)['return'] for name, member in vars(kind).items()
             if isinstance(member, property)}
    fields = Fields(hints, hints)
    record = dataclasses.make_dataclass(kind.__name__, hints.items(), frozen=True, slots=True)
    return Codec(lambda value: fields.encode({name: getattr(value, name) for name in hints}),
                 lambda value: record(**fields.decode(value)))


# Any: what JSON cannot tell is told by a tag.

def _encode_any(value: Any) -> Any:
    kind = type(value)
    if kind is dict or isinstance(value, Mapping):
        if not all(isinstance(name, str) for name in value):
            raise TypeError('an object has a name that is not a string')
        parts = {name: _encode_any(part) for name, part in value.items()}
        return {'_type': 'object', '_value': parts} if parts.keys() == _TAGS else parts
    if kind is list:
        return [_encode_any(part) for part in value]
    if kind is tuple:
        return {'_type': 'tuple', '_value': [_encode_any(part) for part in value]}
    if kind in (set, frozenset):
        return {'_type': 'set', '_value': [_encode_any(part) for part in value]}
    return value


def _decode_any(value: Any) -> Any:
    if type(value) is list:
        return [_decode_any(part) for part in value]
    if type(value) is not dict:
        return value
    if value.keys() == _TAGS:
        kind, content = value['_type'], value['_value']
        if kind == 'datetime':
            return _decode_time(value)
        if kind in ('tuple', 'set') and type(content) is list:
            return _made(tuple if kind == 'tuple' else frozenset, [_decode_any(part) for part in content])
        if kind == 'object' and type(content) is dict:
            return {name: _decode_any(part) for name, part in content.items()}
    return {name: _decode_any(part) for name, part in value.items()}
