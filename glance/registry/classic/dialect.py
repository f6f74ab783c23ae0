"""Version 2.0 of the protocol: the table of the commands of former releases, their encoding and their errors."""
import datetime
import inspect
from collections.abc import Callable
from typing import Any

from oslo_config import cfg

from glance import exceptions
from glance.context import RequestContext
from glance.db.wire import codecs
from glance.registry.classic import children, images
from glance.registry.classic.session import ForbiddenPublicImage, Session
from glance.registry.commands import Command
from glance.registry.environment import RegistryEnvironment
from glance.registry.services import Services
from glance.wsgi import faults

_READS = (images.image_get, images.image_get_all, images.user_get_storage_usage, images.user_get_staging_usage,
          images.user_get_image_count, images.user_get_uploading_count, children.image_member_find,
          children.image_member_count, children.image_tag_get_all)
_WRITES = (images.image_create, images.image_update, images.image_destroy, images.image_restore,
           images.image_set_property_atomic, images.image_delete_property_atomic, images.image_location_add,
           images.image_location_update, images.image_location_delete, children.image_property_create,
           children.image_property_delete, children.image_member_create, children.image_member_update,
           children.image_member_delete, children.image_tag_set_all, children.image_tag_create, children.image_tag_delete)
COMMANDS: dict[str, Callable[..., Any]] = {command.__name__: command for command in _READS + _WRITES}

_MODULE = 'glance.common.exception'
# What old peers call our errors; the first class of an error's ancestry that stands here decides.
_NAMES: dict[type[Exception], str] = {
    exceptions.ImageNotFound: 'ImageNotFound', exceptions.InvalidMarker: 'ImageNotFound', exceptions.NotFound: 'NotFound',
    ForbiddenPublicImage: 'ForbiddenPublicImage', exceptions.Forbidden: 'Forbidden',
    exceptions.InvalidSortKey: 'InvalidSortKey', exceptions.InvalidFilter: 'InvalidFilterRangeValue',
    exceptions.Invalid: 'Invalid', exceptions.Duplicate: 'Duplicate', exceptions.Conflict: 'Conflict',
}
_BUILTINS = (ValueError, TypeError, KeyError, AttributeError)


class Classic:
    """Commands with keyword arguments and dicts as former releases exchange them."""

    version = '2.0'

    def __init__(self, conf: cfg.ConfigOpts, services: Services):
        self._services = services
        self._trusts_users = conf.registry_trust_user_tokens
        self._modules = {'builtins' if name == 'exceptions' else name for name in conf.allowed_rpc_exception_modules}

    def admit(self, context: RequestContext) -> None:
        """Everybody whose identity is known: each command looks at what he may."""

    def prepare(self, name: str, arguments: dict[str, Any], context: RequestContext, env: RegistryEnvironment
                ) -> Command | None:
        command = COMMANDS.get(name)
        if command is None:
            return None
        arguments = _with_times(arguments)

        def run() -> Any:
            if context.read_only and command in _WRITES:
                raise exceptions.Forbidden()
            inspect.signature(command).bind(None, **arguments)
            is_service = self._trusts_users or self._services.include(context)
            return command(Session(context, env.database, is_service), **arguments)
        return Command(name, run, command in _READS)

    def error(self, error: Exception, text: str | None) -> Any:
        """An error by the path that its class had; what old peers do not know is an RPCError."""
        kind = type(error)
        name = next((_NAMES[each] for each in kind.__mro__ if each in _NAMES), None)
        if name and _MODULE in self._modules:
            cls, value = '%s.%s' % (_MODULE, name), str(error)
        elif kind in _BUILTINS and 'builtins' in self._modules:
            name, cls, value = kind.__name__, 'builtins.' + kind.__name__, str(error)
        else:
            name, cls, value = 'RPCError', _MODULE + '.RPCError', text or '%s: %s' % (kind.__name__, error)
        return {'_error': {'cls': cls, 'val': value, 'name': name, 'code': faults.status_of(error)}}

    def value(self, encoded: Any) -> Any:
        return encoded


def _with_times(value: Any) -> Any:
    """Return a value of a request with its times as such; other objects with ``_type`` are data."""
    if type(value) is list:
        return [_with_times(part) for part in value]
    if type(value) is not dict:
        return value
    if value.keys() == {'_type', '_value'} and value['_type'] == 'datetime':
        return codecs.codec(datetime.datetime).decode(value)
    return {name: _with_times(part) for name, part in value.items()}
