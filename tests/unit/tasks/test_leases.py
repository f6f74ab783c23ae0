"""Names of workers, and leases that are prolonged."""
import os
import subprocess
import sys
import threading
import unittest
from unittest import mock

from glance import exceptions
from glance.db.interface import ImageChanges
from glance.db.memory import MemoryDatabase
from glance.tasks import leases
from tests.unit.layers.fakes import Failing


class WorkerTest(unittest.TestCase):

    def child(self):
        """Start a process that waits for the end of its input; return it."""
        process = subprocess.Popen([sys.executable, '-c', 'import sys; sys.stdin.read()'], stdin=subprocess.PIPE)
        self.addCleanup(self.end, process)
        return process

    def end(self, process):
        process.stdin.close()
        process.wait()

    def test_this_process_is_alive(self):
        self.assertTrue(leases.is_alive(leases.worker_name()))
        self.assertEqual(leases.worker_name(os.getpid()), leases.worker_name())

    def test_names_begin_with_the_host(self):
        self.assertTrue(leases.worker_name().startswith(leases.host_prefix()))
        self.assertTrue(leases.host_prefix().endswith('/'))

    def test_a_process_that_ended_is_not(self):
        process = self.child()
        name = leases.worker_name(process.pid)
        self.assertTrue(leases.is_alive(name))
        self.assertNotEqual(leases.worker_name(), name)
        self.end(process)
        self.assertFalse(leases.is_alive(name))

    def test_a_killed_process_that_nobody_waited_for_is_not(self):
        process = self.child()
        name = leases.worker_name(process.pid)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        self.assertFalse(leases.is_alive(name))

    def test_a_later_process_with_the_same_pid_is_another_worker(self):
        name = leases.worker_name()
        self.assertFalse(leases.is_alive(name[:-1] + ('1' if name[-1] != '1' else '2')))

    def test_names_fit_their_column(self):
        self.assertLessEqual(len(leases.worker_name()), 255)


class HeartbeatTest(unittest.TestCase):

    def setUp(self):
        patcher = mock.patch.object(leases, 'HEARTBEAT', 0.01)
        patcher.start()
        self.addCleanup(patcher.stop)
        self.database = MemoryDatabase()
        self.image_id = self.database.image_create({'status': 'queued'})['id']
        self.renewed, self.asked = threading.Event(), []

    def keeper(self, *errors):
        plan = list(errors)

        def renew():
            error = plan.pop(0) if plan else None
            if error:
                raise error
            self.renewed.set()
        keeper = leases.LeaseKeeper(Failing(self.database, lease_renew=[renew] * 10000))
        self.addCleanup(keeper.close)
        return keeper

    def lease(self):
        found, = self.database.lease_list(worker_prefix='')
        return found

    def acquire(self, lease):
        self.database.image_update(self.image_id, ImageChanges(columns={'status': 'saving'}), 'queued', acquire=lease)

    def test_a_lease_names_image_attempt_and_worker(self):
        keeper = self.keeper()
        with keeper.hold('i') as first, keeper.hold('i') as second:
            self.assertEqual(('i', leases.worker_name()), (first.image_id, first.worker))
            self.assertNotEqual(first.attempt, second.attempt)
            self.assertGreater(first.expires_at, leases.utcnow())

    def test_a_held_lease_is_prolonged(self):
        with self.keeper().hold(self.image_id) as lease:
            self.acquire(lease)
            self.renewed.clear()
            self.assertTrue(self.renewed.wait(30))
            self.renewed.clear()
            self.assertTrue(self.renewed.wait(30))
            self.assertGreater(self.lease().expires_at, lease.expires_at)
            self.assertEqual(lease.attempt, self.lease().attempt)

    def test_the_heart_goes_on_after_an_error(self):
        for error in (exceptions.DatabaseUnavailable(), RuntimeError('unexpected')):
            with self.subTest(error=type(error).__name__), self.assertLogs(leases.LOG, 'WARNING'):
                self.renewed.clear()
                with self.keeper(error).hold(self.image_id):
                    self.assertTrue(self.renewed.wait(3))

    def test_a_lease_that_is_not_held_any_more_is_left_alone(self):
        keeper = self.keeper()
        with keeper.hold(self.image_id) as lease:
            self.acquire(lease)
        with keeper.hold('other'):
            before = self.lease().expires_at
            self.renewed.clear()
            self.assertTrue(self.renewed.wait(30))
            self.renewed.clear()
            self.assertTrue(self.renewed.wait(30))
            self.assertEqual(before, self.lease().expires_at)

    def test_a_lease_is_let_go_after_an_error(self):
        keeper = self.keeper()
        with self.assertRaises(KeyboardInterrupt), keeper.hold(self.image_id):
            raise KeyboardInterrupt
        self.assertFalse(keeper._held)

    def test_a_heart_that_could_not_begin_begins_with_the_next_lease(self):
        keeper = self.keeper()
        with mock.patch.object(threading.Thread, 'start', side_effect=RuntimeError("can't start new thread")), \
                self.assertRaises(RuntimeError), keeper.hold(self.image_id):
            self.fail('held')
        self.assertFalse(keeper._held)
        with keeper.hold(self.image_id):
            self.assertTrue(self.renewed.wait(30))

    def test_closing_ends_the_thread(self):
        keeper = self.keeper()
        with keeper.hold('i'):
            pass
        keeper.close()
        keeper._thread.join(30)
        self.assertFalse(keeper._thread.is_alive())

    def test_closing_without_a_lease(self):
        keeper = self.keeper()
        keeper.close()
        self.assertIsNone(keeper._thread)
