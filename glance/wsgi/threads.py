"""Native threads for requests: many when requests wait for something, few when they are short.

Python runs one thread at a time, so a second thread for a request that takes 100 µs costs more than it brings. As long
as the pool keeps taking jobs, a new job waits for one of the threads that are at work; once none was taken for a
millisecond they are taken to be waiting (for a database, a disk, a client), and another thread starts.
"""

import collections
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

LOG = logging.getLogger(__name__)

PATIENCE = 0.001
_IDLE_SECONDS = 30


class ThreadPool:
    """Runs jobs in native threads.

    :param run: called with each job; must not raise
    :param limit: most threads
    :param call_later: ``call_later(seconds, function)`` of the caller's event loop; the pool needs it to notice that
        a job has waited too long. ``submit`` and this function run in the same thread
    """

    def __init__(self, run: Callable[[Any], None], limit: int, call_later: Callable[[float, Callable], Any]):
        self._run = run
        self.limit = limit
        self._call_later = call_later
        self._jobs: collections.deque = collections.deque()
        self._lock = threading.Lock()
        self._sleepers: list[threading.Lock] = []
        self._threads = 0
        self._taken = 0.0
        self._watching = False

    @property
    def busy(self) -> int:
        """How many threads are at work, plus the jobs that wait for one."""
        return self._threads - len(self._sleepers) + len(self._jobs)

    def submit(self, job: Any) -> None:
        """Have the job run soon."""
        with self._lock:
            self._jobs.append(job)
            at_work = self._threads - len(self._sleepers)
        if not at_work or time.monotonic() - self._taken > PATIENCE:
            self._add_thread()
        elif not self._watching:
            self._watch()

    def _watch(self) -> None:
        self._watching = True
        self._call_later(PATIENCE, self._check)

    def _check(self) -> None:
        """Give every job that waits a thread of its own, if the pool has not taken one lately."""
        self._watching = False
        if not self._jobs:
            return
        if time.monotonic() - self._taken > PATIENCE:
            for _ in range(len(self._jobs)):
                self._add_thread()
        if self._jobs and (self._sleepers or self._threads < self.limit):
            self._watch()

    def _add_thread(self) -> None:
        with self._lock:
            if self._sleepers:
                self._sleepers.pop().release()
                return
            if self._threads >= self.limit:
                return
            self._threads += 1
        try:
            threading.Thread(target=self._work, name='request', daemon=True).start()
        except RuntimeError as error:
            self._threads -= 1
            LOG.error('No further thread can be started for requests: %s', error)
            self._watch()

    def _work(self) -> None:
        wake = threading.Lock()
        wake.acquire()
        while True:
            with self._lock:
                job = self._jobs.popleft() if self._jobs else None
                if job is None:
                    self._sleepers.append(wake)
            if job is not None:
                self._taken = time.monotonic()
                self._run(job)
                job = None
            elif not wake.acquire(timeout=_IDLE_SECONDS) and self._retire(wake):
                return

    def _retire(self, wake: threading.Lock) -> bool:
        with self._lock:
            if wake not in self._sleepers:  # woken in this very moment
                wake.acquire()
                return False
            self._sleepers.remove(wake)
            self._threads -= 1
            return True
