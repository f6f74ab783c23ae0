"""What operations raise, by name: the fixed table of errors that cross between registry and client.

Only names of this table mean anything; no class is looked up, let alone imported, by a name from outside. An error takes
its text along, and those of its attributes that are parameters of its class.
"""
import inspect
from typing import Any

from glance import exceptions
from glance.db.wire.codecs import Malformed

_BUILTINS = (ValueError, TypeError, KeyError, AttributeError, IndexError, RuntimeError, NotImplementedError)
_SCALARS = (str, int, float, bool, type(None))
# What stands for anything that is not in the table.
UNEXPECTED = 'RPCError'

CLASSES: dict[str, type[Exception]] = {
    **{name: kind for name, kind in vars(exceptions).items()
       if isinstance(kind, type) and issubclass(kind, exceptions.GlanceError)},
    **{kind.__name__: kind for kind in _BUILTINS},
}
_ATTRIBUTES = {name: frozenset(inspect.signature(kind).parameters) - {'message', 'args'}
               for name, kind in CLASSES.items() if issubclass(kind, exceptions.GlanceError)}


def encode(error: Exception) -> dict[str, Any] | None:
    """Return the error as JSON says it, or None when it is not one that crosses."""
    name = type(error).__name__
    if CLASSES.get(name) is not type(error):
        return None
    known = _ATTRIBUTES.get(name, frozenset())
    attributes = {key: value for key, value in vars(error).items() if key in known and type(value) in _SCALARS}
    return {'name': name, 'val': str(error), **({'attributes': attributes} if attributes else {})}


def decode(value: Any) -> Exception:
    """Return the error. Raises Malformed."""
    if type(value) is not dict or type(value.get('name')) is not str or type(value.get('val')) is not str:
        raise Malformed('an error must be an object with name and val')
    name, attributes = value['name'], value.get('attributes', {})
    if type(attributes) is not dict or not all(type(part) in _SCALARS for part in attributes.values()):
        raise Malformed('the attributes of an error must be strings, numbers, booleans or null')
    kind = CLASSES.get(name)
    if kind is None:
        return exceptions.RegistryFailed(value['val'])
    # Not through __init__, whose parameters make up a text that is here already.
    error = kind.__new__(kind)
    Exception.__init__(error, value['val'])
    for key in attributes.keys() & _ATTRIBUTES.get(name, frozenset()):
        setattr(error, key, attributes[key])
    return error
