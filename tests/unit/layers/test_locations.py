"""Locations in layers: their order in the records, the rules that guard them, what stays when something fails."""
import copy
import threading
import unittest
from unittest import mock

from oslo_context import context as contexts

from glance import exceptions, gateway
from glance.domain.image import Image, Location
from glance.domain.location import NewLocation
from glance.domain.properties import IMPORT_LOCK
from glance.layers.database import DatabaseImages
from glance.layers.location import LocateImages
from glance.layers.location_import import LocationImport
from glance.layers.policy import EnforceImages
from glance.layers.store import StoreImages
from glance.store import location as urls
from glance.tasks import leases, recovery
from tests.unit.layers import fakes


class Base(unittest.TestCase):

    def setUp(self):
        self.env = fakes.make_environment(self)
        self.store = self.env.stores.enabled[0]

    def stored(self, *urls, status='active', **values):
        record = self.env.database.image_create({
            'status': status, 'owner': fakes.OWNER, 'size': 4, 'locations': [{'url': url} for url in urls], **values})
        for url in urls:
            self.store.objects[url] = b'data'
        return record['id']

    def record(self, image_id):
        return self.env.database.image_get(fakes.admin(), image_id)

    def urls(self, image_id):
        return [location['url'] for location in self.record(image_id)['locations']]


class OrderTest(Base):

    def setUp(self):
        super().setUp()
        self.images = DatabaseImages(fakes.admin(), self.env)

    def after(self, change):
        image = self.images.get(self.stored('a', 'b', 'c', 'd'))
        before = {location.url: location.id for location in image.locations}
        change(image.locations)
        wanted = [location.url for location in image.locations]
        self.images.save(image)
        self.assertEqual(wanted, self.urls(image.image_id))
        self.assertEqual([location.id for location in image.locations],
                         [location['id'] for location in self.record(image.image_id)['locations']])
        self.assertFalse(image.changes)
        return {location.url for location in image.locations if location.id == before.get(location.url)}

    def test_only_what_has_to_moves(self):
        self.assertEqual({'a', 'b', 'c', 'd'}, self.after(lambda found: None))
        self.assertEqual({'a', 'b', 'c', 'd'}, self.after(lambda found: found.append(Location('e'))))
        self.assertEqual({'a', 'b'}, self.after(lambda found: found.insert(2, Location('e'))))
        self.assertEqual(set(), self.after(lambda found: found.insert(0, Location('e'))))
        self.assertEqual({'a', 'c', 'd'}, self.after(lambda found: found.pop(1)))
        self.assertEqual({'d'}, self.after(lambda found: found.reverse()))

    def test_metadata_of_what_moves(self):
        image = self.images.get(self.stored('a', 'b'))
        image.locations.reverse()
        image.locations[1].metadata = {'x': 'y'}
        self.images.save(image)
        self.assertEqual([('b', {}), ('a', {'x': 'y'})],
                         [(each['url'], each['metadata']) for each in self.record(image.image_id)['locations']])


class RulesTest(Base):

    def rules(self, change, status='active'):
        asked = []
        enforcer = type('Enforcer', (), {'check': lambda self, context, rule, target: asked.append(rule)})()
        env = type('Env', (), {'enforcer': enforcer})()
        image = Image('i', status=status, locations=[Location('a', id=1), Location('b', id=2)])
        image.remember()
        change(image)
        EnforceImages(fakes.Spy(), fakes.caller(), env).save(image)
        return asked

    def test_rules(self):
        def activate(image):
            image.locations, image.status, image.size, image.checksum = [Location('c')], 'active', 4, 'x'

        self.assertEqual(['set_image_location'], self.rules(lambda image: image.locations.append(Location('c'))))
        self.assertEqual(['set_image_location'], self.rules(lambda image: image.locations.reverse()))
        self.assertEqual(['set_image_location'], self.rules(lambda image: image.locations[0].metadata.update(a='b')))
        self.assertEqual(['delete_image_location'], self.rules(lambda image: image.locations.pop()))
        self.assertEqual(['set_image_location', 'delete_image_location'], self.rules(activate, 'queued'))
        self.assertEqual(['modify_image'], self.rules(lambda image: None))
        self.assertEqual(['set_image_location', 'modify_image'],
                         self.rules(lambda image: (image.locations.append(Location('c')), setattr(image, 'name', 'x'))))


class RemovalTest(Base):

    def remove(self, image_id, position):
        images = StoreImages(DatabaseImages(fakes.admin(), self.env), fakes.admin(), self.env)
        image = images.get(image_id)
        del image.locations[position]
        images.save(image)

    def setUp(self):
        super().setUp()
        self.first, self.second, self.third = (self.store.url(name) for name in 'abc')
        self.image_id = self.stored(self.first, self.second, self.third)

    def test_data_goes_after_the_record(self):
        self.remove(self.image_id, 1)
        self.assertEqual([self.first, self.third], self.urls(self.image_id))
        self.assertEqual({self.first, self.third}, set(self.store.objects))

    def test_data_that_cannot_be_deleted_stays_in_its_place(self):
        for error in (exceptions.ObjectInUse(), exceptions.StoreForbidden(), exceptions.StoreUnavailable()):
            self.store.fail = {'delete': error}
            with self.assertRaises(type(error)):
                self.remove(self.image_id, 1)
            self.assertEqual([self.first, self.second, self.third], self.urls(self.image_id))
            self.assertEqual(3, len(self.store.objects))

    def test_data_at_other_places_goes_all_the_same(self):
        self.store.fail = {'delete': exceptions.ObjectInUse()}
        deleted, delete = [], self.store.delete

        def in_use_once(location):
            deleted.append(location.url)
            try:
                delete(location)
            finally:
                self.store.fail.clear()
        with mock.patch.object(self.store, 'delete', in_use_once), self.assertRaises(exceptions.ObjectInUse):
            self.remove(self.image_id, slice(0, 2))
        self.assertEqual([self.first, self.second], deleted)
        self.assertEqual([self.first, self.third], self.urls(self.image_id))
        self.assertEqual({self.first, self.third}, set(self.store.objects))

    def test_data_that_could_not_be_deleted_and_gets_no_record_is_told_of(self):
        database = fakes.Failing(self.env.database, image_update=[None, exceptions.DatabaseUnavailable()])
        self.env = fakes.make_environment(self, database=database, stores=self.env.stores)
        self.store.fail = {'delete': exceptions.ObjectInUse()}
        with self.assertLogs('glance.layers.store', 'ERROR') as logs, self.assertRaises(exceptions.ObjectInUse):
            self.remove(self.image_id, 1)
        self.assertIn(self.second, logs.output[0])

    def test_data_that_nobody_has_to_delete(self):
        for error in (exceptions.ObjectNotFound(), exceptions.StoreReadOnly(), exceptions.BadLocation()):
            one, two = (self.store.url('%s-%s' % (type(error).__name__, number)) for number in (1, 2))
            image_id = self.stored(one, two)
            self.store.fail = {'delete': error}
            with self.assertLogs('glance.layers.store', 'DEBUG'):
                self.remove(image_id, 0)
            self.assertEqual([two], self.urls(image_id))

    def test_data_that_another_location_names(self):
        # Other releases allowed this.
        with mock.patch.object(self.env.database, '_check_objects'):
            twice = self.stored(self.store.url('d'), self.store.url('d'))
            shared = self.stored(self.first, self.store.url('e'))
        self.remove(twice, 0)
        self.remove(shared, 0)
        self.assertEqual({self.first, self.second, self.third, self.store.url('d'), self.store.url('e')}, set(self.store.objects))


class BelongingTest(Base):
    """An object of a store is the data of one image."""

    def setUp(self):
        super().setUp()
        self.url = self.store.url('victim')
        self.victim = self.stored(self.url)
        self.images = LocateImages(DatabaseImages(fakes.admin(), self.env), fakes.admin(), self.env)
        self.enterContext(mock.patch.dict(urls.SCHEMES, memory='memory'))

    def image(self, status='queued'):
        return self.images.get(self.stored(*[self.store.url('mine')] * (status == 'active'), status=status,
                                           size=None if status == 'queued' else 4, disk_format='raw', container_format='bare'))

    def test_a_patch_cannot_name_the_object_of_another_image(self):
        for status in ('queued', 'active'):
            image = self.image(status)
            image.locations.append(Location(self.url))
            with self.assertRaisesRegex(exceptions.Conflict, 'belongs to another image'):
                self.images.save(image)

    def test_nor_can_the_call_for_locations(self):
        with self.assertRaisesRegex(exceptions.Conflict, 'belongs to another image'):
            LocateImages(self.images, fakes.caller('p-service', ('service',)), self.env).import_location(
                self.image(), NewLocation(self.url, {}))
        self.assertEqual([], self.env.database.lease_list(worker_prefix=''))

    def test_nor_can_who_comes_at_the_same_time(self):
        image, url = self.image(), self.store.url('new')
        self.store.objects[url] = b'data'
        image.locations.append(Location(url))
        with mock.patch.object(self.store, 'size', lambda location: self.stored(url) and 4):
            with self.assertRaises(exceptions.Duplicate):
                self.images.save(image)

    def test_what_goes_on_after_the_request_is_done_for_who_asked(self):
        caller, seen, done = fakes.caller('p-service', ('service',)), [], threading.Event()
        self.addCleanup(self.env.background.close)
        with mock.patch.object(LocationImport, 'run', lambda job: (seen.append(contexts.get_current()), done.set())):
            LocateImages(self.images, caller, self.env).import_location(self.image(), NewLocation(self.store.url('new'), {}))
            self.assertTrue(done.wait(30))
        self.assertEqual([caller], seen)

    def test_an_object_of_nobody_can_be_named(self):
        image = self.image()
        url = self.store.url(image.image_id)
        self.store.objects[url] = b'data'
        image.locations.append(Location(url))
        self.images.save(image)
        self.assertEqual([url], self.urls(image.image_id))


class WorkTest(Base):
    """Work that goes on after its request: the lock, the lease, and what a dead worker leaves."""

    def setUp(self):
        super().setUp()
        self.images = DatabaseImages(fakes.admin(), self.env)
        self.image = self.images.get(self.stored(
            status='queued', size=None, disk_format='raw', container_format='bare', properties={'a': 'b'}))

    def begin(self, image, worker=None):
        lease = leases.new_lease(image.image_id, worker)
        image.set_status('importing')
        image.extra_properties[IMPORT_LOCK] = lease.attempt
        self.images.begin_work(image, lease)
        return lease

    def test_lock(self):
        other = copy.deepcopy(self.image)
        lease = self.begin(self.image)
        with self.assertRaises(exceptions.StatusConflict):
            self.begin(other)
        queued = self.images.get(self.stored(status='queued', size=None, disk_format='raw', container_format='bare'))
        again = copy.deepcopy(queued)
        queued.extra_properties[IMPORT_LOCK] = 'other'
        self.images.save(queued)
        with self.assertRaises(exceptions.Duplicate):
            self.begin(again)
        self.assertEqual([lease], self.env.database.lease_list(worker_prefix=''))

    def test_lease_is_needed(self):
        lease = self.begin(self.image)
        self.image.size = 4
        self.images.finish_work(self.image, lease, goes_on=True)
        self.image.size = 5
        self.images.finish_work(self.image, lease)
        self.assertEqual([], self.env.database.lease_list(worker_prefix=''))
        self.image.size = 6
        with self.assertRaises(exceptions.LeaseLost):
            self.images.finish_work(self.image, lease)
        self.assertEqual(5, self.record(self.image.image_id)['size'])

    def recover(self):
        with self.assertLogs('glance.tasks.recovery', 'WARNING'):
            self.assertEqual(1, recovery.recover(self.env.database, self.env.stores))
        record = self.record(self.image.image_id)
        self.assertEqual({'a': 'b'}, record['properties'])
        self.assertEqual([], self.env.database.lease_list(worker_prefix=''))
        return record

    def test_recovery_of_an_image_without_its_location(self):
        self.begin(self.image, leases.host_prefix() + '1/0')
        record = self.recover()
        self.assertEqual(('queued', None, []), (record['status'], record['size'], record['locations']))

    def test_recovery_of_an_image_that_was_hashed(self):
        lease = self.begin(self.image, leases.host_prefix() + '1/0')
        self.image.size = 4
        self.image.locations.append(Location(self.store.url('x')))
        self.store.objects[self.store.url('x')] = b'data'
        self.image.set_status('active')
        self.images.finish_work(self.image, lease, goes_on=True)
        record = self.recover()
        self.assertEqual(('active', 4, 1), (record['status'], record['size'], len(record['locations'])))
        self.assertIn(self.store.url('x'), self.store.objects)

    def test_living_workers_are_left_alone(self):
        self.begin(self.image)
        self.assertEqual(0, recovery.recover(self.env.database, self.env.stores))
        self.assertEqual('importing', self.record(self.image.image_id)['status'])


class ServiceTest(Base):

    def test_services_see_locations_without_a_role_that_shows_images(self):
        images = gateway.images(fakes.caller('p-service', ('service',)), self.env)
        image_id = self.stored('memory:///a', visibility='public')
        self.assertEqual(1, len(images.get(image_id, rule='fetch_image_location').locations))
        with self.assertRaises(exceptions.ImageNotFound):
            images.get(image_id)
