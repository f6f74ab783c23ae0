"""A store that is reached over a network, with what keeps its failures from becoming those of others.

What found the store unavailable is repeated a few times, a store that failed again and again is left alone for a while
(``glance.store.circuit``), and of one store no more than so many transfers run at a time. Bytes pass by untouched.
"""
import contextlib
import itertools
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from glance import exceptions
from glance.store.base import AccessControl, Capability, Location, Reader, Store, StoredObject, Writer
from glance.store.circuit import Circuit

LOG = logging.getLogger(__name__)
T = TypeVar('T')

_FIRST_DELAY, _LONGEST_DELAY = 0.1, 2.0
_PATIENCE = 10.0
"""Seconds after which a call that failed is not repeated any more: whoever hangs is not asked to hang again."""


class Watch:
    """Who is told how stores are; this one takes note of nothing."""

    def store_failed(self, store: str) -> None:
        """The store was unavailable once more."""

    def store_switched(self, store: str, available: bool) -> None:
        """The store is left alone from now on, as it failed again and again, or it can be used again."""


class GuardedStore:
    """A ``store.base.Store`` around another.

    :param attempts: how often a call is tried at most
    :param transfers: how many objects may be read and written at a time; 0 is any number
    :param watch: is told of failures
    """

    def __init__(self, store: Store, attempts: int = 3, transfers: int = 0, clock: Callable[[], float] = time.monotonic,
                 sleep: Callable[[float], None] = time.sleep, watch: Watch | None = None):
        self._watch = watch or Watch()
        self.inner = store
        """The store itself, for what only its driver can do."""
        self._attempts = attempts
        self._clock, self._sleep = clock, sleep
        self._circuit = Circuit(clock)
        self._transfers = threading.BoundedSemaphore(transfers) if transfers else None

    @property
    def name(self) -> str | None:
        return self.inner.name

    @property
    def schemes(self) -> tuple[str, ...]:
        return self.inner.schemes

    @property
    def capabilities(self) -> Capability:
        return self.inner.capabilities

    @property
    def url_prefixes(self) -> tuple[str, ...]:
        return self.inner.url_prefixes

    @property
    def details(self) -> dict[str, Any]:
        return self.inner.details

    @property
    def available(self) -> bool:
        """Whether calls are let through at the moment."""
        return not self._circuit.open

    def writer(self, image_id: str, size: int | None = None, attempt: str | None = None) -> Writer:
        return self._transfer(GuardedWriter, lambda: self.inner.writer(image_id, size, attempt))

    def open(self, location: Location, offset: int = 0, length: int | None = None) -> Reader:
        return self._transfer(GuardedReader, lambda: self.inner.open(location, offset, length))

    def size(self, location: Location) -> int:
        return self._call(lambda: self.inner.size(location))

    def delete(self, location: Location) -> None:
        self._call(lambda: self.inner.delete(location))

    def discard(self, image_id: str, attempt: str | None = None, committed: bool = False) -> int:
        return self._call(lambda: self.inner.discard(image_id, attempt, committed))

    def sweep(self, older_than: float = 3600.0) -> list[str]:
        return self._call(lambda: self.inner.sweep(older_than))

    def walk(self) -> Iterator[StoredObject]:
        with self._noting():
            yield from self.inner.walk()

    def close(self) -> None:
        self.inner.close()

    def _call(self, function: Callable[[], T]) -> T:
        """Call, and again while that may help. Raises StoreUnavailable when it does not."""
        started = self._clock()
        for attempt in itertools.count(1):
            if not self._circuit.permits():
                raise exceptions.StoreUnavailable()
            try:
                with self._noting():
                    return function()
            except exceptions.StoreUnavailable:
                if attempt >= self._attempts or self._clock() - started > _PATIENCE:
                    raise
            self._sleep(min(_FIRST_DELAY * 2 ** attempt, _LONGEST_DELAY) * random.uniform(0.5, 1.0))
        raise AssertionError('the loop ends by itself')

    def _transfer(self, guard: Callable[..., T], function: Callable[[], Any]) -> T:
        finish = self._begin_transfer()
        try:
            return guard(self._call(function), self._noting, finish)
        except BaseException:
            finish()
            raise

    def _begin_transfer(self) -> Callable[[], None]:
        """Take one of the transfers that may run at a time; the result gives it back, once."""
        if self._transfers is None:
            return _Once(None)
        if not self._transfers.acquire(blocking=False):
            LOG.warning('Store %s has as many transfers as it may have.', self._title)
            raise exceptions.StoreUnavailable('The image store has too much to do at the moment; try again later.')
        return _Once(self._transfers.release)

    @contextlib.contextmanager
    def _noting(self) -> Iterator[None]:
        """Note how something goes that is done with the store. What has begun is not cut off by the failures of others."""
        try:
            yield
        except exceptions.StoreUnavailable:
            self._watch.store_failed(self._title)
            if self._circuit.failed():
                LOG.error('Store %s cannot be used; it is left alone for a while.', self._title)
                self._watch.store_switched(self._title, available=False)
            raise
        except exceptions.GlanceError:
            self._answered()
            raise
        self._answered()

    def _answered(self) -> None:
        if self._circuit.succeeded():
            LOG.info('Store %s can be used again.', self._title)
            self._watch.store_switched(self._title, available=True)

    @property
    def _title(self) -> str:
        return self.name or self.schemes[0]


class GuardedAccessControl(GuardedStore):
    """The same around a store that is a ``store.base.AccessControl``, and one itself."""

    def set_acls(self, location: Location, public: bool, read_projects: Sequence[str]) -> None:
        self._call(lambda: self.inner.set_acls(location, public, read_projects))


def guarded(store: Store, attempts: int, transfers: int, watch: Watch) -> GuardedStore:
    """A store with a guard that can do what it can."""
    guard = GuardedAccessControl if isinstance(store, AccessControl) else GuardedStore
    return guard(store, attempts, transfers, watch=watch)


class GuardedWriter:
    """A ``store.base.Writer`` whose failures are noted."""

    def __init__(self, writer: Writer, noting: Callable[[], contextlib.AbstractContextManager[None]],
                 finish: Callable[[], None]):
        self._writer, self._noting, self._finish = writer, noting, finish
        self.holes = writer.holes

    def write(self, data: memoryview) -> None:
        with self._noting():
            self._writer.write(data)

    def hole(self, length: int) -> None:
        with self._noting():
            self._writer.hole(length)

    def commit(self) -> Location:
        with self._noting():
            location = self._writer.commit()
        self._finish()
        return location

    def abort(self) -> None:
        self._writer.abort()
        self._finish()


class GuardedReader:
    """A ``store.base.Reader`` whose failures are noted."""

    def __init__(self, reader: Reader, noting: Callable[[], contextlib.AbstractContextManager[None]],
                 finish: Callable[[], None]):
        self._reader, self._noting, self._finish = reader, noting, finish
        self.offset, self.length = reader.offset, reader.length

    def readinto(self, buffer: memoryview) -> int:
        with self._noting():
            return self._reader.readinto(buffer)

    def fileno(self) -> int | None:
        return self._reader.fileno()

    def close(self) -> None:
        self._reader.close()
        self._finish()


class _Once:
    """A function, or nothing, that is called at most once."""

    def __init__(self, function: Callable[[], None] | None):
        self._function = function

    def __call__(self) -> None:
        function, self._function = self._function, None
        if function is not None:
            function()
