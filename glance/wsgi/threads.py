"""Native threads for requests: many when requests wait for something, few when they are short.

Python runs one thread at a time, and threads that compete for it spend more time on handing it over than on their work.
As long as the pool keeps taking jobs, a new job waits for one of the threads that are at work; once none was taken for a
while they are taken to be waiting (for a database, a disk, a client), and another thread starts. The more there are, the
longer is the while: a machine that is busy with other things must not make the pool look as if it were waiting.
"""

import collections
import contextlib
import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

LOG = logging.getLogger(__name__)

PATIENCE = 0.001
"""Seconds after which a second thread may join the first one; it takes four times as long until a third joins them."""
_MOST_PATIENCE = 16 * PATIENCE
_SHORT = 0.05
"""Seconds that a job takes which computes; one that takes longer waits for something."""
_IDLE_SECONDS = 30
_RETRY_SECONDS = 0.1
"""Seconds until another thread is tried after the system has refused one."""


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
        self._aside = 0
        self._running: dict[int, float] = {}
        """When each thread that runs a job took it; the latest is the last."""
        self._watching = False

    def submit(self, job: Any) -> None:
        """Have the job run soon."""
        with self._lock:
            self._jobs.append(job)
        if self._seems_to_wait():
            self._add_thread()
        else:
            self._watch()

    @contextlib.contextmanager
    def stepping_aside(self) -> Iterator[None]:
        """For a job that waits for what may not come: other jobs do not wait for its thread meanwhile."""
        me = threading.get_ident()
        with self._lock:
            del self._running[me]
            self._aside += 1
        try:
            yield
        finally:
            with self._lock:
                self._aside -= 1
                self._running[me] = time.monotonic()

    def _watch(self, seconds: float = PATIENCE) -> None:
        if not self._watching:
            self._watching = True
            self._call_later(seconds, self._check)

    def _check(self) -> None:
        """Add a thread for the jobs that wait, if the pool has not taken one lately."""
        self._watching = False
        if not self._jobs:
            return
        if self._seems_to_wait():
            self._add_thread()
        if self._jobs and (self._sleepers or self._threads < self.limit):
            self._watch()

    def _seems_to_wait(self) -> bool:
        """Whether no thread has taken a job for so long that all of them are likely to wait for something."""
        with self._lock:
            if self._threads - len(self._sleepers) - self._aside > len(self._running):  # one is about to take a job
                return False
            now = time.monotonic()
            taken = list(itertools.takewhile(lambda moment: now - moment < _SHORT, reversed(self._running.values())))
        return not taken or now - taken[0] > min(PATIENCE * len(taken) ** 2, _MOST_PATIENCE)

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
            with self._lock:
                self._threads -= 1
            LOG.error('No further thread can be started for requests: %s', error)
            self._watch(_RETRY_SECONDS)

    def _work(self) -> None:
        wake = threading.Lock()
        wake.acquire()
        me = threading.get_ident()
        while True:
            with self._lock:
                self._running.pop(me, None)
                job = self._jobs.popleft() if self._jobs else None
                if job is None:
                    self._sleepers.append(wake)
                else:
                    self._running[me] = time.monotonic()
            if job is not None:
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
