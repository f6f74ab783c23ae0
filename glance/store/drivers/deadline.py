"""Calls that must not take for ever, for file systems that can hang."""
import concurrent.futures
import logging
import threading
from collections.abc import Callable
from typing import Any

from glance import exceptions

LOG = logging.getLogger(__name__)


class Deadline:
    """Makes calls in threads of its own and gives up waiting for them after some seconds.

    A call that hangs keeps its thread until the kernel lets go of it; when all threads hang, further calls wait for one
    and are given up in their turn.

    :param seconds: how long to wait for a call; 0 calls directly, without a thread
    :param threads: how many calls may run at once
    :param threshold: percentage of the threads in use from which on a warning is logged
    """

    def __init__(self, seconds: float = 0, threads: int = 10, threshold: int = 75):
        self._seconds, self._threads, self._threshold = seconds, threads, threshold
        self._running = 0
        self._lock = threading.Lock()
        self._pool = concurrent.futures.ThreadPoolExecutor(threads, 'file-store') if seconds else None

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Return what the function returns, or raise what it raises. Raises StoreUnavailable when it takes too long."""
        if self._pool is None:
            return function(*arguments)
        self._count(1)
        future = self._pool.submit(function, *arguments)
        future.add_done_callback(lambda _: self._count(-1))
        try:
            return future.result(self._seconds)
        except concurrent.futures.TimeoutError:
            future.cancel()
            raise exceptions.StoreUnavailable('The image store did not answer within %s seconds; try again later.'
                                              % self._seconds) from None

    def close(self) -> None:
        """Let idle threads end; does not wait for calls that hang."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _count(self, change: int) -> None:
        with self._lock:
            self._running += change
            usage = 100 * self._running // self._threads
        if change > 0 and usage >= self._threshold:
            LOG.warning('%d %% of the threads for file operations are in use; file systems may be slow, or '
                        'filesystem_store_thread_pool_size too small.', usage)
