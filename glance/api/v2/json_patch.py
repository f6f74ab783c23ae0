"""Changes of an image as a JSON patch: a subset of RFC 6902, in two media types.

Version 2.1 writes ``{"op": "add", "path": "/name", "value": …}``, version 2.0 (an early draft) ``{"add": "/name", "value":
…}``. The operations are add, replace and remove; a path names one attribute or property, or a location.
"""
import dataclasses
import re
from typing import Any

from glance import exceptions
from glance.api.request import Request
from glance.api.v2.location_patch import LocationOperation
from glance.domain.image import Image
from glance.domain.properties import BASE_ATTRIBUTES, Validator, check_writable
from glance.environment import Environment
from glance.wsgi.faults import HTTPFault

V20 = 'application/openstack-images-v2.0-json-patch'
V21 = 'application/openstack-images-v2.1-json-patch'
_ACCEPT_PATCH = ', '.join((V20, V21))
_OPERATIONS = ('add', 'replace', 'remove')
_BAD_ESCAPE = re.compile('~(?![01])')
_FORMATS = ('disk_format', 'container_format')


@dataclasses.dataclass(frozen=True)
class Operation:
    """One validated change. In ``draft`` form (2.0) adding what exists is refused."""

    op: str
    name: str
    value: Any = None
    draft: bool = False


def parse(request: Request) -> list[Operation | LocationOperation]:
    """Return the operations of the request body. Raises HTTPFault 415, Invalid, ReadonlyProperty, ReservedProperty."""
    media_type = request.content_type
    if media_type not in (V20, V21):
        raise HTTPFault(415, 'The media type %s cannot change an image; send one of: %s.'
                        % (media_type or '(none)', _ACCEPT_PATCH), [('Accept-Patch', _ACCEPT_PATCH)])
    changes = request.json()
    if not isinstance(changes, list):
        raise exceptions.Invalid('The request body must be a JSON array of operation objects.')
    return [_operation(change, media_type == V20, request.env.validator) for change in changes]


def rule(operations: list[Operation | LocationOperation]) -> str | None:
    """Return the rule of who may do the first operation; None when there is none. The others are checked when saving."""
    if not operations:
        return None
    return operations[0].rule if isinstance(operations[0], LocationOperation) else 'modify_image'


def apply(operations: list[Operation | LocationOperation], image: Image, env: Environment, may_give_away: bool = False
          ) -> None:
    """Change the image; only who ``may_give_away`` names its owner, even the present one.

    Raises Conflict for a property that is absent or present against expectation; Forbidden; what locations raise.
    """
    for operation in operations:
        if isinstance(operation, LocationOperation):
            operation.apply(image, env)
            continue
        if operation.name == 'owner' and not may_give_away:
            raise exceptions.Forbidden('Only an administrator may change the owner of an image.')
        if operation.name in BASE_ATTRIBUTES:
            _change_attribute(operation, image)
        else:
            _change_property(operation, image)


def _operation(change: Any, draft: bool, validator: Validator) -> Operation | LocationOperation:
    if not isinstance(change, dict):
        raise exceptions.Invalid('Operations must be JSON objects.')
    op, path = _draft_form(change) if draft else _form(change)
    names = _names(path)
    if names[0] == 'locations':
        return LocationOperation.parse(op, names, change)
    if len(names) > 1:
        raise exceptions.Invalid('The path %r must name one attribute; it has %d segments.' % (path[:80], len(names)))
    name = names[0]
    if name == 'id':
        raise exceptions.ReadonlyProperty(name)
    check_writable(name)
    if op == 'remove':
        if name in BASE_ATTRIBUTES:
            raise exceptions.Forbidden('Attribute %r may not be removed.' % name)
        return Operation(op, name, draft=draft)
    if 'value' not in change:
        raise exceptions.Invalid('Operation %r on %r needs a member "value".' % (op, name))
    return Operation(op, name, validator.value(name, change['value']), draft)


def _form(change: dict) -> tuple[str, Any]:
    if change.get('op') not in _OPERATIONS:
        raise exceptions.Invalid('Operations need a member "op" that is one of: %s.' % ', '.join(_OPERATIONS))
    if 'path' not in change:
        raise exceptions.Invalid('Operation %r needs a member "path".' % change['op'])
    return change['op'], change['path']


def _draft_form(change: dict) -> tuple[str, Any]:
    found = [op for op in _OPERATIONS if op in change]
    if len(found) != 1:
        raise exceptions.Invalid('Operation objects must have exactly one of the members: %s.' % ', '.join(_OPERATIONS))
    return found[0], change[found[0]]


def _names(path: Any) -> list[str]:
    """Return the segments of a JSON pointer (RFC 6901), which may have a slash too many at its beginning."""
    if not isinstance(path, str) or not path.startswith('/'):
        raise exceptions.Invalid('The path of an operation must be a string that starts with "/".')
    segments = path[2 if path.startswith('//') and path != '//' else 1:].split('/')
    if len(segments) > 1 and '' in segments:
        raise exceptions.Invalid('The path %r has an empty segment.' % path[:80])
    if _BAD_ESCAPE.search(path):
        raise exceptions.Invalid('The path %r must escape "~" as "~0" and "/" as "~1".' % path[:80])
    return [segment.strip().replace('~1', '/').replace('~0', '~') for segment in segments]


def _change_attribute(operation: Operation, image: Image) -> None:
    if operation.op == 'add' and operation.draft:
        raise exceptions.Conflict('Property %s already present.' % operation.name)
    if operation.name in _FORMATS:
        image.set_format(operation.name, operation.value)
    else:
        setattr(image, operation.name, operation.value)


def _change_property(operation: Operation, image: Image) -> None:
    name, properties = operation.name, image.extra_properties
    if operation.op == 'add' and operation.draft and name in properties:
        raise exceptions.Conflict('Property %s already present.' % name)
    if operation.op != 'add' and name not in properties:
        raise exceptions.Conflict('Property %s does not exist.' % name)
    if operation.op == 'remove':
        del properties[name]
    else:
        properties[name] = operation.value
