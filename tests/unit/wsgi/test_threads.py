import threading
import unittest
from unittest import mock

from glance.wsgi import threads
from glance.wsgi.threads import ThreadPool


class Loop:
    """The caller's event loop, advanced by hand."""

    def __init__(self):
        self.calls = []

    def call_later(self, _seconds, function):
        self.calls.append(function)

    def advance(self):
        calls, self.calls = self.calls, []
        for function in calls:
            function()


class ThreadPoolTest(unittest.TestCase):

    def setUp(self):
        self.loop = Loop()

    def test_runs_every_job(self):
        done, finished = [], threading.Event()

        def run(job):
            done.append(job)
            if len(done) == 500:
                finished.set()
        pool = ThreadPool(run, 4, self.loop.call_later)
        for job in range(500):
            pool.submit(job)
        while not finished.wait(0.01):
            self.loop.advance()
        self.assertEqual(list(range(500)), sorted(done))

    def run_blocking(self, limit: int, jobs: int) -> int:
        """Submit jobs that all wait; return how many run at once."""
        started, release = threading.Semaphore(0), threading.Event()
        self.addCleanup(release.set)
        running = 0

        def run(_job):
            started.release()
            release.wait()
        pool = ThreadPool(run, limit, self.loop.call_later)
        for job in range(jobs):
            pool.submit(job)
        while running < min(limit, jobs):
            if started.acquire(timeout=threads.PATIENCE * 2):
                running += 1
            self.loop.advance()
        for _ in range(5):
            self.loop.advance()
        return running + bool(started.acquire(timeout=0.02))

    def test_grows_while_jobs_wait(self):
        self.assertEqual(20, self.run_blocking(limit=50, jobs=20))

    def test_never_beyond_its_limit(self):
        self.assertEqual(3, self.run_blocking(limit=3, jobs=10))

    def test_system_without_room_for_threads_is_asked_at_a_steady_pace(self):
        pool = ThreadPool(lambda job: None, 10, self.loop.call_later)
        with mock.patch.object(threading.Thread, 'start', side_effect=RuntimeError("can't start new thread")), \
                self.assertLogs('glance.wsgi.threads', 'ERROR'):
            for job in range(3):
                pool.submit(job)
            for _ in range(10):
                self.loop.advance()
                self.assertEqual(1, len(self.loop.calls))

    def blocked(self) -> tuple[ThreadPool, threading.Semaphore, mock.Mock]:
        """A pool whose jobs wait, what is released for each that begins, and the clock."""
        patcher = mock.patch.object(threads, 'time')
        clock = patcher.start().monotonic
        self.addCleanup(patcher.stop)
        started, release = threading.Semaphore(0), threading.Event()
        self.addCleanup(release.set)

        def run(_job):
            started.release()
            release.wait()
        clock.return_value = 100.0
        return ThreadPool(run, 50, self.loop.call_later), started, clock

    def test_the_more_threads_the_longer_a_job_waits_for_another(self):
        pool, started, clock = self.blocked()
        pool.submit('job')
        for at_work in range(1, 5):
            self.assertTrue(started.acquire(timeout=10))
            pool.submit('job')
            clock.return_value += threads.PATIENCE * (at_work ** 2 - 0.5)
            self.loop.advance()
            self.assertFalse(started.acquire(timeout=0.01))
            clock.return_value += threads.PATIENCE
            self.loop.advance()
        self.assertTrue(started.acquire(timeout=10))

    def test_a_job_does_not_wait_for_those_that_take_long(self):
        pool, started, clock = self.blocked()
        for _ in range(20):
            pool.submit('job')
            self.assertTrue(started.acquire(timeout=10))
            clock.return_value += 1

    def test_a_job_does_not_wait_for_those_that_step_aside(self):
        started, release = threading.Semaphore(0), threading.Event()
        self.addCleanup(release.set)

        def run(_job):
            with pool.stepping_aside():
                started.release()
                release.wait()
        pool = ThreadPool(run, 50, self.loop.call_later)
        with mock.patch.object(threads, 'time') as clock:
            clock.monotonic.return_value = 100.0
            for _ in range(5):
                pool.submit('job')
                self.assertTrue(started.acquire(timeout=10))

    def test_short_jobs_share_a_thread(self):
        names, turn = set(), threading.Semaphore(0)

        def run(_job):
            names.add(threading.get_ident())
            turn.release()
        pool = ThreadPool(run, 50, self.loop.call_later)
        for job in range(200):
            pool.submit(job)
            while not turn.acquire(timeout=0.01):
                self.loop.advance()
        self.assertLess(len(names), 5)
