"""Images that wait for their data to be removed: it goes, or they come back."""
import datetime

from glance import exceptions
from glance.db.interface import PendingImage, Removal, StoredLocation
from tests.db_conformance.base import ADMIN, EPOCH, LATER, DatabaseCase, lease, moment

NOW = LATER - datetime.timedelta(days=30)


class Removals(DatabaseCase):
    def pending(self, **values):
        """Make and remove an image with children; return it as it was, and the removal."""
        image = self.create(**{'properties': {'a': '1'}, 'tags': ['t'], 'locations': [{'url': 'u'}, {'url': 'v'}], **values})
        self.db.member_create(image['id'], 'other', 'accepted')
        return image, self.db.image_remove(image['id'], 'pending_delete')

    def status(self, image):
        return self.db.image_get(ADMIN, image['id'], show_deleted=True)['status']

    def test_an_image_without_locations_has_nothing_to_wait_for(self):
        image = self.create(properties={'a': '1'})
        removal = self.db.image_remove(image['id'], 'pending_delete')
        self.assertEqual(('deleted', []), (removal.status, removal.locations))
        self.assertEqual('deleted', self.status(image))

    def test_an_image_comes_back_with_what_went_with_it(self):
        image, removal = self.pending()
        self.db.image_restore(image['id'])
        found = self.get(image['id'])
        self.assertEqual({**image, 'updated_at': found['updated_at']}, found)
        self.assertEqual([('other', 'accepted')], [(row['member'], row['status']) for row in self.db.member_list(image['id'])])

    def test_an_image_comes_back_with_the_status_it_had(self):
        image, removal = self.pending(status='deactivated')
        self.assertRaises(exceptions.Invalid, self.db.image_restore, image['id'], 'queued')
        self.db.image_restore(image['id'], 'deactivated', removal)
        self.assertEqual(('deactivated', 2), (self.get(image['id'])['status'], len(self.get(image['id'])['locations'])))

    def test_another_removal_is_not_undone(self):
        image, _ = self.pending()
        other = Removal(moment(0), 'pending_delete', [])
        self.assertRaises(exceptions.Conflict, self.db.image_restore, image['id'], 'active', other)
        self.assertEqual('pending_delete', self.status(image))

    def test_only_pending_images_come_back(self):
        live, (gone, _) = self.create(), self.pending()
        self.db.image_scrubbed(gone['id'], [location['id'] for location in gone['locations']])
        for image in (live, gone):
            self.assertRaises(exceptions.StatusConflict, self.db.image_restore, image['id'])
        self.assertRaises(exceptions.ImageNotFound, self.db.image_restore, 'nobody')
        self.assertRaises(exceptions.ImageNotFound, self.db.image_restore, 'x' * 99)

    def test_data_goes_location_by_location_and_then_the_image(self):
        image, removal = self.pending()
        one, two = (location['id'] for location in removal.locations)
        self.assertFalse(self.db.image_scrubbed(image['id'], [one]))
        self.assertEqual('pending_delete', self.status(image))
        self.assertTrue(self.db.image_scrubbed(image['id'], [one, two]))
        self.assertEqual('deleted', self.status(image))
        self.assertTrue(self.db.image_scrubbed(image['id'], [two]))

    def test_no_locations_are_no_progress(self):
        image, removal = self.pending()
        self.assertFalse(self.db.image_scrubbed(image['id'], []))
        self.assertEqual('pending_delete', self.status(image))

    def test_what_is_gone_does_not_come_back(self):
        image, removal = self.pending()
        self.db.image_scrubbed(image['id'], [removal.locations[0]['id']])
        self.db.image_restore(image['id'], 'active', removal)
        self.assertEqual(['v'], [location['url'] for location in self.get(image['id'])['locations']])

    def test_only_data_that_is_pending_goes(self):
        image, removal = self.pending()
        self.db.image_restore(image['id'])
        ids = [location['id'] for location in removal.locations]
        self.assertFalse(self.db.image_scrubbed(image['id'], ids))
        self.assertRaises(exceptions.ImageNotFound, self.db.image_scrubbed, 'nobody', ids)
        self.assertEqual(2, len(self.get(image['id'])['locations']))

    def test_other_images_are_left_alone(self):
        (image, removal), (other, _) = self.pending(), self.pending()
        self.db.image_scrubbed(other['id'], [location['id'] for location in removal.locations])
        self.db.image_restore(image['id'])
        self.assertEqual((2, 'pending_delete'), (len(self.get(image['id'])['locations']), self.status(other)))


class Objects(DatabaseCase):
    """Of several images at one place of a store none may take the data of another one with it."""

    URL = 'rbd://cluster/pool/object/snap'
    SAME = 'RBD://cluster/pool/%6fbject/snap'

    def holder(self, **values):
        return self.create(locations=[{'url': self.URL}], **values)

    def check_taken(self):
        image = self.create(status='queued')
        for url in (self.URL, self.SAME):
            self.assertTrue(self.db.object_in_use(url, image['id']))
            self.assertRaises(exceptions.Duplicate, self.update, image['id'], add_locations=[{'url': url}])
            self.assertRaises(exceptions.Duplicate, self.create, locations=[{'url': 'rbd://free'}, {'url': url}])
        self.assertEqual([], self.get(image['id'])['locations'])

    def check_free(self):
        image = self.create(status='queued')
        self.assertFalse(self.db.object_in_use(self.URL, image['id']))
        self.update(image['id'], add_locations=[{'url': self.URL}])

    def test_an_object_belongs_to_one_image(self):
        image = self.holder()
        self.check_taken()
        self.assertFalse(self.db.object_in_use(self.URL, image['id']))
        self.assertRaises(exceptions.Duplicate, self.update, image['id'], add_locations=[{'url': self.SAME}])
        self.assertFalse(self.db.object_in_use('rbd://cluster/pool/other/snap', 'i'))
        self.assertFalse(self.db.object_in_use('rbd://cluster/pool/Object/snap', 'i'))

    def test_what_web_servers_have_belongs_to_nobody(self):
        for url in ('http://example.org/a', 'HTTPS://example.org/a'):
            for _ in range(2):
                image = self.create(locations=[{'url': url}, {'url': url}])
                self.update(image['id'], add_locations=[{'url': url}])
                self.assertFalse(self.db.object_in_use(url, 'i'))

    def test_a_location_that_moves_keeps_its_object(self):
        image = self.holder()
        key = image['locations'][0]['id']
        self.update(image['id'], update_locations=[{**image['locations'][0], 'metadata': {'a': 'b'}}])
        self.check_taken()
        self.update(image['id'], remove_locations={key: 'deleted'}, add_locations=[{'url': self.URL}])
        self.check_taken()

    def test_an_object_is_free_when_its_data_is_gone(self):
        image = self.holder()
        self.update(image['id'], remove_locations={image['locations'][0]['id']: 'deleted'})
        self.check_free()

    def test_after_a_deletion_it_is_free(self):
        self.db.image_remove(self.holder()['id'])
        self.check_free()

    def test_before_the_scrubber_has_come_it_is_not(self):
        image = self.holder()
        self.db.image_remove(image['id'], 'pending_delete')
        self.check_taken()
        self.db.image_restore(image['id'])
        self.check_taken()
        self.db.image_remove(image['id'], 'pending_delete')
        self.db.image_scrubbed(image['id'], [image['locations'][0]['id']])
        self.check_free()


class Pending(DatabaseCase):
    """The queue of the scrubber."""

    def removed(self, number, **values):
        image_id = '%08d-0000-4000-8000-000000000000' % number
        image = self.create(**{'id': image_id, 'locations': [{'url': 'u%d' % number}], 'properties': {'a': '1'}, **values})
        self.db.image_remove(image_id, 'pending_delete')
        return image

    def ids(self, before=LATER, **arguments):
        return [image.image_id for image in self.db.pending_list(before, **arguments)]

    def claim(self, *images, now=NOW, worker='w', dead=(), before=LATER):
        mine = lease('', worker, now + datetime.timedelta(minutes=10))
        return mine, [each.image_id for each in self.db.pending_claim(
            [image['id'] for image in images], mine, now, before, dead)]

    def test_what_waits(self):
        live = self.create(locations=[{'url': 'u'}])
        image = self.removed(1, locations=[{'url': 'u', 'metadata': {'store': 's'}}, {'url': 'v'}], owner='me')
        self.assertEqual([PendingImage(image['id'], 'pending_delete', 'me', {'a': '1'}, [
            {**location, 'status': 'pending_delete'} for location in image['locations']])], self.db.pending_list(LATER))
        self.db.image_scrubbed(image['id'], [image['locations'][0]['id']])
        self.assertEqual(['v'], [location['url'] for location in self.db.pending_list(LATER)[0].locations])
        self.db.image_scrubbed(image['id'], [image['locations'][1]['id']])
        self.assertEqual([], self.db.pending_list(LATER))
        self.assertEqual('active', self.get(live['id'])['status'])

    def test_nothing_waits_before_its_time(self):
        self.removed(1)
        self.assertEqual([], self.ids(before=EPOCH))
        self.assertEqual(1, len(self.ids()))

    def test_pages(self):
        images = [self.removed(number)['id'] for number in (3, 1, 5, 2, 4)]
        images.sort()
        self.assertEqual(images, self.ids())
        self.assertEqual(images[:2], self.ids(limit=2))
        self.assertEqual(images[2:4], self.ids(after=images[1], limit=2))
        self.assertEqual([], self.ids(after=images[-1]))

    def test_single_locations_of_an_image_that_goes_on(self):
        image = self.create(locations=[{'url': 'u'}, {'url': 'v'}], properties={'a': '1'})
        self.update(image['id'], remove_locations={image['locations'][0]['id']: 'pending_delete'})
        found, = self.db.pending_list(LATER)
        self.assertEqual(('active', {}, ['u']), (found.status, found.properties, [each['url'] for each in found.locations]))
        _, claimed = self.claim(image)
        self.assertEqual([image['id']], claimed)
        self.assertFalse(self.db.image_scrubbed(image['id'], [found.locations[0]['id']]))
        self.assertEqual(([], 'active'), (self.ids(), self.get(image['id'])['status']))

    def test_single_locations_outlive_their_image(self):
        image = self.create(locations=[{'url': 'u'}, {'url': 'v'}])
        one, two = image['locations']
        self.update(image['id'], remove_locations={one['id']: 'pending_delete'})
        self.db.image_remove(image['id'], 'pending_delete')
        self.assertEqual([['u', 'v']], [[each['url'] for each in found.locations] for found in self.db.pending_list(LATER)])
        self.assertFalse(self.db.image_scrubbed(image['id'], [two['id']]))
        self.assertTrue(self.db.image_scrubbed(image['id'], [one['id']]))

    def test_where_there_should_be_data(self):
        live = self.create(locations=[{'url': 'a', 'metadata': {'store': 's'}}, {'url': 'b'}, {'url': 'c'}])
        one, two, three = live['locations']
        self.update(live['id'], remove_locations={two['id']: 'pending_delete', three['id']: 'deleted'})
        waiting, gone = self.removed(1), self.removed(2)
        self.db.image_scrubbed(gone['id'], [gone['locations'][0]['id']])
        expected = [StoredLocation(live['id'], 'active', one),
                    StoredLocation(live['id'], 'active', {**two, 'status': 'pending_delete'}),
                    StoredLocation(waiting['id'], 'pending_delete', {**waiting['locations'][0], 'status': 'pending_delete'})]
        self.assertEqual(expected, self.db.location_list())
        self.assertEqual(expected[:1], self.db.location_list(limit=1))
        self.assertEqual(expected[1:2], self.db.location_list(one['id'], 1))

    def test_one_claims_and_others_do_not(self):
        one, two = self.removed(1), self.removed(2)
        mine, claimed = self.claim(one)
        self.assertEqual([one['id']], claimed)
        self.assertEqual([two['id']], self.claim(one, two)[1])
        self.db.lease_release([mine.attempt])
        self.assertEqual([one['id']], self.claim(one, two)[1])

    def test_claims_lapse_and_dead_ones_do_not_count(self):
        image = self.removed(1)
        mine, _ = self.claim(image)
        self.assertEqual([], self.claim(image, now=NOW + datetime.timedelta(minutes=9))[1])
        other, claimed = self.claim(image, now=NOW + datetime.timedelta(minutes=10))
        self.assertEqual([image['id']], claimed)
        self.assertEqual([], self.claim(image, dead=[mine.attempt])[1])
        self.assertEqual([image['id']], self.claim(image, dead=[other.attempt])[1])

    def test_a_clock_that_was_set_back_keeps_nobody_off(self):
        image = self.removed(1)
        self.claim(image, now=NOW + datetime.timedelta(days=1))
        self.assertEqual([image['id']], self.claim(image)[1])

    def test_who_claims_what_has_changed_gets_what_there_is(self):
        restored, gone = self.removed(1), self.removed(2)
        self.db.image_restore(restored['id'])
        self.db.image_scrubbed(gone['id'], [gone['locations'][0]['id']])
        nobody = {'id': '00000009-0000-4000-8000-000000000000'}
        self.assertEqual([], self.claim(restored, gone, nobody, {'id': 'x' * 99})[1])
        self.assertEqual([], self.claim(self.removed(3), before=EPOCH)[1])

    def test_scrubbing_gives_the_claim_back(self):
        image = self.removed(1, locations=[{'url': 'u'}, {'url': 'v'}])
        mine, _ = self.claim(image)
        self.db.image_scrubbed(image['id'], [image['locations'][0]['id']], release='another')
        self.assertEqual([], self.claim(image)[1])
        self.db.image_scrubbed(image['id'], [], release=mine.attempt)
        self.assertEqual([image['id']], self.claim(image)[1])

    def test_what_is_being_scrubbed_is_not_restored(self):
        image, now = self.removed(1), datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
        mine, _ = self.claim(image, now=now)
        self.assertRaises(exceptions.Conflict, self.db.image_restore, image['id'])
        self.db.lease_release([mine.attempt])
        self.db.image_restore(image['id'])
        self.db.image_remove(image['id'], 'pending_delete')
        self.claim(image, now=moment(0))
        self.db.image_restore(image['id'])
        self.assertEqual([], self.db.lease_list(expired_at=LATER))

    def test_data_that_is_removed_at_once_is_left_to_who_does_it(self):
        image = self.create(locations=[{'url': 'u'}])
        one = lease(image['id'])
        removal = self.db.image_remove(image['id'], 'pending_delete', acquire=one)
        self.assertEqual(one.attempt, removal.attempt)
        self.assertEqual([], self.claim(image, now=LATER - datetime.timedelta(seconds=1))[1])
        self.db.image_restore(image['id'], 'active', removal)
        removal = self.db.image_remove(image['id'], 'pending_delete', acquire=lease(image['id']))
        self.assertEqual([image['id']], self.claim(image, dead=[removal.attempt])[1])
        self.assertRaises(exceptions.LeaseLost, self.db.image_restore, image['id'], 'active', removal)

    def test_no_lease_without_data(self):
        image = self.create()
        self.assertIsNone(self.db.image_remove(image['id'], 'pending_delete', acquire=lease(image['id'])).attempt)
        self.assertEqual([], self.db.lease_list(expired_at=LATER))


class References(DatabaseCase):
    def test_values_of_other_images_count(self):
        image = self.create(properties={'key': 'k'})
        self.assertFalse(self.db.property_in_use('key', 'k', image['id']))
        other = self.create(properties={'key': 'k', 'more': 'x'}, owner='other', visibility='private', os_hidden=True)
        self.assertTrue(self.db.property_in_use('key', 'k', image['id']))
        for name, value in (('key', 'K'), ('Key', 'k'), ('key', 'x'), ('more', 'k')):
            self.assertFalse(self.db.property_in_use(name, value, image['id']), (name, value))
        self.update(other['id'], remove_properties=['key'])
        self.assertFalse(self.db.property_in_use('key', 'k', image['id']))

    def test_an_image_that_can_be_restored_counts_and_a_deleted_one_does_not(self):
        for status, expected in (('pending_delete', True), ('deleted', False)):
            other = self.create(properties={'key': status}, locations=[{'url': 'u'}])
            self.db.image_remove(other['id'], status)
            self.assertEqual(expected, self.db.property_in_use('key', status, 'i'))
