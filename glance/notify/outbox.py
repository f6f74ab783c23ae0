"""Events on their way out: a bounded queue, and the one thread that sends what is in it, in order.

Who puts an event in never waits: not for the message bus, not for room. What cannot be sent is named in the log.
"""
import atexit
import collections
import logging
import threading
from typing import Any, NamedTuple, Protocol

LOG = logging.getLogger(__name__)

CAPACITY = 1000


class Event(NamedTuple):
    """``about`` is the id that the log names when the event is missed. The payload is not changed after ``put``."""

    priority: str
    event_type: str
    payload: Any
    about: str


class Bus(Protocol):
    """Where events go. Used by one thread."""

    def send(self, event: Event) -> None:
        """Send the event, however long that takes; any exception means that it was not sent."""

    def close(self) -> None:
        """Release connections."""


class Outbox:
    """Sends events to the bus, which it owns. The thread starts with the first event."""

    def __init__(self, bus: Bus, capacity: int = CAPACITY):
        self._bus, self._capacity = bus, capacity
        self._waiting: collections.deque[Event] = collections.deque()
        self._sending: Event | None = None
        self._closed = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def put(self, event: Event) -> None:
        """Take the event over; when that is not possible it is missed."""
        refusal = self._take(event)
        if refusal is not None:
            _log_missed(event, refusal)

    def _take(self, event: Event) -> str | None:
        """Queue the event, or return why not."""
        with self._changed:
            if self._closed:
                return 'the service is stopping'
            if len(self._waiting) >= self._capacity:
                return '%d events are waiting for the message bus already' % self._capacity
            if self._thread is None and not self._start():
                return 'no further thread can be started'
            self._waiting.append(event)
            self._changed.notify()
            return None

    def _start(self) -> bool:
        thread = threading.Thread(target=self._run, name='notifications', daemon=True)
        try:
            thread.start()
        except RuntimeError:
            return False
        self._thread = thread
        # Not every WSGI container tells its application that it ends.
        atexit.register(self.close)
        return True

    def close(self, timeout: float = 2.0) -> None:
        """Send what is waiting, for ``timeout`` seconds at most; the rest is missed. Safe to call twice."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._changed.notify()
        if self._thread is None:
            self._bus.close()
            return
        atexit.unregister(self.close)
        self._thread.join(timeout)
        with self._changed:
            left = [event for event in (self._sending, *self._waiting) if event is not None]
            self._sending = None
            self._waiting.clear()
        for event in left:
            _log_missed(event, 'the service stopped before the message bus took it')

    def _run(self) -> None:
        try:
            while (event := self._next()) is not None:
                self._send(event)
        finally:
            self._bus.close()

    def _next(self) -> Event | None:
        """Wait for an event; None when there will be none any more."""
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait()
            self._sending = self._waiting.popleft() if self._waiting else None
            return self._sending

    def _send(self, event: Event) -> None:
        failure = None
        try:
            self._bus.send(event)
        except Exception as error:  # whatever it is: the next event may be luckier
            failure = error
        with self._changed:
            given_up = self._sending is None
            self._sending = None
        if failure is not None and not given_up:
            _log_missed(event, failure)


def _log_missed(event: Event, reason: str | Exception) -> None:
    LOG.warning('The notification %s about %s was not sent: %s', event.event_type, event.about, reason)
