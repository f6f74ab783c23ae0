"""Parsing a JSON request body from somebody who may mean harm."""
import codecs
import json
from typing import Any

from glance import exceptions

_MAX_DEPTH = 64
_MAX_NODES = 20_000
_MAX_INTEGER_DIGITS = 19


def parse(body: bytes) -> Any:
    """Return the value of a JSON text (RFC 8259) in UTF-8, an object or an array.

    Raises Invalid for anything else: other encodings, repeated names, numbers that no database can hold, NUL characters,
    lone surrogates, values nested deeper than 64 levels or with more than 20000 parts.
    """
    try:
        # The three byte marks of UTF-16 and UTF-32 are refused by the UTF-8 decoder itself.
        text = body.removeprefix(codecs.BOM_UTF8).decode('utf-8')
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_constant, parse_int=_integer,
                           parse_float=_float)
    except UnicodeDecodeError:
        raise exceptions.Invalid('The request body is not UTF-8 text.') from None
    except RecursionError:
        raise exceptions.Invalid('The request body is nested too deeply.') from None
    except json.JSONDecodeError as error:
        raise exceptions.Invalid('The request body is not valid JSON: %s (line %d, column %d).'
                                 % (error.msg, error.lineno, error.colno)) from None
    if not isinstance(value, dict | list):
        raise exceptions.Invalid('The request body must be a JSON object or array.')
    _check_parts(value)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        name = next(name for name, _ in pairs if name in seen or seen.add(name))
        raise exceptions.Invalid('The request body names %s twice in one object.' % ascii(name[:80]))
    return result


def _constant(name: str) -> Any:
    raise exceptions.Invalid('The request body is not valid JSON: %s is not a number that JSON knows.' % name)


def _integer(digits: str) -> int:
    if digits == '-0':
        raise exceptions.Invalid('The request body holds the number -0; write 0.')
    if len(digits.lstrip('-')) > _MAX_INTEGER_DIGITS or not -2 ** 63 <= int(digits) < 2 ** 63:
        raise exceptions.Invalid('The request body holds a number that is too large: %s.' % digits[:40])
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if len(digits) > 400 or value in (float('inf'), float('-inf')):
        raise exceptions.Invalid('The request body holds a number that is too large: %s.' % digits[:40])
    return value


def _check_parts(value: Any) -> None:
    count, containers, depth = 1, [value], 0
    while containers:
        depth += 1
        below: list[Any] = []
        for container in containers:
            count += len(container)
            if isinstance(container, dict):
                for name in container:
                    check_text(name)
                container = container.values()
            for part in container:
                if isinstance(part, str):
                    check_text(part)
                elif isinstance(part, dict | list):
                    below.append(part)
        if depth > _MAX_DEPTH or count > _MAX_NODES:
            raise exceptions.Invalid('The request body is nested too deeply or has too many parts.')
        containers = below


def check_text(text: str) -> None:
    """Raise Invalid for text that cannot be stored: NUL characters and lone surrogates."""
    if '\0' in text:
        raise exceptions.Invalid('Text must not contain NUL characters.')
    if not text.isascii() and any('\ud800' <= character <= '\udfff' for character in text):
        raise exceptions.Invalid('Text must not contain lone surrogates.')
