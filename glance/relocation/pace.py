"""No more than so many bytes per second, over all that is read."""
import time
from collections.abc import Callable

from glance.transfer.sources import Source

_PARTS = 4      # reads per second
_LARGEST = 1024 * 1024


class Pace:
    """The rate of everything that one process copies.

    :param rate: bytes per second
    :param clock: monotonic seconds
    """

    def __init__(self, rate: int, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep):
        self._rate, self._clock, self._sleep = rate, clock, sleep
        self._free_at = 0.0

    @property
    def step(self) -> int:
        """How many bytes are best read at a time."""
        return min(max(self._rate // _PARTS, 1), _LARGEST)

    def take(self, count: int) -> None:
        """Return when that many more bytes may have been read."""
        now = self._clock()
        self._free_at = max(self._free_at, now) + count / self._rate
        self._sleep(self._free_at - now)


class Paced:
    """A source that is not read faster than the pace allows."""

    def __init__(self, source: Source, pace: Pace):
        self._source, self._pace = source, pace

    def readinto(self, buffer: memoryview) -> int:
        """Read as a Source does, no more than is best at a time, and wait for its turn."""
        count = self._source.readinto(buffer[:self._pace.step])
        self._pace.take(count)
        return count
