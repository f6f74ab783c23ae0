"""Work that goes on after its request was answered, in a few threads of this process.

What must survive the process holds a lease (``leases``) and is undone by ``recovery`` when the process dies.
"""
import logging
import queue
import threading
from collections.abc import Callable

from glance import exceptions

LOG = logging.getLogger(__name__)

THREADS = 4
# Seconds that running work gets to undo itself when the process ends.
CLOSE_SECONDS = 5.0


class Interrupted(exceptions.GlanceError):
    """The process ends before the work is done."""

    message = 'The service was stopped before the work was done.'


class Background:
    """Runs jobs in the order in which they come; each of the first ones brings a thread along."""

    def __init__(self, threads: int = THREADS):
        self._limit = threads
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._closed = threading.Event()

    def submit(self, job: Callable[[], None]) -> None:
        """Have the job run soon. Jobs that have not begun when the process ends never do."""
        with self._lock:
            self._jobs.put(job)
            if len(self._threads) < self._limit:
                self._add_thread()

    def _add_thread(self) -> None:
        thread = threading.Thread(target=self._work, name='background', daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            LOG.error('Work in the background waits for other work to end or to come: %s', error)
        else:
            self._threads.append(thread)

    def check(self) -> None:
        """Raise Interrupted when the process ends; long jobs ask now and then."""
        if self._closed.is_set():
            raise Interrupted()

    def pause(self, seconds: float) -> None:
        """Wait. Raises Interrupted when the process ends."""
        self._closed.wait(seconds)
        self.check()

    def close(self) -> None:
        """Interrupt what runs and give it a moment to undo itself."""
        self._closed.set()
        with self._lock:
            threads = list(self._threads)
        for _ in threads:
            self._jobs.put(None)
        for thread in threads:
            thread.join(CLOSE_SECONDS)

    def _work(self) -> None:
        while not self._closed.is_set():
            job = self._jobs.get()
            if job is None:
                return
            try:
                job()
            except Exception:
                LOG.exception('Work in the background failed.')
