"""Unified limits: the operator registers them in Keystone, for all projects and for single ones.

oslo.limit asks Keystone for them. It compares them with usage as well, but not so that two uploads at once keep a limit
together; this is left to the database, so only the limits are taken from it.
"""
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Protocol

from glance import exceptions
from glance.db.interface import RESOURCES, Resource

LOG = logging.getLogger(__name__)

MIB = 1024 * 1024
# What Keystone calls each resource, and how many of the units of records one of its own is.
_NAMES: Mapping[str, tuple[str, int]] = {
    'storage': ('image_size_total', MIB), 'staging': ('image_stage_total', MIB),
    'images': ('image_count_total', 1), 'uploading': ('image_count_uploading', 1),
}
# Seconds for which a limit is not asked for again, and how many are remembered.
KEPT_SECONDS = 5
_KEPT_LIMITS = 4096


class Client(Protocol):
    """The part of ``oslo_limit.limit.Enforcer`` that is used."""

    def get_project_limits(self, project_id: str, resource_names: Collection[str]) -> list[tuple[str, int]]: ...


class UnifiedLimits:
    """The limits of projects, as Keystone tells them.

    :param connect: makes the client, when the first limit is asked for
    :param clock: monotonic seconds
    """

    def __init__(self, connect: Callable[[], Client], clock: Callable[[], float] = time.monotonic):
        self._connect, self._clock = connect, clock
        self._client: Client | None = None
        self._kept: dict[tuple[str, str], tuple[float, int]] = {}
        self._lock = threading.Lock()

    def limits(self, owner: str | None, resources: Collection[Resource]) -> dict[Resource, int]:
        if owner is None:           # there is no project to ask for
            return {}
        known = self._limits(owner, [resource for resource in resources if resource in _NAMES])
        return {resource: limit * _NAMES[resource][1] for resource, limit in known.items() if limit >= 0}

    def refusal(self, owner: str | None, error: exceptions.OverLimit) -> exceptions.LimitExceeded:
        name, unit = _NAMES[error.resource]
        return exceptions.LimitExceeded(
            'Project %s has reached a limit: %s is over limit of %d due to current usage %d and delta %d.'
            % (owner, name, error.limit // unit, _rounded_up(error.usage, unit), _rounded_up(error.delta, unit)))

    def report(self, owner: str | None, usage: Callable[[str | None], dict[Resource, int]]) -> dict[str, Any]:
        if owner is None:
            return {}
        limits, used = self._limits(owner, RESOURCES), usage(owner)
        report = {}
        for resource in RESOURCES:
            name, unit = _NAMES[resource]
            report[name] = {'usage': _rounded_up(used[resource], unit), 'limit': limits[resource]}
        return report

    def _limits(self, owner: str, resources: Collection[Resource]) -> dict[Resource, int]:
        """Return limits in Keystone's units; a negative one allows everything."""
        now = self._clock()
        found: dict[Resource, int] = {}
        for resource in resources:
            expires_at, limit = self._kept.get((owner, resource), (now, 0))
            if now < expires_at:
                found[resource] = limit
        missing = [resource for resource in resources if resource not in found]
        if missing:
            asked = self._ask(owner, missing)
            found.update(asked)
            self._keep(owner, asked, now)
        return found

    def _keep(self, owner: str, limits: Mapping[Resource, int], now: float) -> None:
        with self._lock:
            if len(self._kept) >= _KEPT_LIMITS:
                self._kept.clear()
            for resource, limit in limits.items():
                self._kept[owner, resource] = (now + KEPT_SECONDS, limit)

    def _ask(self, owner: str, resources: Collection[Resource]) -> dict[Resource, int]:
        try:
            with self._lock:
                if self._client is None:
                    self._client = self._connect()
            answers = dict(self._client.get_project_limits(owner, [_NAMES[resource][0] for resource in resources]))
        except Exception as error:
            raise _translated(error) from error
        return {resource: answers[_NAMES[resource][0]] for resource in resources}


def connect() -> Client:
    """Return a client as ``[oslo_limit]`` describes it; imports oslo.limit."""
    from oslo_limit import limit
    return limit.Enforcer(lambda project_id, names: {}, cache=False)


def check_library() -> None:
    """Raise ConfigurationError when limits could never be asked for."""
    try:
        import oslo_limit.limit  # noqa: F401
    except ImportError as error:
        raise exceptions.ConfigurationError('use_keystone_limits needs the library oslo.limit, which cannot be imported '
                                            '(%s); install it or switch the option off.' % error) from error


def _rounded_up(amount: int, unit: int) -> int:
    return -(-amount // unit)


def _translated(error: Exception) -> exceptions.GlanceError:
    """Tell a Keystone that is away, which may come back, from one that will never answer what we ask."""
    if any(_is_outage(cause) for cause in _causes(error)):
        LOG.error('Keystone cannot be asked for limits: %s', error)
        return exceptions.LimitsUnavailable()
    LOG.error('Limits cannot be looked up; check [oslo_limit], and that its user has the role reader on the system: %s: %s',
              type(error).__name__, error)
    return exceptions.ConfigurationError('The limits of projects cannot be looked up as [oslo_limit] describes it.')


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _is_outage(error: BaseException) -> bool:
    from keystoneauth1 import exceptions as keystone_errors
    status = getattr(error, 'http_status', None) or getattr(error, 'status_code', None)
    return isinstance(error, keystone_errors.ConnectFailure | keystone_errors.ConnectTimeout) or (
        isinstance(status, int) and status >= 500)
