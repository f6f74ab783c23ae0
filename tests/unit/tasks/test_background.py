"""Jobs in threads of their own."""
import threading
import unittest
from unittest import mock

from glance.tasks.background import Background, Interrupted


class BackgroundTest(unittest.TestCase):

    def setUp(self):
        self.background = Background(threads=2)
        self.addCleanup(self.background.close)

    def test_jobs_run_side_by_side(self):
        barrier, done = threading.Barrier(3), threading.Semaphore(0)
        for _ in range(2):
            self.background.submit(lambda: (barrier.wait(30), done.release()))
        barrier.wait(30)
        for _ in range(2):
            self.assertTrue(done.acquire(timeout=30))

    def test_more_jobs_than_threads(self):
        done = threading.Semaphore(0)
        for _ in range(20):
            self.background.submit(done.release)
        for _ in range(20):
            self.assertTrue(done.acquire(timeout=30))

    def test_a_job_that_fails(self):
        done = threading.Event()
        with self.assertLogs('glance.tasks.background', 'ERROR'):
            for _ in range(4):
                self.background.submit(lambda: 1 / 0)
            self.background.submit(done.set)
            self.assertTrue(done.wait(30))
            self.background.close()

    def test_a_system_without_room_for_threads(self):
        done = threading.Semaphore(0)
        with mock.patch.object(threading.Thread, 'start', side_effect=RuntimeError("can't start new thread")), \
                self.assertLogs('glance.tasks.background', 'ERROR'):
            self.background.submit(done.release)
        self.background.submit(done.release)
        for _ in range(2):
            self.assertTrue(done.acquire(timeout=30))

    def test_close_interrupts(self):
        begun, ended = threading.Event(), []

        def job():
            begun.set()
            try:
                self.background.pause(300)
            except Interrupted:
                ended.append('interrupted')

        self.background.check()
        self.background.submit(job)
        self.assertTrue(begun.wait(30))
        self.background.close()
        self.assertEqual(['interrupted'], ended)
        self.assertRaises(Interrupted, self.background.check)

    def test_nothing_runs_until_there_is_a_job(self):
        before = set(threading.enumerate())
        Background().close()
        self.assertLessEqual(set(threading.enumerate()), before)
