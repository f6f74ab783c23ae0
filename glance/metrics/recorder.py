"""What the parts of the service tell of what they do."""
import bisect
import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from typing import Literal, Protocol

from oslo_config import cfg

from glance import exceptions
from glance.metrics import names
from glance.metrics.shared import Key, SharedValues

Direction = Literal['in', 'out']

_METHODS = frozenset(('GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'))


class Transfer:
    """Bytes of one image on their way into or out of a place."""

    def reach(self, total: int) -> None:
        """Take note that ``total`` bytes of this transfer have passed."""


class Body(Protocol):
    """A response body that tells its end; ``transfer.body.ReaderBody`` is one."""

    def call_on_close(self, callback) -> None:
        """Have the number of bytes sent told once the body is closed."""


class Metrics:
    """Takes note of nothing: the metrics are off."""

    def request_served(self, route: str, method: str, status: str, seconds: float) -> None:
        """A response went out. ``route`` is a template such as ``/v2/images/{image_id}``, never a path."""

    def command_served(self, command: str, failed: bool, seconds: float) -> None:
        """A registry carried out a command, which may have ended in an error."""

    def transfer(self, direction: Direction, place: str) -> contextlib.AbstractContextManager[Transfer]:
        """A transfer that is under way as long as the context lasts. ``place`` is a store, or ``cache``, ``staging``."""
        return contextlib.nullcontext(_UNCOUNTED)

    def sending(self, body: Body, place: str) -> None:
        """A body with data from this place begins its way to a client; the end is taken note of when it is closed."""

    def cache_lookup(self, hit: bool) -> None:
        """The image cache was asked for an image."""

    def quota_refused(self, resource: str) -> None:
        """Something was refused as it would exceed a limit on this resource."""

    def store_failed(self, store: str) -> None:
        """A store was unavailable once more."""

    def store_switched(self, store: str, available: bool) -> None:
        """This process leaves a store alone from now on, or uses it again."""

    def close(self) -> None:
        """Nothing happens any more."""


_UNCOUNTED = Transfer()


class Recorder(Metrics):
    """Adds to the numbers of this process.

    :param folder: as for SharedValues
    :raises ConfigurationError: the folder cannot be used
    """

    def __init__(self, folder: str):
        self._values = SharedValues(folder, names.MOMENTARY)

    def request_served(self, route: str, method: str, status: str, seconds: float) -> None:
        if method not in _METHODS:
            method = 'other'
        self._values.add((((names.REQUESTS, route, method, status), 1), *_lasted(names.SECONDS, (route, method), seconds)))

    def command_served(self, command: str, failed: bool, seconds: float) -> None:
        self._values.add((((names.COMMANDS, command, 'error' if failed else 'success'), 1),
                          *_lasted(names.COMMAND_SECONDS, (command,), seconds)))

    @contextlib.contextmanager
    def transfer(self, direction: Direction, place: str) -> Iterator[Transfer]:
        self._active(direction, place, 1)
        try:
            yield _CountedTransfer(self._values, direction, place)
        finally:
            self._active(direction, place, -1)

    def sending(self, body: Body, place: str) -> None:
        def ended(sent: int) -> None:
            self._values.add((((names.ACTIVE, 'out', place), -1), ((names.BYTES, 'out', place), sent)))
        self._active('out', place, 1)
        body.call_on_close(ended)

    def cache_lookup(self, hit: bool) -> None:
        self._values.add((((names.CACHE, 'hit' if hit else 'miss'), 1),))

    def quota_refused(self, resource: str) -> None:
        self._values.add((((names.REFUSALS, resource), 1),))

    def store_failed(self, store: str) -> None:
        self._values.add((((names.STORE_FAILURES, store), 1),))

    def store_switched(self, store: str, available: bool) -> None:
        self._values.add((((names.UNAVAILABLE, store), -1 if available else 1),))

    def close(self) -> None:
        self._values.close()

    def _active(self, direction: Direction, place: str, change: int) -> None:
        self._values.add((((names.ACTIVE, direction, place), change),))


def _lasted(name: str, labels: tuple[str, ...], seconds: float) -> Iterator[tuple[Key, float]]:
    """Yield what a duration adds to the numbers of a histogram."""
    yield (name, *labels), seconds
    yield (name + names.BUCKET, *labels, names.BUCKET_TEXTS[bisect.bisect_left(names.BUCKETS, seconds)]), 1


class _CountedTransfer(Transfer):

    def __init__(self, values: SharedValues, direction: Direction, place: str):
        self._values, self._key, self._reached = values, (names.BYTES, direction, place), 0

    def reach(self, total: int) -> None:
        self._values.add(((self._key, total - self._reached),))
        self._reached = total


def from_conf(conf: cfg.ConfigOpts) -> Metrics:
    """Return what this process of a service tells of itself. Raises ConfigurationError."""
    check(conf)
    return Recorder(conf.metrics.directory) if conf.metrics.enabled else Metrics()


def check(conf: cfg.ConfigOpts) -> None:
    """Raise ConfigurationError when the metrics are on and the processes have no folder in common."""
    if conf.metrics.enabled and not conf.metrics.directory:
        raise exceptions.ConfigurationError(
            '[metrics] enabled needs [metrics] directory: a folder that only the processes of this service write to. A '
            'server that is restarted, not reloaded, makes one by itself; under a WSGI container it has to be named.')


@contextlib.contextmanager
def common_folder(conf: cfg.ConfigOpts) -> Iterator[None]:
    """Give the processes that this one is about to fork a folder for their numbers, unless the operator named one."""
    if not conf.metrics.enabled or conf.metrics.directory:
        yield
        return
    maker, folder = os.getpid(), tempfile.mkdtemp(prefix='glance-metrics-')
    conf.set_override('directory', folder, 'metrics')
    try:
        yield
    finally:
        if os.getpid() == maker:
            shutil.rmtree(folder, ignore_errors=True)
