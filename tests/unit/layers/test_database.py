"""Images and their records."""
import unittest

from glance import exceptions
from glance.db.interface import Condition, ImageChanges, ImageQuery
from glance.domain.image import Location
from glance.layers.database import DatabaseImages
from tests.unit.layers import fakes


class Base(unittest.TestCase):

    def setUp(self):
        self.env = fakes.make_environment(self)
        self.images = DatabaseImages(fakes.caller(), self.env)

    def add(self, **values):
        image = self.images.new({'owner': fakes.OWNER, 'disk_format': 'raw', 'container_format': 'bare', **values})
        self.images.add(image)
        return image

    def remove(self, image):
        self.images.finish_removal(image, self.images.begin_removal(image))

    def record(self, image):
        return self.env.database.image_get(fakes.admin(), image.image_id)


class RecordTest(Base):

    def test_attributes_and_properties_of_a_new_image(self):
        image = self.images.new({'name': 'n', 'id': 'i-1', 'tags': ['t'], 'os_distro': 'debian', 'min_ram': 1,
                                 'image_id': 'x'})
        self.assertEqual(('i-1', 'n', ['t'], 1), (image.image_id, image.name, image.tags, image.min_ram))
        self.assertEqual({'os_distro': 'debian', 'image_id': 'x'}, image.extra_properties)
        self.assertEqual(('queued', 'shared'), (image.status, image.visibility))

    def test_ids_are_made(self):
        first, second = self.images.new({}), self.images.new({'id': None})
        self.assertRegex(first.image_id, '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$')
        self.assertNotEqual(first.image_id, second.image_id)

    def test_new_stores_nothing(self):
        self.images.new({'id': 'i-1'})
        self.assertRaises(exceptions.ImageNotFound, self.images.get, 'i-1')

    def test_what_was_added_comes_back(self):
        image = self.add(name='n', tags=['b', 'a'], os_distro='debian', protected=True, visibility='public', min_disk=3)
        again = self.images.get(image.image_id)
        for name in ('image_id', 'name', 'tags', 'extra_properties', 'protected', 'visibility', 'min_disk', 'owner',
                     'status',
                     'created_at', 'updated_at', 'disk_format', 'container_format', 'size', 'locations'):
            self.assertEqual(getattr(image, name), getattr(again, name), name)
        self.assertFalse(again.changes)
        self.assertFalse(image.changes)

    def test_an_id_is_never_free_again(self):
        image = self.add(id='00000000-0000-0000-0000-000000000001')
        self.remove(image)
        self.assertRaises(exceptions.Duplicate, self.add, id='00000000-0000-0000-0000-000000000001')

    def test_images_of_others_are_absent(self):
        image = self.add(visibility='private')
        others = DatabaseImages(fakes.caller(fakes.STRANGER), self.env)
        self.assertRaises(exceptions.ImageNotFound, others.get, image.image_id)


class SaveTest(Base):

    def test_only_what_changed_is_written(self):
        image = self.add(name='n', a='1', b='1', tags=['x', 'y'])
        mine, theirs = self.images.get(image.image_id), self.images.get(image.image_id)
        theirs.name, theirs.extra_properties, theirs.tags = 'theirs', {'b': '1', 'c': '1'}, ['y', 'z']
        self.images.save(theirs)
        mine.min_ram, mine.tags = 5, ['x', 'y', 'mine']
        mine.extra_properties['b'] = '2'
        self.images.save(mine)
        now = self.images.get(image.image_id)
        self.assertEqual(('theirs', 5, {'b': '2', 'c': '1'}, {'y', 'z', 'mine'}),
                         (now.name, now.min_ram, now.extra_properties, set(now.tags)))

    def test_saving_without_a_change_moves_updated_at(self):
        image = self.add()
        before = image.updated_at
        self.images.save(image)
        self.assertGreaterEqual(image.updated_at, before)
        self.assertEqual(image.updated_at, self.record(image)['updated_at'])

    def test_a_saved_image_has_no_changes(self):
        image = self.add()
        image.name, image.tags, image.extra_properties = 'n', ['t'], {'a': 'b'}
        image.locations = [Location('memory:///1', {'a': 'b'})]
        self.images.save(image)
        self.assertFalse(image.changes)

    def test_saving_twice_stores_a_location_once(self):
        image = self.add()
        image.locations.append(Location('memory:///1'))
        self.images.save(image)
        self.images.save(image)
        self.assertEqual(['memory:///1'], [location.url for location in self.images.get(image.image_id).locations])

    def test_locations_are_changed_and_removed(self):
        image = self.add()
        image.locations = [Location('memory:///1'), Location('memory:///2')]
        self.images.save(image)
        image = self.images.get(image.image_id)
        image.locations = [Location('memory:///2', {'a': 'b'}, id=image.locations[1].id), Location('memory:///3')]
        self.images.save(image)
        self.assertEqual([('memory:///2', {'a': 'b'}), ('memory:///3', {})],
                         [(location.url, location.metadata) for location in self.images.get(image.image_id).locations])

    def test_two_who_each_leave_the_location_of_the_other(self):
        image_id = self.with_locations('memory:///1', 'memory:///2')
        first, second = self.images.get(image_id), self.images.get(image_id)
        first.locations, second.locations = first.locations[:1], second.locations[1:]
        self.images.save(first)
        with self.assertRaises(exceptions.Conflict) as raised:
            self.images.save(second)
        # Which is for those who made a condition.
        self.assertNotIsInstance(raised.exception, exceptions.ChangedMeanwhile)
        self.assertEqual(['memory:///1'], self.urls(image_id))

    def test_a_location_that_is_gone_is_not_moved(self):
        image_id = self.with_locations('memory:///1', 'memory:///2')
        first, second = self.images.get(image_id), self.images.get(image_id)
        first.locations = first.locations[:1]
        second.locations.insert(0, Location('memory:///3'))
        self.images.save(first)
        self.assertRaises(exceptions.Conflict, self.images.save, second)
        self.assertEqual(['memory:///1'], self.urls(image_id))

    def test_other_changes_do_not_keep_a_location(self):
        image_id = self.with_locations('memory:///1', 'memory:///2')
        first, second = self.images.get(image_id), self.images.get(image_id)
        first.name, first.extra_properties, first.tags = 'n', {'a': 'b'}, ['t']
        second.locations = second.locations[:1]
        self.images.save(first)
        self.images.save(second)
        self.assertEqual(['memory:///1'], self.urls(image_id))

    def with_locations(self, *urls: str) -> str:
        image = self.add()
        image.locations = [Location(url) for url in urls]
        self.images.save(image)
        return image.image_id

    def urls(self, image_id: str) -> list[str]:
        return [location.url for location in self.images.get(image_id).locations]

    def test_a_lost_race_on_the_status(self):
        image = self.add()
        mine, theirs = self.images.get(image.image_id), self.images.get(image.image_id)
        theirs.set_status('importing')
        self.images.save(theirs)
        mine.set_status('saving')
        with self.assertRaises(exceptions.StatusConflict):
            self.images.save(mine)
        self.assertEqual('importing', self.record(image)['status'])

    def test_a_save_may_insist_on_a_status(self):
        image = self.add()
        image.name = 'n'
        self.assertRaises(exceptions.StatusConflict, self.images.save, image, 'active')
        self.images.save(image, 'queued')

    def test_an_image_that_was_deleted_is_not_saved(self):
        image = self.add()
        self.remove(self.images.get(image.image_id))
        image.name = 'n'
        self.assertRaises(exceptions.ImageNotFound, self.images.save, image)


class RemoveTest(Base):

    def test_every_status(self):
        for status in ('queued', 'saving', 'uploading', 'importing', 'active', 'deactivated', 'killed'):
            with self.subTest(status=status):
                record = self.env.database.image_create({'status': status, 'owner': fakes.OWNER})
                self.remove(self.images.get(record['id']))
                self.assertRaises(exceptions.ImageNotFound, self.images.get, record['id'])

    def test_a_status_that_changed_meanwhile(self):
        image = self.add()
        self.env.database.image_update(image.image_id, ImageChanges(columns={'status': 'saving'}), 'queued')
        self.remove(image)
        self.assertEqual('deleted', image.status)

    def test_twice(self):
        image = self.add()
        again = self.images.get(image.image_id)
        self.remove(image)
        self.assertRaises(exceptions.ImageNotFound, self.remove, again)


class ListTest(Base):

    def setUp(self):
        super().setUp()
        for name in 'abc':
            self.add(name=name)

    def page(self, **query):
        page = self.images.list(ImageQuery(sort=(('name', 'asc'),), **query))
        return [image.name for image in page.images], page.next_marker

    def test_walk(self):
        names, marker = self.page(limit=2)
        self.assertEqual(['a', 'b'], names)
        self.assertEqual((['c'], None), self.page(limit=2, marker=marker))

    def test_a_full_page_may_be_followed_by_an_empty_one(self):
        names, marker = self.page(limit=3)
        self.assertIsNotNone(marker)
        self.assertEqual(([], None), self.page(limit=3, marker=marker))

    def test_a_limit_of_zero(self):
        self.assertEqual(([], None), self.page(limit=0))

    def test_without_limit(self):
        self.assertEqual((['a', 'b', 'c'], None), self.page())

    def test_conditions(self):
        self.assertEqual((['b'], None), self.page(limit=3, conditions=(Condition('name', 'eq', 'b'),)))

    def test_a_marker_that_is_not_visible_is_like_an_unknown_one(self):
        foreign = self.env.database.image_create({'status': 'queued', 'owner': fakes.STRANGER, 'visibility': 'private'})
        texts = set()
        for marker in (foreign['id'], 'unknown'):
            with self.assertRaises(exceptions.InvalidMarker) as caught:
                self.page(marker=marker)
            texts.add(str(caught.exception).replace(marker, ''))
        self.assertEqual(1, len(texts))


class UploadStepTest(Base):

    def test_the_steps_write_what_the_upload_owns(self):
        image = self.add()
        with self.env.leases.hold(image.image_id) as lease:
            self.images.begin_upload(image, lease, None)
            self.assertEqual('saving', self.record(image)['status'])
            self.env.database.image_update(image.image_id, ImageChanges(
                columns={'name': 'changed', 'min_ram': 7}, set_properties={'p': 'v'}, add_tags=['t']))
            image.size, image.checksum, image.os_hash_algo, image.os_hash_value = 4, 'c' * 32, 'md5', 'c' * 32
            image.locations.append(Location('memory:///1'))
            self.images.finish_upload(image, lease)
        now = self.images.get(image.image_id)
        self.assertEqual(('active', 4, 'c' * 32, 'changed', 7, {'p': 'v'}, ['t'], ['memory:///1']), (
            now.status, now.size, now.checksum, now.name, now.min_ram, now.extra_properties, now.tags,
            [location.url for location in now.locations]))

    def test_begin_needs_queued(self):
        image = self.add()
        mine = self.images.get(image.image_id)
        with self.env.leases.hold(image.image_id) as lease:
            self.images.begin_upload(image, lease, None)
            self.assertRaises(exceptions.StatusConflict, self.images.begin_upload, mine, lease, None)

    def test_only_the_holder_of_the_lease_finishes(self):
        image = self.add()
        with self.env.leases.hold(image.image_id) as mine, self.env.leases.hold(image.image_id) as theirs:
            self.images.begin_upload(image, mine, None)
            self.env.database.image_update(image.image_id, ImageChanges(columns={'status': 'queued'}), 'saving',
                                           release=mine.attempt)
            self.images.begin_upload(self.images.get(image.image_id), theirs, None)
            image.size = 4
            self.assertRaises(exceptions.Conflict, self.images.finish_upload, image, mine)
            self.assertEqual(('saving', None), (self.record(image)['status'], self.record(image)['size']))
            self.images.abort_upload(image, mine, exceptions.ClientDisconnected())
            self.assertEqual('saving', self.record(image)['status'])

    def test_finish_of_a_deleted_image(self):
        image = self.add()
        with self.env.leases.hold(image.image_id) as lease:
            self.images.begin_upload(image, lease, None)
            self.remove(self.images.get(image.image_id))
            self.assertRaises(exceptions.ImageGone, self.images.finish_upload, image, lease)
            self.assertRaises(exceptions.ImageGone, self.images.check_uploading, image)
            self.images.abort_upload(image, lease, exceptions.ClientDisconnected())
        self.assertRaises(exceptions.ImageNotFound, self.images.get, image.image_id)

    def test_abort_forgets_the_data_and_drops_the_lease(self):
        image = self.add()
        with self.env.leases.hold(image.image_id) as lease:
            self.images.begin_upload(image, lease, None)
            self.images.abort_upload(image, lease, exceptions.ClientDisconnected())
        self.assertEqual(('queued', None, None), (self.record(image)['status'], self.record(image)['size'],
                                                  self.record(image)['checksum']))
        self.assertEqual([], self.env.database.lease_list(worker_prefix=''))
