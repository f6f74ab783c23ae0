"""What dead workers left is undone; what living ones do is not touched."""
import dataclasses
import datetime
import subprocess
import sys
import threading
import unittest
import uuid
from unittest import mock

from glance import exceptions, gateway
from glance.db.interface import ImageChanges, Lease
from glance.db.memory import MemoryDatabase
from glance.tasks import leases, recovery
from tests.unit.layers import fakes

HOUR = datetime.timedelta(hours=1)


class RecoveryTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        process = subprocess.Popen([sys.executable, '-c', 'import sys; sys.stdin.read()'], stdin=subprocess.PIPE)
        cls.dead = leases.worker_name(process.pid)
        process.stdin.close()
        process.wait()

    def setUp(self):
        self.database, self.stores = MemoryDatabase(), fakes.Stores('one', 'two')
        self.store = self.stores.enabled[0]

    def begin(self, worker, expires_in=HOUR, image_id=None):
        """Leave an upload of the worker half-done; return its lease."""
        image_id = image_id or self.database.image_create({'status': 'queued', 'name': 'n'})['id']
        lease = Lease(image_id, str(uuid.uuid4()), worker, leases.utcnow() + expires_in)
        self.database.image_update(image_id, ImageChanges(columns={'status': 'saving'}), 'queued', acquire=lease)
        for store in self.stores.enabled:
            store.partial[image_id, lease.attempt] = b'half'
        return lease

    def status(self, lease):
        return self.database.image_get(fakes.admin(), lease.image_id, show_deleted=True)['status']

    def recover(self):
        return recovery.recover(self.database, self.stores)

    def leases(self):
        return [lease.attempt for lease in self.database.lease_list(worker_prefix='')]

    def assert_undone(self, lease):
        self.assertEqual('queued', self.status(lease))
        self.assertNotIn(lease.attempt, self.leases())
        for store in self.stores.enabled:
            self.assertNotIn((lease.image_id, lease.attempt), store.partial)

    def assert_untouched(self, lease):
        self.assertEqual('saving', self.status(lease))
        self.assertIn(lease.attempt, self.leases())
        for store in self.stores.enabled:
            self.assertIn((lease.image_id, lease.attempt), store.partial)

    def test_nothing_to_do(self):
        self.assertEqual(0, self.recover())

    def test_a_dead_worker_of_this_machine(self):
        lease = self.begin(self.dead)
        self.assertEqual(1, self.recover())
        self.assert_undone(lease)

    def test_a_lapsed_lease_of_another_machine(self):
        lease = self.begin('elsewhere/boot/1/2/3', -HOUR)
        self.assertEqual(1, self.recover())
        self.assert_undone(lease)

    def test_a_lapsed_lease_of_this_machine(self):
        lease = self.begin(self.dead, -HOUR)
        self.assertEqual(1, self.recover())
        self.assert_undone(lease)

    def test_living_workers(self):
        for worker in (leases.worker_name(), 'elsewhere/boot/1/2/3'):
            with self.subTest(worker=worker):
                lease = self.begin(worker)
                self.assertEqual(0, self.recover())
                self.assert_untouched(lease)

    def test_the_dead_among_the_living(self):
        living, dead, lapsed = self.begin(leases.worker_name()), self.begin(self.dead), self.begin('x/y/1/2/3', -HOUR)
        self.assertEqual(2, self.recover())
        self.assert_untouched(living)
        self.assert_undone(dead)
        self.assert_undone(lapsed)

    def test_twice(self):
        self.begin(self.dead)
        self.assertEqual([1, 0], [self.recover(), self.recover()])

    def test_the_image_takes_data_again_and_keeps_its_attributes(self):
        lease = self.begin(self.dead)
        self.recover()
        record = self.database.image_get(fakes.admin(), lease.image_id)
        self.assertEqual(('n', None, None), (record['name'], record['size'], record['checksum']))
        self.begin(leases.worker_name(), image_id=lease.image_id)

    def test_whole_data_without_a_record_is_removed(self):
        """The worker died, or lost the database, between the publication of the bytes and the record."""
        lease = self.begin(self.dead)
        self.store.objects[self.store.url(lease.image_id)] = b'whole'
        self.recover()
        self.assert_undone(lease)
        self.assertEqual({}, self.store.objects)

    def test_an_image_that_was_deleted_meanwhile(self):
        lease = self.begin(self.dead)
        self.database.image_remove(lease.image_id)
        self.assertEqual(0, self.recover())
        self.assertEqual('deleted', self.status(lease))

    def test_an_image_that_disappears_while_we_look(self):
        lease = self.begin(self.dead)
        self.database = fakes.Failing(self.database, image_update=[lambda: self.database.image_remove(lease.image_id)])
        self.assertEqual(0, self.recover())
        self.assertEqual('deleted', self.status(lease))

    def test_an_upload_that_is_finished_while_we_look(self):
        lease = self.begin(leases.worker_name(), -HOUR)
        real = self.database

        def finish():
            real.image_update(lease.image_id, ImageChanges(columns={'status': 'active', 'size': 4}), 'saving',
                              release=lease.attempt)
        self.database = fakes.Failing(real, image_update=[finish])
        self.assertEqual(0, self.recover())
        record = real.image_get(fakes.admin(), lease.image_id)
        self.assertEqual(('active', 4), (record['status'], record['size']))

    def test_a_new_upload_that_began_while_we_looked(self):
        """Another process recovered the image; its new upload is not ours to undo."""
        old, real, new = self.begin(self.dead), self.database, []

        class Racing(fakes.Failing):
            def lease_list(inner, *args, **kwargs):
                found = real.lease_list(*args, **kwargs)
                if found and not new:
                    recovery.recover(real, self.stores)
                    new.append(self.begin(leases.worker_name(), image_id=old.image_id))
                return found
        self.assertEqual(0, recovery.recover(Racing(real), self.stores))
        self.assert_untouched(new[0])

    def test_a_store_that_fails_is_tried_again_when_the_lease_lapses(self):
        lease, other = self.begin(self.dead), self.begin(self.dead)
        self.store.fail = {'discard': exceptions.StoreUnavailable()}
        with self.assertLogs(recovery.LOG, 'WARNING'):
            self.assertEqual(0, self.recover())
        for one in (lease, other):
            self.assertEqual('saving', self.status(one))
            self.assertNotIn((one.image_id, one.attempt), self.stores.enabled[1].partial)
        self.store.fail = {}
        late = leases.utcnow() + datetime.timedelta(seconds=2 * leases.DURATION)
        with mock.patch.object(leases, 'utcnow', return_value=late):
            self.assertEqual(2, self.recover())
        self.assertEqual(['queued', 'queued'], [self.status(one) for one in (lease, other)])

    def test_one_image_that_cannot_be_undone_does_not_keep_the_others(self):
        leases_of = [self.begin(self.dead) for _ in range(3)]
        self.database = fakes.Failing(self.database, image_update=[exceptions.Conflict()])
        self.assertEqual(2, self.recover())
        self.assertEqual(['queued', 'queued', 'saving'], sorted(self.status(lease) for lease in leases_of))


class JanitorTest(unittest.TestCase):

    def test_looks_at_once_and_again_whatever_happens(self):
        for error in (exceptions.DatabaseUnavailable(), RuntimeError('unexpected')):
            looked = threading.Semaphore(0)

            def look(database, stores, error=error, looked=looked):
                looked.release()
                raise error
            with self.subTest(error=type(error).__name__), mock.patch.object(recovery, 'recover', look), \
                    mock.patch.object(recovery, 'INTERVAL', 0.01), self.assertLogs(recovery.LOG, 'WARNING'):
                janitor = recovery.Janitor(None, None)
                janitor.start()
                for _ in range(3):
                    self.assertTrue(looked.acquire(timeout=30))
                janitor.close()
                janitor._thread.join(30)
                self.assertFalse(janitor._thread.is_alive())


class InterruptedUploadTest(unittest.TestCase):
    """A whole story through the gateway."""

    def test_a_retry_after_the_database_was_away_at_the_end(self):
        env = fakes.make_environment(self)
        images = gateway.images(fakes.caller(), env)
        image = images.new({'disk_format': 'raw', 'container_format': 'bare'})
        images.add(image)
        away = dataclasses.replace(env, database=fakes.Failing(env.database, image_update=[
            None, exceptions.DatabaseUnavailable(), exceptions.DatabaseUnavailable()]))
        broken = gateway.images(fakes.caller(), away)
        self.assertRaises(exceptions.DatabaseUnavailable, broken.upload, broken.get(image.image_id),
                          fakes.Source(b'data'))
        with mock.patch.object(leases, 'is_alive', lambda worker: False):
            self.assertEqual(1, recovery.recover(env.database, env.stores))
        images.upload(images.get(image.image_id), fakes.Source(b'other'))
        self.assertEqual('active', images.get(image.image_id).status)


class SweepTest(unittest.TestCase):

    def test_every_store_is_searched_whatever_the_others_do(self):
        stores = fakes.Stores('one', 'two')
        searched = []
        for store in (*stores.enabled, stores.staging):
            store.sweep = lambda store=store: searched.append(store.name) or []

        def fail():
            raise exceptions.StoreUnavailable()
        stores.enabled[0].sweep = fail
        with self.assertLogs(recovery.LOG, 'WARNING') as logs:
            recovery.sweep(stores)
        self.assertEqual(['two', 'os_glance_staging_store'], searched)
        self.assertIn('one', logs.output[0])
