"""What happens when several threads change one image."""
import concurrent.futures
import dataclasses
import threading

from glance import exceptions
from glance.db.interface import Charge, ImageChanges
from tests.db_conformance.base import ADMIN, DatabaseCase, lease

THREADS = 6


class Races(DatabaseCase):
    def race(self, work):
        """Run ``work(i)`` in threads that start together; return their results, errors of the service among them."""
        barrier = threading.Barrier(THREADS)

        def run(i):
            barrier.wait(30)
            try:
                return work(i)
            except exceptions.GlanceError as error:
                return error
        with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
            return list(pool.map(run, range(THREADS)))

    def kinds(self, results):
        return sorted(type(result).__name__ for result in results if isinstance(result, Exception))

    def test_one_of_two_transitions_wins(self):
        for _ in range(5):
            image_id = self.create(status='queued')['id']
            leases = [lease(image_id) for _ in range(THREADS)]
            results = self.race(lambda i: self.db.image_update(
                image_id, ImageChanges({'status': 'saving', 'name': str(i)}), 'queued', acquire=leases[i]))
            self.assertEqual(['StatusConflict'] * (THREADS - 1), self.kinds(results))
            winner = next(i for i, result in enumerate(results) if not isinstance(result, Exception))
            self.assertEqual(str(winner), self.get(image_id)['name'])
            self.assertEqual([leases[winner]], [one for one in self.db.lease_list(worker_prefix='')
                                                if one.image_id == image_id])

    def test_a_status_that_comes_and_goes(self):
        """Whoever comes at the wrong moment is told the status that was in the way."""
        statuses = ('active', 'deactivated')
        image_id = self.create(status='active')['id']

        def switch(i):
            before, after = statuses[i % 2], statuses[1 - i % 2]
            for _ in range(40):
                try:
                    self.db.image_update(image_id, ImageChanges({'status': after}), before)
                except exceptions.StatusConflict as conflict:
                    self.assertEqual(after, conflict.current)
        self.assertEqual([], self.kinds(self.race(switch)))

    def test_a_charge_for_an_image_that_changes(self):
        charge = Charge('me', {'storage': 10}, {'storage': 10_000})
        for number in range(10):
            image_id = self.create(status='queued')['id']

            def work(i):
                if i == 0 and number % 2:
                    self.db.image_remove(image_id)
                elif i == 0:
                    self.db.image_update(image_id, ImageChanges({'status': 'saving'}), 'queued')
                else:
                    self.db.image_update(image_id, ImageChanges({'status': 'saving'}), 'queued', charge=charge)
            self.assertLessEqual(set(self.kinds(self.race(work))), {'StatusConflict', 'ImageNotFound'})

    def test_one_of_two_adds_of_a_member_wins(self):
        for _ in range(5):
            image_id = self.create()['id']
            results = self.race(lambda i: self.db.member_create(image_id, 'm'))
            self.assertEqual(['Duplicate'] * (THREADS - 1), self.kinds(results))
            self.assertEqual(1, len(self.db.member_list(image_id)))

    def test_properties_and_tags_of_all_survive(self):
        for _ in range(3):
            image_id = self.create(properties={'common': 'x'}, tags=['common'])['id']
            results = self.race(lambda i: self.update(image_id, set_properties={'p%d' % i: str(i), 'common': 'y'},
                                                      add_tags=['t%d' % i, 'all'], add_locations=[{'url': str(i)}]))
            self.assertEqual([], self.kinds(results))
            image = self.get(image_id)
            self.assertEqual({'common': 'y', **{'p%d' % i: str(i) for i in range(THREADS)}}, image['properties'])
            self.assertEqual(sorted(['common', 'all', *('t%d' % i for i in range(THREADS))]), sorted(image['tags']))
            self.assertEqual(list('012345'), sorted(location['url'] for location in image['locations']))

    def test_one_of_two_adds_of_a_property_wins(self):
        for _ in range(5):
            image_id = self.create(properties={'lock': 'old'})['id']
            self.update(image_id, remove_properties=['lock'])
            results = self.race(lambda i: self.update(image_id, add_properties={'lock': str(i)}))
            self.assertEqual(['Duplicate'] * (THREADS - 1), self.kinds(results))
            winner = next(i for i, result in enumerate(results) if not isinstance(result, Exception))
            self.assertEqual({'lock': str(winner)}, self.get(image_id)['properties'])

    def test_one_of_two_images_at_an_object_wins(self):
        for number in range(5):
            url = 'rbd://cluster/pool/%d/snap' % number
            ids = [self.create()['id'] for _ in range(THREADS)]
            results = self.race(lambda i: self.update(ids[i], add_locations=[{'url': url}]))
            self.assertEqual(['Duplicate'] * (THREADS - 1), self.kinds(results))
            self.assertEqual(1, sum(len(self.get(image_id)['locations']) for image_id in ids))

    def test_one_of_two_images_of_an_id_wins(self):
        results = self.race(lambda i: self.create(id='same', name=str(i), properties={'p': str(i)}))
        self.assertEqual(['Duplicate'] * (THREADS - 1), self.kinds(results))
        image = self.get('same')
        self.assertEqual({'p': image['name']}, image['properties'])

    def test_an_image_is_removed_once(self):
        image_id = self.create(properties={'a': '1'}, tags=['t'])['id']
        self.db.member_create(image_id, 'm')
        results = self.race(lambda i: self.db.image_remove(image_id))
        self.assertEqual(['ImageNotFound'] * (THREADS - 1), self.kinds(results))

    def test_the_last_of_several_scrubbers_finishes_the_image(self):
        for _ in range(5):
            image_id = self.create(locations=[{'url': str(i)} for i in range(THREADS)])['id']
            ids = [location['id'] for location in self.db.image_remove(image_id, 'pending_delete').locations]
            results = self.race(lambda i: self.db.image_scrubbed(image_id, [ids[i]]))
            self.assertEqual([False] * (THREADS - 1) + [True], sorted(results))
            self.assertEqual('deleted', self.db.image_get(ADMIN, image_id, show_deleted=True)['status'])

    def test_an_image_is_restored_or_scrubbed(self):
        for _ in range(5):
            image_id = self.create(locations=[{'url': 'u'}])['id']
            ids = [location['id'] for location in self.db.image_remove(image_id, 'pending_delete').locations]
            results = self.race(lambda i: (self.db.image_restore(image_id) if i % 2 else self.db.image_scrubbed(image_id, ids)))
            image = self.db.image_get(ADMIN, image_id, show_deleted=True)
            restored = None in results
            self.assertEqual(('active', False, 1) if restored else ('deleted', True, 0),
                             (image['status'], image['deleted'], len(image['locations'])))
            self.assertNotEqual(restored, True in results)

    def test_one_owner_has_no_more_than_allowed(self):
        self.create(size=10, locations=[{'url': 'u'}])
        charge = Charge('me', {'storage': 10, 'uploading': 1}, {'storage': 39, 'uploading': 9})
        for limit, winners in ((39, 2), (1000, THREADS)):
            charge = dataclasses.replace(charge, limits={'storage': limit, 'uploading': 9})
            ids = [self.create(status='queued')['id'] for _ in range(THREADS)]
            results = self.race(lambda i: self.db.image_update(
                ids[i], ImageChanges({'status': 'saving'}), 'queued', charge=charge,
                acquire=dataclasses.replace(lease(ids[i]), owner='me', storage=10)))
            self.assertEqual(['OverLimit'] * (THREADS - winners), self.kinds(results))
            for lease_held in self.db.lease_list(worker_prefix=''):
                self.db.image_remove(lease_held.image_id)
            self.assertEqual(10, self.db.usage('me')['storage'])

    def test_uploads_that_end_while_others_begin_are_counted_once(self):
        ids = [self.create(status='queued')['id'] for _ in range(THREADS * 4)]
        charge = Charge('me', {'storage': 10}, {'storage': 100})

        def upload(image_id):
            mine = dataclasses.replace(lease(image_id), owner='me', storage=10)
            try:
                self.db.image_update(image_id, ImageChanges({'status': 'saving'}), 'queued', mine, charge=charge)
            except exceptions.OverLimit:
                return 0
            self.db.lease_reserve(mine, 'storage', 10, 10, 100)
            self.db.image_update(image_id, ImageChanges({'status': 'active', 'size': 10}, add_locations=[{'url': 'u'}]),
                                 'saving', release=mine.attempt)
            return 1
        results = self.race(lambda i: sum(upload(image_id) for image_id in ids[i * 4:i * 4 + 4]))
        self.assertEqual((10, 100), (sum(results), self.db.usage('me')['storage']))

    def test_many_threads_write_at_once(self):
        results = self.race(lambda i: [self.create(name='%d %d' % (i, j), properties={'a': 'b'}) for j in range(10)])
        self.assertEqual([], self.kinds(results))
        self.assertEqual(THREADS * 10, len(self.listed()))
