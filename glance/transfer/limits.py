"""The meter of one transfer: how many bytes have come, whether they are too many, and when to tell of progress."""
import time
from collections.abc import Callable

from glance import exceptions

PROGRESS_BYTES = 64 * 1024 * 1024
PROGRESS_SECONDS = 5.0


class Meter:
    """Counts the bytes of a transfer against what was announced and what is allowed.

    :param size: bytes that were announced; None when not known
    :param limit: largest number of bytes that is accepted; None for any
    :param progress: called with the number of bytes read, after PROGRESS_BYTES or PROGRESS_SECONDS at the latest unless
        the source itself keeps the transfer waiting; what it raises ends the transfer
    :raises ImageSizeLimitExceeded: when more was announced than is allowed
    """

    def __init__(self, size: int | None = None, limit: int | None = None,
                 progress: Callable[[int], None] | None = None):
        self.done = 0
        self._size, self._limit, self._progress = size, limit, progress
        self._told_bytes, self._told_at = 0, time.monotonic()
        self._check_limit(size or 0)

    def add(self, count: int) -> None:
        """Count bytes. Raises ImageSizeLimitExceeded or SizeMismatch as soon as there are too many."""
        self.done += count
        self._check_limit(self.done)
        if self._size is not None and self.done > self._size:
            raise exceptions.SizeMismatch(self._size, self.done)
        self.tick()

    def tick(self) -> None:
        """Tell of progress if it is time to."""
        if self._progress is None:
            return
        now = time.monotonic()
        if self.done - self._told_bytes >= PROGRESS_BYTES or now - self._told_at >= PROGRESS_SECONDS:
            self._told_bytes, self._told_at = self.done, now
            self._progress(self.done)

    def complete(self) -> None:
        """The source has ended. Raises SizeMismatch when that was too early."""
        if self._size is not None and self.done != self._size:
            raise exceptions.SizeMismatch(self._size, self.done)

    def _check_limit(self, count: int) -> None:
        if self._limit is not None and count > self._limit:
            raise exceptions.ImageSizeLimitExceeded(self._limit)
