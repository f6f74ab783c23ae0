"""The registries that this process may call: kept connections to each, and which of them answer."""
import logging
import ssl
import threading
import time
from dataclasses import dataclass

from glance.conf.validation import is_loopback
from glance.db.remote.exchange import FOREVER, AnswerLost, Connection, NotSent, WrongAnswer

LOG = logging.getLogger(__name__)

# A registry is left alone after so many failures in a row, at first for the shorter time in seconds, then ever longer.
_FAILURES = 3
_SHORTEST_REST, _LONGEST_REST = 0.25, 5.0
_TTL = 'x-glance-request-key-ttl'

Answer = tuple[int, dict[str, str], bytes]


class NoneAnswers(Exception):
    """Every registry failed a moment ago and is left alone for now."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds, numbers of connections: those that are kept while idle, and those that there may be."""

    connect_timeout: float = 5
    idle_timeout: float = 60
    kept: int = 10
    most: int = 100


class Endpoint:
    """One registry. Threads share it; each exchange has a connection of its own.

    :param tls: how to encrypt, or None
    :ivar remembers: seconds for which it remembers the answers to writes that have keys; 0 as long as that is not known
    :ivar is_near: it is on this host
    """

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None, limits: Limits):
        self.host, self.port, self._tls, self._limits = host, port, tls, limits
        self.authority = '%s:%d' % ('[%s]' % host if ':' in host else host, port)
        self.remembers, self.is_near = 0.0, is_loopback(host)
        self._idle: list[Connection] = []
        self._lock = threading.Lock()
        self._room = threading.BoundedSemaphore(limits.most)
        self._failures, self._rest, self._resting_until, self._probing = 0, _SHORTEST_REST, 0.0, False

    def exchange(self, request: bytes, deadline: float) -> Answer:
        """Send a request; return status, headers and body. Raises NotSent, AnswerLost or WrongAnswer."""
        if not self._room.acquire(timeout=None if deadline == FOREVER else max(deadline - time.monotonic(), 0)):
            raise NotSent('all connections are in use')
        try:
            connection = self._connection(deadline)
            try:
                status, headers, body, lasts = connection.exchange(request, deadline)
            except BaseException:
                connection.close()
                raise
            self._keep(connection, lasts)
        except NotSent as error:
            self._failed(error, at_once=True)
            raise
        except (AnswerLost, WrongAnswer) as error:
            self._failed(error)
            raise
        finally:
            self._room.release()
        if status in (502, 503, 504):
            self._failed(WrongAnswer('status %d' % status))
        else:
            self._answered()
        if status == 200:
            ttl = headers.get(_TTL, '')
            self.remembers = float(ttl) if ttl.isdecimal() and ttl.isascii() else 0.0
        return status, headers, body

    def close(self) -> None:
        """Close the connections that are kept."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    # Connections.

    def _connection(self, deadline: float) -> Connection:
        """Return a connection that is kept and alive, else a new one. Raises NotSent."""
        while True:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            now = time.monotonic()
            if connection is None:
                return Connection(self.host, self.port, self._tls, min(deadline, now + self._limits.connect_timeout))
            if now - connection.idle_since < self._limits.idle_timeout and connection.is_alive():
                return connection
            connection.close()

    def _keep(self, connection: Connection, lasts: bool) -> None:
        connection.idle_since = time.monotonic()
        with self._lock:
            if lasts and len(self._idle) < self._limits.kept:
                self._idle.append(connection)
                return
        connection.close()

    # Health.

    def may_be_tried(self) -> bool:
        """Whether it answers as far as is known. Of those who ask when its rest is over, one is told so: he finds out."""
        if not self._resting_until:
            return True
        with self._lock:
            now = time.monotonic()
            if now < self._resting_until:
                return False
            if self._resting_until:
                self._resting_until, self._probing = now + self._limits.connect_timeout, True
            return True

    def _failed(self, error: Exception, at_once: bool = False) -> None:
        with self._lock:
            self._failures += 1
            if not at_once and self._failures < _FAILURES:
                return
            now, first = time.monotonic(), not self._resting_until
            if now < self._resting_until and not self._probing:  # had begun before the rest
                return
            self._resting_until, self._probing = now + self._rest, False
            self._rest = min(self._rest * 2, _LONGEST_REST)
        if first:
            LOG.error('The registry at %s does not answer (%s); requests that need it get 503.', self.authority, error)

    def _answered(self) -> None:
        if not self._failures:
            return
        with self._lock:
            again, self._failures = bool(self._resting_until), 0
            self._rest, self._resting_until, self._probing = _SHORTEST_REST, 0.0, False
        if again:
            LOG.info('The registry at %s answers again.', self.authority)


class Endpoints:
    """Several registries of one installation, called in turn."""

    def __init__(self, endpoints: list[Endpoint]):
        self._endpoints = endpoints
        self._next = 0

    def choose(self, insist: bool = False) -> Endpoint:
        """Return the next one that may be tried; when there is none, any, or with ``insist`` false raise NoneAnswers."""
        count = len(self._endpoints)
        start = self._next = (self._next + 1) % count
        for place in range(start, start + count):
            endpoint = self._endpoints[place % count]
            if endpoint.may_be_tried():
                return endpoint
        if insist:
            return self._endpoints[start]
        raise NoneAnswers('no registry has answered lately')

    def close(self) -> None:
        """Close the connections that are kept."""
        for endpoint in self._endpoints:
            endpoint.close()
