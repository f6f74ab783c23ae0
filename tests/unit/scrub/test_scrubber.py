"""What the scrubber does with stores, claims, keys and events; the records are in memory."""
import datetime
import threading
import unittest
from unittest import mock

from glance import exceptions
from glance.cmd import scrubber as program
from glance.db.memory import MemoryDatabase
from glance.keys.disposal import KEY, POLICY
from glance.scrub import scrubber
from glance.scrub.restore import restore
from glance.scrub.scrubber import Result, Scrubber
from glance.tasks import leases
from tests.unit.layers import fakes


class Stores:
    """Stores of which each remembers what it was asked to delete; ``failing`` ones are away."""

    def __init__(self, *failing):
        self.deleted, self.tries, self.failing, self.missing = [], [], failing, ()
        self.all = {}

    def for_location(self, url, metadata):
        return self.all.setdefault(url.partition('://')[0], Store(self, url.partition('://')[0]))


class Store:
    def __init__(self, stores, scheme):
        self.stores, self.name, self.schemes = stores, None, (scheme,)

    def delete(self, location):
        self.stores.tries.append(location.url)
        if self.schemes[0] in self.stores.failing:
            raise exceptions.StoreUnavailable()
        self.stores.deleted.append(location.url)

    def size(self, location):
        if location.url in self.stores.missing:
            raise exceptions.ObjectNotFound()
        return 1


class ScrubberCase(unittest.TestCase):
    def setUp(self):
        super().setUp()
        self.database, self.stores, self.stop = MemoryDatabase(), Stores(), threading.Event()
        self.conf = fakes.make_conf()

    def scrubber(self):
        found = Scrubber(self.conf, self.database, self.stores, self.stop)
        self.addCleanup(found.close)
        return found

    def pending(self, *urls, **values):
        image = self.database.image_create({'status': 'active', 'owner': fakes.OWNER, **values,
                                            'locations': [{'url': url} for url in urls]})
        self.database.image_remove(image['id'], 'pending_delete')
        return image['id']

    def status(self, image_id):
        return self.database.image_get(fakes.admin(), image_id, show_deleted=True)['status']


class RunTest(ScrubberCase):

    def test_what_is_done_is_counted(self):
        done, half = self.pending('a://1', 'a://2'), self.pending('a://3', 'b://4')
        self.stores.failing = ('b',)
        self.assertEqual(Result(images=1, locations=3, failed=1), self.scrubber().run())
        self.assertEqual(('deleted', 'pending_delete'), (self.status(done), self.status(half)))
        self.stores.failing = ()
        self.assertEqual(Result(images=1, locations=1), self.scrubber().run())
        self.assertEqual(['a://1', 'a://2', 'a://3', 'b://4'], sorted(self.stores.deleted))

    def test_a_store_that_fails_is_left_alone_and_others_are_not(self):
        for number in range(20):
            self.pending('a://%d' % number, 'b://%d' % number)
        self.stores.failing = ('a',)
        self.assertEqual(Result(locations=20, failed=20), self.scrubber().run())
        self.assertEqual(scrubber.PATIENCE, sum(url.startswith('a') for url in self.stores.tries))

    def test_pages(self):
        with mock.patch.object(scrubber, 'BATCH', 3):
            for number in range(10):
                self.pending('a://%d' % number)
            self.assertEqual(10, len(list(self.scrubber().waiting())))
            self.assertEqual(10, self.scrubber().run().images)

    def test_stopped(self):
        image_ids = [self.pending('a://%d' % number) for number in range(3)]
        self.stores.for_location = mock.Mock(side_effect=lambda url, metadata: self.stop.set() or Store(self.stores, 'a'))
        self.assertEqual(Result(images=1, locations=1), self.scrubber().run())
        self.assertEqual(1, [self.status(image_id) for image_id in image_ids].count('deleted'))
        self.assertEqual([], self.database.lease_list(worker_prefix=''))

    def test_a_claim_that_could_not_be_prolonged_is_worth_nothing(self):
        image_id = self.pending('a://1')
        with mock.patch.object(leases.LeaseKeeper, 'is_sure', return_value=False), self.assertLogs(scrubber.LOG, 'ERROR'):
            self.assertEqual(Result(failed=1), self.scrubber().run())
        self.assertEqual(([], 'pending_delete'), (self.stores.tries, self.status(image_id)))

    def test_a_database_that_goes_away_in_between(self):
        image_id = self.pending('a://1')
        self.database = fakes.Failing(self.database, image_scrubbed=[exceptions.DatabaseUnavailable()])
        self.assertEqual(Result(failed=1), self.scrubber().run())
        self.assertEqual('pending_delete', self.status(image_id))
        self.assertEqual(Result(images=1, locations=1), self.scrubber().run())

    def test_a_driver_with_a_defect(self):
        image_id = self.pending('a://1')
        self.stores.for_location = mock.Mock(side_effect=ZeroDivisionError)
        with self.assertLogs(scrubber.LOG, 'ERROR'):
            self.assertEqual(Result(failed=1), self.scrubber().run())
        self.assertEqual('pending_delete', self.status(image_id))

    def test_events(self):
        image_id = self.pending('a://1', 'b://2')
        self.stores.failing = ('b',)
        work = self.scrubber()
        with mock.patch.object(work._notifier, 'info') as info:
            work.run()
        info.assert_called_once_with('image.scrub', {'id': image_id, 'owner': fakes.OWNER, 'locations': 1, 'errors': 1},
                                     image_id)


class KeysTest(ScrubberCase):

    def test_a_key_goes_with_the_last_of_the_data(self):
        image_id = self.pending('a://1', 'b://2', properties={KEY: 'k', POLICY: 'on_image_deletion'})
        work = self.scrubber()
        self.stores.failing = ('b',)
        context = fakes.caller(fakes.OWNER, auth_token='token')
        with mock.patch.object(work._credentials, 'context_for', return_value=context) as context_for, \
                mock.patch.object(work._keys, 'delete') as delete:
            work.run()
            delete.assert_not_called()
            self.stores.failing = ()
            work.run()
        context_for.assert_called_once_with(fakes.OWNER)
        delete.assert_called_once_with(context, 'k')
        self.assertEqual('deleted', self.status(image_id))

    def test_without_credentials_keys_stay_and_images_go(self):
        image_id = self.pending('a://1', properties={KEY: 'k', POLICY: 'on_image_deletion'})
        with self.assertLogs('glance.keys.disposal', 'WARNING') as logs:
            self.scrubber().run()
        self.assertIn('auth_type', logs.output[0])
        self.assertEqual('deleted', self.status(image_id))

    def test_no_token_is_fetched_for_images_without_a_key(self):
        self.pending('a://1')
        work = self.scrubber()
        with mock.patch.object(work._credentials, 'context_for') as context_for:
            work.run()
        context_for.assert_not_called()


class RestoreTest(ScrubberCase):

    def test_data_that_is_gone_does_not_come_back(self):
        image_id = self.pending('a://1', 'a://2')
        self.stores.missing = ('a://1',)
        restore(self.database, self.stores, image_id)
        image = self.database.image_get(fakes.admin(), image_id)
        self.assertEqual(('active', ['a://2']), (image['status'], [each['url'] for each in image['locations']]))

    def test_without_any_data_there_is_nothing_to_restore(self):
        image_id = self.pending('a://1')
        self.stores.missing = ('a://1',)
        with self.assertRaisesRegex(exceptions.Conflict, 'is gone'):
            restore(self.database, self.stores, image_id)
        self.assertEqual('deleted', self.status(image_id))

    def test_what_another_one_scrubs(self):
        image_id = self.pending('a://1')
        lease = leases.new_lease('')
        self.database.pending_claim([image_id], lease, leases.utcnow(), datetime.datetime.max)
        with self.assertRaisesRegex(exceptions.Conflict, 'being removed'):
            restore(self.database, self.stores, image_id)


class DaemonTest(unittest.TestCase):

    def test_thousands_of_runs(self):
        """Some of which fail in every way; each pause is as long as it should be, whatever the clock of the day says."""
        work = mock.Mock()
        work.run.side_effect = [Result(failed=1), exceptions.DatabaseUnavailable(), ValueError()] * 700
        stop = mock.Mock()
        stop.is_set.side_effect = lambda: stop.wait.call_count >= 2000
        with self.assertLogs(program.LOG):
            self.assertEqual(0, program._repeat(work, 300, stop))
        self.assertEqual([mock.call(300)] * 2000, stop.wait.call_args_list)
