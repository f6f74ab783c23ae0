"""What owners have, and what is charged to them."""
import dataclasses

from glance import exceptions
from glance.db.interface import COPYING_PROPERTY, IMAGE_STATUSES, RESOURCES, Charge, ImageChanges
from tests.db_conformance.base import LATER, DatabaseCase, lease

GONE = {'killed', 'deleted', 'pending_delete'}


def at(*urls):
    return [{'url': url} for url in urls]


class UsageCase(DatabaseCase):
    def uploading(self, owner='me', **reserved):
        """An image whose data is on its way, and the lease on it."""
        image = self.create(status='queued', owner=owner)
        mine = dataclasses.replace(lease(image['id']), owner=owner, **reserved)
        self.db.image_update(image['id'], ImageChanges({'status': 'saving'}), 'queued', acquire=mine)
        return mine

    def assertUsage(self, owner='me', **expected):
        self.assertEqual({**dict.fromkeys(RESOURCES, 0), **expected}, self.db.usage(owner))

    def assertOver(self, expected, call, *args, **kwargs):
        with self.assertRaises(exceptions.OverLimit) as caught:
            call(*args, **kwargs)
        error = caught.exception
        self.assertEqual(expected, (error.resource, error.limit, error.usage, error.delta))


class Usage(UsageCase):
    def test_an_owner_without_anything(self):
        self.create(owner='other', size=5, locations=at('u'))
        for owner in ('me', None, 'x' * 300, 'a\0', '\U0001f600'):
            self.assertUsage(owner)

    def test_bytes_count_at_each_location(self):
        self.create(size=5, locations=at('u', 'v'))
        self.create(size=7, locations=at('u'))
        self.create(size=2 ** 62)
        self.create(size=None, locations=at('u'))
        self.create(size=0, locations=at('u'))
        self.assertUsage(storage=17, images=5)
        self.assertEqual({'storage': 17}, self.db.usage('me', ('storage',)))
        self.assertEqual({}, self.db.usage('me', ()))

    def test_sums_are_larger_than_one_image(self):
        for _ in range(2):
            self.create(size=2 ** 60, locations=at('u', 'v'))
        self.assertUsage(storage=2 ** 62, images=2)

    def test_locations_that_are_gone_do_not_count(self):
        image = self.create(size=5, locations=at('u', 'v', 'w'))
        first, second, _ = (location['id'] for location in image['locations'])
        self.update(image['id'], remove_locations={first: 'deleted'})
        self.assertUsage(storage=10, images=1)
        self.update(image['id'], remove_locations={second: 'pending_delete'})
        self.assertUsage(storage=10, images=1)

    def test_what_counts_in_each_status(self):
        for status in sorted(IMAGE_STATUSES):
            self.create(owner=status, status=status, size=5, locations=at('u'))
            with self.subTest(status=status):
                if status in GONE:
                    self.assertUsage(status)
                else:
                    self.assertUsage(status, storage=5, images=1, staging=5 * (status in ('uploading', 'importing')),
                                     uploading=int(status in ('saving', 'uploading', 'importing')))

    def test_images_that_wait_for_their_data(self):
        for status in sorted(IMAGE_STATUSES):
            self.create(status=status)
        self.create(status='queued', owner='other')
        self.create(status='queued', owner=None)
        removed = self.create(status='queued')
        self.assertEqual({'queued': 2}, self.db.usage('me', ('queued',)))
        self.db.image_remove(removed['id'])
        self.assertEqual({'queued': 1}, self.db.usage('me', ('queued',)))
        charge = Charge('me', {'queued': 1}, {'queued': 2})
        self.db.image_create({'status': 'queued', 'owner': 'me'}, charge)
        self.assertOver(('queued', 2, 2, 1), self.db.image_create, {'status': 'queued', 'owner': 'me'}, charge)

    def test_images_that_are_being_copied(self):
        for status in sorted(IMAGE_STATUSES):
            self.create(owner=status, status=status, size=5, properties={COPYING_PROPERTY: 'a,b'})
            self.create(owner=status, status=status, size=3, properties={COPYING_PROPERTY: '', 'other': 'a'})
            gone = self.create(owner=status, status=status, size=2, properties={COPYING_PROPERTY: 'a'})
            if status != 'deleted':
                self.update(gone['id'], remove_properties=[COPYING_PROPERTY])
            with self.subTest(status=status):
                if status in GONE:
                    self.assertUsage(status)
                else:
                    own = 2 if status != 'deleted' else 0
                    staged, busy = status in ('uploading', 'importing'), status in ('saving', 'uploading', 'importing')
                    self.assertUsage(status, images=3, staging=5 + (3 + own) * staged, uploading=1 + 2 * busy)

    def test_removed_images_do_not_count(self):
        image = self.create(size=5, locations=at('u'))
        self.db.image_remove(image['id'], 'pending_delete')
        self.assertUsage()

    def test_owners_are_compared_exactly(self):
        for owner in ('ME', 'mé', 'me ', None):
            self.create(owner=owner, size=5, locations=at('u'))
        self.uploading('ME', storage=1)
        self.assertUsage()
        self.assertUsage(None, storage=5, images=1)

    def test_reservations_count_until_the_lease_ends(self):
        first, second, third = self.uploading(storage=5), self.uploading(storage=7, staging=3), self.uploading(None, storage=9)
        self.assertEqual([first, second, third], sorted(
            self.db.lease_list(expired_at=LATER), key=lambda one: one.storage))
        self.assertUsage(storage=12, staging=3, images=2, uploading=2)
        self.assertUsage(None, storage=9, images=1, uploading=1)
        self.db.image_update(first.image_id, ImageChanges({'status': 'active', 'size': 4}, add_locations=at('u')),
                             'saving', release=first.attempt)
        self.assertUsage(storage=11, staging=3, images=2, uploading=1)
        self.db.image_remove(second.image_id)
        self.assertUsage(storage=4, images=1)

    def test_a_lease_that_is_taken_over_or_renewed(self):
        mine = self.uploading(storage=5)
        self.db.lease_renew([mine.attempt], LATER)
        self.assertUsage(storage=5, images=1, uploading=1)
        self.db.image_update(mine.image_id, ImageChanges(), 'saving', acquire=lease(mine.image_id), release=mine.attempt)
        self.assertUsage(images=1, uploading=1)


class Charges(UsageCase):
    def test_as_many_images_as_allowed(self):
        charge = Charge('me', {'images': 1}, {'images': 2})
        self.create(status='deleted')
        for _ in range(2):
            self.db.image_create({'status': 'queued', 'owner': 'me'}, charge)
        self.assertOver(('images', 2, 2, 1), self.db.image_create, {'status': 'queued', 'owner': 'me'}, charge)
        self.assertUsage(images=2)
        self.db.image_create({'status': 'queued', 'owner': 'other'}, dataclasses.replace(charge, owner='other'))
        self.db.image_create({'status': 'queued'}, dataclasses.replace(charge, owner=None))

    def test_only_what_is_limited_is_looked_at(self):
        self.db.image_create({'status': 'queued', 'owner': 'me'}, Charge('me', {'images': 9, 'storage': 9}, {}))
        self.db.image_create({'status': 'queued', 'owner': 'me'}, Charge('me', {'images': 9}, {'storage': 0}))
        self.assertOver(('storage', -1, 0, 0), self.db.image_create, {'status': 'queued'}, Charge('me', {}, {'storage': -1}))

    def test_a_refused_update_changes_nothing(self):
        image, other = self.create(status='queued'), self.uploading(storage=6)
        mine = dataclasses.replace(lease(image['id']), owner='me', storage=5)
        call = self.db.image_update, image['id'], ImageChanges({'status': 'saving', 'name': 'x'}), 'queued', mine
        self.assertOver(('storage', 10, 6, 5), *call, charge=Charge('me', {'storage': 5}, {'storage': 10}))
        self.assertOver(('uploading', 1, 1, 1), *call, charge=Charge('me', {'uploading': 1}, {'uploading': 1}))
        self.assertEqual(image, self.get(image['id']))
        self.assertEqual([other], self.db.lease_list(expired_at=LATER))
        call[0](*call[1:], charge=Charge('me', {'storage': 5}, {'storage': 11, 'uploading': 2}))
        self.assertUsage(storage=11, images=2, uploading=2)

    def test_errors_of_the_update_itself_stay_what_they_are(self):
        image, charge = self.create(), Charge('me', {'storage': 1}, {'storage': 1})
        self.assertRaises(exceptions.StatusConflict, self.db.image_update, image['id'], ImageChanges(), 'queued',
                          charge=charge)
        self.assertRaises(exceptions.ImageNotFound, self.db.image_update, 'gone', ImageChanges(), charge=charge)
        self.assertRaises(exceptions.Duplicate, self.db.image_create, {'id': image['id'], 'status': 'queued'}, charge)

    def test_reserving_more_and_more(self):
        self.uploading(storage=100)
        mine = self.uploading(storage=1)
        reserve = self.db.lease_reserve
        # Of the 890 bytes that 10 would leave, 111 may be taken ahead.
        self.assertEqual(20, reserve(mine, 'storage', 10, 20, 1000))
        self.assertEqual(121, reserve(mine, 'storage', 10, 999, 1000))
        self.assertUsage(storage=221, images=2, uploading=2)
        self.assertEqual(900, reserve(mine, 'storage', 900, 2000, 1000))
        self.assertOver(('storage', 1000, 100, 901), reserve, mine, 'storage', 901, 2000, 1000)
        self.assertUsage(storage=1000, images=2, uploading=2)
        self.assertEqual(7, reserve(mine, 'staging', 7, 7, 7))
        self.assertUsage(storage=1000, staging=7, images=2, uploading=2)

    def test_who_lost_the_lease_reserves_nothing(self):
        mine = self.uploading(storage=1)
        self.db.image_update(mine.image_id, ImageChanges(), acquire=lease(mine.image_id))
        self.assertRaises(exceptions.LeaseLost, self.db.lease_reserve, mine, 'storage', 2, 2, 9)
        self.db.image_remove(mine.image_id)
        self.assertRaises(exceptions.LeaseLost, self.db.lease_reserve, mine, 'storage', 2, 2, 9)
        self.assertUsage()
