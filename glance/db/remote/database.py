"""The implementation of ``glance.db.interface.Database`` whose records glance-registry keeps."""
import dataclasses
import functools
import logging
import time
from collections.abc import Callable
from typing import Any, Self

from oslo_config import cfg

from glance import exceptions
from glance.db.remote.registry import Registry
from glance.db.wire.operations import INFO, OPERATIONS, Operation

LOG = logging.getLogger(__name__)

# Seconds between two looks at what the registry knows.
_LOOK_SECONDS = 600
_OLDER = 'The registry is of an older release: upgrade it first.'


class RemoteDatabase:
    """Every operation of the interface, as a call of the registry. Threads share it; a forked process makes its own.

    :param page_size: most rows of a list that are fetched at a time
    """

    def __init__(self, registry: Registry, page_size: int = 500):
        self._registry, self._page_size = registry, page_size
        self._missing: list[str] = []
        self._look_again_at = 0.0

    @classmethod
    def from_conf(cls, conf: cfg.ConfigOpts) -> Self:
        """Make it from the options ``registry_…``. Raises ConfigurationError."""
        if conf.metadata_encryption_key:
            LOG.warning('[DEFAULT] metadata_encryption_key has no effect with data_api = glance.db.registry.api; '
                        'glance-registry encrypts what it stores, with the key in its own configuration.')
        return cls(Registry.from_conf(conf), conf.registry_list_page_size)

    def check(self) -> None:
        """Look whether the registry is of a release that knows every operation, then let it look at its tables.

        Raises ConfigurationError, and RegistryUnavailable when it is away.
        """
        info, outcome = self._registry.call([(INFO, {}), (OPERATIONS['check'], {})])
        self._look(info)
        if self._missing:
            LOG.error('%s Until then %s will fail.', _OLDER, ', '.join(self._missing))
        if isinstance(outcome, Exception):
            raise outcome

    def ping(self) -> None:
        """Ask the registry whether its database answers and, every now and then, whether it still knows every operation.

        Raises DatabaseUnavailable.
        """
        commands: list[tuple[Operation, dict[str, Any]]] = [(OPERATIONS['ping'], {})]
        if self._missing or time.monotonic() >= self._look_again_at:
            commands.append((INFO, {}))
        outcome, *info = self._registry.call(commands)
        if info:
            self._look(*info)
        if isinstance(outcome, Exception):
            raise outcome
        if self._missing:
            raise exceptions.RegistryUnavailable('%s It does not know %s.' % (_OLDER, ', '.join(self._missing)))

    def _look(self, info: Any) -> None:
        """Take note of which operations the registry does not know."""
        if isinstance(info, Exception):
            raise info
        self._missing = sorted(OPERATIONS.keys() - set(info['commands']))
        self._look_again_at = time.monotonic() + _LOOK_SECONDS

    def close(self) -> None:
        """Close the connections to the registry."""
        self._registry.close()

    def _call(self, operation: Operation, arguments: dict[str, Any]) -> Any:
        result, = self._registry.call([(operation, arguments)])
        if isinstance(result, Exception):
            raise result
        return result

    def _call_in_pages(self, operation: Operation, arguments: dict[str, Any]) -> list[dict[str, Any]]:
        """Fetch a list piece by piece, each beginning behind the last row of the one before."""
        query = arguments[operation.pages]
        rows: list[dict[str, Any]] = []
        left = query.limit
        while True:
            size = self._page_size if left is None else min(left, self._page_size)
            page = self._page(operation, arguments, dataclasses.replace(query, limit=size), rows)
            rows += page
            left = None if left is None else left - size
            if len(page) < size or left == 0:
                return rows

    def _page(self, operation: Operation, arguments: dict[str, Any], query: Any, rows: list[dict[str, Any]]
              ) -> list[dict[str, Any]]:
        """Return the rows behind those that are there already."""
        if not rows:
            return self._call(operation, {**arguments, operation.pages: query})
        # The last row may have vanished meanwhile; the one before it marks the place as well.
        for back, row in enumerate(reversed(rows[-self._page_size:])):
            asked = dataclasses.replace(query, marker=row['id'], limit=query.limit + back)
            try:
                page = self._call(operation, {**arguments, operation.pages: asked})
            except exceptions.InvalidMarker:
                continue
            seen = {row['id'] for row in rows[len(rows) - back:]}
            return [row for row in page if row['id'] not in seen][:query.limit]
        raise exceptions.RegistryUnavailable('The list changed while it was fetched; try again.')


def _method(operation: Operation) -> Callable:
    def call(self: RemoteDatabase, *args: Any, **kwargs: Any) -> Any:
        arguments = operation.arguments(*args, **kwargs)
        if operation.pages and _is_long(arguments[operation.pages].limit, self._page_size):
            return self._call_in_pages(operation, arguments)
        return self._call(operation, arguments)
    return functools.wraps(operation.function)(call)


def _is_long(limit: int | None, page_size: int) -> bool:
    return limit is None or limit > page_size


for _name, _operation in OPERATIONS.items():
    if _name not in vars(RemoteDatabase):
        setattr(RemoteDatabase, _name, _method(_operation))
