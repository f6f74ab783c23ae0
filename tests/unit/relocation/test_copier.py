"""What becomes of an image, and of its data, when something fails in the middle of a copy or move."""
import hashlib
import types
import unittest
import uuid
from unittest import mock

from glance import exceptions
from glance.db.interface import ImageChanges
from glance.db.memory import MemoryDatabase
from glance.domain.properties import IMPORT_LOCK
from glance.quota.storage import StorageQuota
from glance.relocation.copier import Copier, Orders
from glance.relocation.pace import Pace
from glance.relocation.relabel import Relabelling
from glance.store.location import without_credentials
from glance.tasks.leases import LeaseKeeper, utcnow
from tests.unit.layers import fakes

DATA = b'0123456789'


class CopierTest(unittest.TestCase):

    def setUp(self):
        self.database, self.stores = MemoryDatabase(), fakes.Stores('old', 'new')
        self.old, self.new = self.stores.enabled
        self.notifier = mock.Mock()

    def image(self, data=DATA, **values):
        image_id = str(uuid.uuid4())
        self.old.objects[self.old.url(image_id)] = data
        self.database.image_create({
            'id': image_id, 'status': 'active', 'size': 10, 'os_hash_algo': 'sha512', 'checksum': hashlib.md5(DATA).hexdigest(),
            'os_hash_value': hashlib.sha512(DATA).hexdigest(), 'locations': [{'url': self.old.url(image_id), 'metadata': {}}],
            **values})
        return image_id

    def record(self, image_id):
        return self.database.image_get(fakes.admin(), image_id)

    def run_copier(self, image_id, move=True, database=None, pace=None, quotas=None, **orders):
        database = database or self.database
        held = LeaseKeeper(database)
        self.addCleanup(held.close)
        copier = Copier(database, self.stores, held, Orders(self.old, self.new, move, 'sha256', 10, **orders), self.notifier,
                        quotas, pace)
        return copier.run(self.record(image_id))

    def check_untouched(self, image_id):
        record = self.record(image_id)
        self.assertEqual(([self.old.url(image_id)], {}), ([each['url'] for each in record['locations']], record['properties']))
        self.assertEqual(([self.old.url(image_id)], {}, {}), (list(self.old.objects), self.new.objects, self.new.partial))
        self.assertEqual([], self.database.lease_list(worker_prefix=''))

    def test_moved(self):
        image_id = self.image()
        self.assertEqual('done', self.run_copier(image_id).state)
        self.assertEqual([(self.new.url(image_id), {'store': 'new'})],
                         [(each['url'], each['metadata']) for each in self.record(image_id)['locations']])
        self.assertEqual(({}, {self.new.url(image_id): DATA}), (self.old.objects, self.new.objects))
        self.assertEqual([], self.database.lease_list(worker_prefix=''))
        self.assertEqual([], self.database.pending_list(utcnow()))

    def test_quota_of_the_owner(self):
        """A copy counts beside the first one and is refused before anything is read; a move takes no more than before."""
        image_id = self.image(owner='p')
        outcome = self.run_copier(image_id, move=False, quotas=StorageQuota(19))
        self.assertEqual('left', outcome.state)
        self.assertIn('no room for 10 bytes', outcome.reason)
        self.check_untouched(image_id)
        self.assertEqual([], self.events())
        self.assertEqual('done', self.run_copier(image_id, quotas=StorageQuota(10)).state)
        other = self.image(owner='q')
        self.assertEqual('done', self.run_copier(other, move=False, quotas=StorageQuota(20)).state)
        self.assertEqual(20, self.database.usage('q')['storage'])

    def test_a_copy_has_room_reserved_while_it_is_made(self):
        image_id, commit, usage = self.image(owner='p'), fakes._Writer.commit, []

        def counting(writer):
            usage.append(self.database.usage('p')['storage'])
            return commit(writer)
        with mock.patch.object(fakes._Writer, 'commit', counting):
            self.assertEqual('done', self.run_copier(image_id, move=False, quotas=StorageQuota(20)).state)
        self.assertEqual(([20], 20), (usage, self.database.usage('p')['storage']))

    def test_events(self):
        image_id = self.image()
        self.assertEqual('done', self.run_copier(image_id, move=False).state)
        told = ['image.prepare', 'image.upload', 'image.update']
        self.assertEqual(told, self.events())
        self.assertEqual('new', self.notifier.info.mock_calls[0].args[1]['backend'])
        self.notifier.reset_mock()
        self.assertEqual('done', self.run_copier(self.image()).state)
        self.assertEqual([*told, 'image.update'], self.events())
        self.notifier.reset_mock()
        self.new.fail = {'write': exceptions.StoreFull()}
        self.assertEqual('left', self.run_copier(self.image()).state)
        self.assertEqual(['image.prepare'], self.events())
        self.assertEqual(('image.upload', str(exceptions.StoreFull())), self.notifier.error.mock_calls[0].args[:2])

    def events(self):
        return [call.args[0] for call in self.notifier.info.mock_calls]

    def test_stores_that_fail(self):
        for store, operation in ((self.old, 'open'), (self.new, 'writer'), (self.new, 'write'), (self.new, 'commit')):
            with self.subTest(operation=operation):
                image_id = self.image()
                store.fail = {operation: exceptions.StoreUnavailable()}
                outcome = self.run_copier(image_id)
                self.assertEqual('left', outcome.state)
                self.assertIn('cannot be reached', outcome.reason)
                self.check_untouched(image_id)
                store.fail = {}
                self.old.objects.clear()

    def test_other_data_than_the_record_promises(self):
        for data in (b'9876543210', b'short', b'much too long'):
            image_id = self.image(data)
            self.assertEqual('left', self.run_copier(image_id).state)
            self.check_untouched(image_id)
            self.old.objects.clear()

    def test_an_image_without_hashes_is_read_back(self):
        image_id = self.image(os_hash_algo=None, os_hash_value=None, checksum=None)
        self.new.fail = {'open': exceptions.StoreUnavailable()}
        self.assertEqual('left', self.run_copier(image_id).state)
        self.check_untouched(image_id)
        self.new.fail = {}
        self.assertEqual('done', self.run_copier(image_id).state)

    def test_everything_that_is_read_counts_for_the_rate(self):
        unknown = self.image(os_hash_algo=None, os_hash_value=None, checksum=None)
        present = self.image()
        self.new.objects[self.new.url(present)] = DATA
        self.database.image_update(present, ImageChanges(add_locations=[{'url': self.new.url(present), 'metadata': {}}]))
        for image_id, count in ((unknown, 20), (present, 10)):
            taken, pace = [], Pace(1000)
            with mock.patch.object(pace, 'take', taken.append):
                self.assertEqual('done', self.run_copier(image_id, pace=pace).state)
            self.assertEqual(count, sum(taken))

    def test_old_data_that_cannot_be_removed_waits_for_the_scrubber(self):
        image_id = self.image()
        self.old.fail = {'delete': exceptions.ObjectInUse()}
        outcome = self.run_copier(image_id)
        self.assertEqual('done', outcome.state)
        self.assertIn('in use', outcome.reason)
        pending, = self.database.pending_list(utcnow())
        self.assertEqual([self.old.url(image_id)], [each['url'] for each in pending.locations])
        self.assertEqual([self.new.url(image_id)], [each['url'] for each in self.record(image_id)['locations']])

    def test_deleted_before_it_is_recorded(self):
        image_id = self.image()
        commit = fakes._Writer.commit

        def deleted_meanwhile(writer):
            self.database.image_remove(image_id)
            return commit(writer)
        with mock.patch.object(fakes._Writer, 'commit', deleted_meanwhile):
            self.assertEqual('gone', self.run_copier(image_id).state)
        self.assertEqual(({}, {}), (self.new.objects, self.new.partial))

    def test_taken_over_by_another_worker(self):
        image_id = self.image()
        commit = fakes._Writer.commit

        def taken_over(writer):
            self.database.lease_release([each.attempt for each in self.database.lease_list(worker_prefix='')])
            return commit(writer)
        with mock.patch.object(fakes._Writer, 'commit', taken_over):
            self.assertEqual('left', self.run_copier(image_id).state)
        self.assertEqual({}, self.new.objects)

    def test_a_database_that_goes_away_before_the_record(self):
        """It is not known whether the record was written: the copy stays, and so does the old data."""
        image_id = self.image()
        failing = fakes.Failing(self.database, image_update=[None, exceptions.DatabaseUnavailable(), None])
        self.assertRaises(exceptions.DatabaseUnavailable, self.run_copier, image_id, database=failing)
        self.assertEqual((1, 1), (len(self.old.objects), len(self.new.objects)))
        self.assertEqual('left', self.run_copier(image_id).state)

    def test_who_is_left_alone(self):
        for values, word in (({'status': 'importing'}, 'importing'), ({'properties': {IMPORT_LOCK: 'other'}}, 'other')):
            image_id = self.image(**values)
            outcome = self.run_copier(image_id)
            self.assertEqual('left', outcome.state)
            self.assertIn(word, outcome.reason)


class RelabellingTest(unittest.TestCase):

    def setUp(self):
        self.database = MemoryDatabase()
        self.names = {'file:///a': 'disk', 's3://host/b': 'cloud'}
        self.stores = types.SimpleNamespace(name_of=self.name_of)

    def name_of(self, url, metadata):
        bare = without_credentials(url)
        return next((name for prefix, name in self.names.items() if bare.startswith(prefix)), None)

    def relabel(self, **arguments):
        return list(Relabelling(self.database, self.stores, **arguments).run())

    def test_credentials_go(self):
        image = self.database.image_create({'status': 'active', 'locations': [
            {'url': 's3://key:se/cret@host/b/1', 'metadata': {}}, {'url': 'file:///a/1', 'metadata': {'store': 'disk'}},
            {'url': 'rbd://x', 'metadata': {}}]})
        found, = self.relabel(dry_run=True)
        self.assertEqual((image['id'], None, 'cloud'), (found.image_id, found.former, found.store))
        self.assertNotIn('cret', repr(found))
        self.relabel()
        self.assertEqual([('s3://host/b/1', {'store': 'cloud'}), ('file:///a/1', {'store': 'disk'}), ('rbd://x', {})],
                         [(each['url'], each['metadata'])
                          for each in self.database.image_get(fakes.admin(), image['id'])['locations']])
        self.assertEqual([], self.relabel())

    def test_images_that_are_deleted_are_left_alone(self):
        image = self.database.image_create({'status': 'active', 'locations': [{'url': 'file:///a/1', 'metadata': {}}]})
        self.database.image_remove(image['id'], 'pending_delete')
        self.assertEqual([], self.relabel())

    def test_an_image_that_changes_meanwhile(self):
        image = self.database.image_create({'status': 'active', 'locations': [{'url': 'file:///a/1', 'metadata': {}}]})
        self.database = fakes.Failing(self.database, image_update=[exceptions.ChangedMeanwhile(image['id'])])
        self.assertIn('changed', self.relabel()[0].reason)
