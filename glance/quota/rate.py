"""How often an owner may do something: a token bucket for each."""
import math
import threading
import time
from collections.abc import Callable

from glance import exceptions

_KEPT = 4096


class Rate:
    """So many times per second, and up to a second's worth at once, but at least once.

    :param rate: times per second, more than 0
    :param clock: monotonic seconds
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic):
        self._rate, self._most, self._clock = rate, max(1.0, rate), clock
        self._lock = threading.Lock()
        self._buckets: dict[str | None, tuple[float, float]] = {}     # tokens at a time

    def take(self, owner: str | None) -> None:
        """Count one more time. Raises RateExceeded when it is too soon."""
        now = self._clock()
        with self._lock:
            tokens = self._tokens(owner, now)
            if tokens < 1:
                raise exceptions.RateExceeded(self._rate, math.ceil((1 - tokens) / self._rate))
            if len(self._buckets) >= _KEPT:
                self._forget_full_ones(now)
            self._buckets[owner] = (tokens - 1, now)

    def _tokens(self, owner: str | None, now: float) -> float:
        tokens, since = self._buckets.get(owner, (self._most, now))
        return min(self._most, tokens + (now - since) * self._rate)

    def _forget_full_ones(self, now: float) -> None:
        self._buckets = {owner: bucket for owner, bucket in self._buckets.items() if self._tokens(owner, now) < self._most}
