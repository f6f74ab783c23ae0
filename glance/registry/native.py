"""The operations of the DAL as they are, for services that decide themselves what their callers may."""
from typing import Any

from oslo_config import cfg

from glance import exceptions
from glance.context import RequestContext
from glance.db.wire import errors
from glance.db.wire.operations import INFO, OPERATIONS, VERSION, Info, Operation
from glance.registry.commands import Command
from glance.registry.environment import RegistryEnvironment
from glance.registry.services import Services
from glance.wsgi import faults


class Native:
    """Version 2.1 of the protocol: ``glance.db.wire`` for commands, results and errors."""

    version = VERSION

    def __init__(self, conf: cfg.ConfigOpts, services: Services):
        self._services = services
        self._most_rows = conf.registry_max_list
        self._info = Info(version=VERSION, commands=sorted(OPERATIONS), limits={'list': conf.registry_max_list,
                                                                                'body': conf.registry_max_body})

    def admit(self, context: RequestContext) -> None:
        """The DAL does not ask who may change a row: only services get that far, and administrators."""
        if not self._services.include(context):
            raise exceptions.Forbidden('The registry serves its records to services only: give the user of this one the '
                                       'role %s (registry_service_roles).' % ' or '.join(sorted(self._services.roles)))

    def prepare(self, name: str, arguments: dict[str, Any], context: RequestContext, env: RegistryEnvironment
                ) -> Command | None:
        if name == INFO.name:
            return Command(name, lambda: INFO.encode_result(self._info), reads=True)
        operation = OPERATIONS.get(name)
        if operation is None:
            return None
        arguments = operation.decode_arguments(arguments)

        def run() -> Any:
            if operation.pages:
                self._check_page(operation, arguments)
            return operation.encode_result(getattr(env.database, name)(**arguments))
        return Command(name, run, operation.reads)

    def _check_page(self, operation: Operation, arguments: dict[str, Any]) -> None:
        limit = arguments[operation.pages].limit
        if limit is None or limit > self._most_rows:
            raise exceptions.Invalid('The registry lists %d rows at most; ask for a page with limit and marker.'
                                     % self._most_rows)

    def error(self, error: Exception, text: str | None) -> Any:
        """An error of the fixed table by its name; any other one tells that the registry failed."""
        encoded = errors.encode(error)
        if encoded is None:
            encoded = {'name': errors.UNEXPECTED, 'val': text or str(error)}
        return {'_error': {**encoded, 'code': faults.status_of(error)}}

    def value(self, encoded: Any) -> Any:
        return {'_result': encoded}
