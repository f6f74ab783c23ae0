"""The operations of the DAL as commands, made from ``glance.db.interface.Database``."""
import dataclasses
import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any, TypedDict

from glance.db import interface
from glance.db.wire import codecs
from glance.db.wire.codecs import Codec, Fields

# What a process does with its own connections; everything else in the interface is a command.
_LOCAL = ('close',)
# Of this protocol; peers that name none speak the one of former releases.
VERSION = '2.1'


class Operation:
    """One operation: its arguments and its result as JSON says them.

    :ivar reads: nothing changes, so that it may be repeated
    :ivar pages: the parameter that has ``limit`` and ``marker``, when the result is a list that these cut into pages;
        else empty
    """

    def __init__(self, name: str, function: Callable):
        hints = typing.get_type_hints(function)
        result = hints.pop('return')
        self.name, self.function, self.reads = name, function, interface.is_reading(function)
        self.signature = inspect.signature(function)
        self.signature = self.signature.replace(parameters=list(self.signature.parameters.values())[1:])
        self.pages = _page_parameter(hints, result)
        parameters = self.signature.parameters
        self._defaults = {each.name: each.default for each in parameters.values() if each.default is not each.empty}
        self._fields = Fields({each: hints[each] for each in parameters}, parameters.keys() - self._defaults.keys())
        self._result: Codec = codecs.codec(result)

    def arguments(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the arguments of a call by name, without those that are left at their default. Raises TypeError."""
        bound = self.signature.bind(*args, **kwargs).arguments
        defaults = self._defaults
        return {name: value for name, value in bound.items() if name not in defaults or value is not defaults[name]}

    def encode_arguments(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return ``arguments`` as ``codecs.dumps`` takes them."""
        return self._fields.encode(arguments)

    def decode_arguments(self, value: Any) -> dict[str, Any]:
        """Return the keyword arguments. Raises codecs.Malformed."""
        return self._fields.decode(value)

    def encode_result(self, result: Any) -> Any:
        """Return the result as ``codecs.dumps`` takes it."""
        return self._result.encode(result) if self._result.encode else result

    def decode_result(self, value: Any) -> Any:
        """Return the result. Raises codecs.Malformed."""
        return value if type(value) in self._result.plain else self._result.decode(value)


def _page_parameter(hints: Mapping[str, Any], result: Any) -> str:
    if typing.get_origin(result) is not list or not typing.is_typeddict(typing.get_args(result)[0]):
        return ''
    for name, hint in hints.items():
        if dataclasses.is_dataclass(hint) and {'limit', 'marker'} <= {field.name for field in dataclasses.fields(hint)}:
            return name
    return ''


def _operations(protocol: type) -> dict[str, Operation]:
    found = {}
    for name, function in vars(protocol).items():
        if not name.startswith('_') and inspect.isfunction(function) and name not in _LOCAL:
            try:
                found[name] = Operation(name, function)
            except (TypeError, KeyError) as error:
                raise TypeError('The operation %s of the DAL cannot be carried to a registry: %s' % (name, error)) from None
    return found


class Info(TypedDict):
    """What a registry is and can do."""

    version: str
    commands: list[str]
    limits: dict[str, int]


@interface.reads
def _registry_info(registry: Any) -> Info:
    raise NotImplementedError('the registry answers this itself')


OPERATIONS: Mapping[str, Operation] = _operations(interface.Database)
INFO = Operation('registry_info', _registry_info)
