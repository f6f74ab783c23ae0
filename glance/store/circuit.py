"""A circuit breaker (Nygard, "Release It!"): who failed again and again is left alone for a while."""
import threading
import time
from collections.abc import Callable

FAILURES = 5
PAUSE = 15.0


class Circuit:
    """Opens after FAILURES failures in a row. After PAUSE seconds one caller may try, and what becomes of it decides.

    Threads share it.

    :param clock: monotonic seconds
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._closed_again = 0.0

    @property
    def open(self) -> bool:
        """Whether callers are turned away at the moment."""
        with self._lock:
            return self._is_open()

    def permits(self) -> bool:
        """Whether the caller may try now; whoever may has to tell how it went, by one of the two methods below."""
        with self._lock:
            if self._is_open():
                return False
            if self._failures >= FAILURES:      # the one who tries; the others wait for another pause, or for its success
                self._closed_again = self._clock() + PAUSE
            return True

    def succeeded(self) -> bool:
        """The other side answered, be it with an error of the caller's. Tells whether this ended a time of failures."""
        with self._lock:
            ended, self._failures = self._failures >= FAILURES, 0
            return ended

    def failed(self) -> bool:
        """The other side could not be reached, or not be used. Tells whether this was the failure that was too much."""
        with self._lock:
            self._failures += 1
            if self._failures >= FAILURES:
                self._closed_again = self._clock() + PAUSE
            return self._failures == FAILURES

    def _is_open(self) -> bool:
        return self._failures >= FAILURES and self._clock() < self._closed_again
