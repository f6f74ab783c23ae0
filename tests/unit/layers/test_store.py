"""Uploads, downloads and deletions: what stays where when something fails."""
import dataclasses
import hashlib
import unittest

from glance import exceptions, gateway
from glance.db.interface import ImageChanges
from glance.domain.image import Image, Location
from glance.layers.database import DatabaseImages
from glance.layers.store import StoreImages
from tests.unit.layers import fakes

DATA = b'0123456789'


class Base(unittest.TestCase):

    def setUp(self):
        self.use(fakes.make_environment(self))

    def use(self, env):
        self.env = env
        self.store = env.stores.enabled[0]
        self.images = gateway.images(fakes.caller(), env)

    def failing(self, **plans):
        """From here on the database fails as ``fakes.Failing`` says."""
        self.use(dataclasses.replace(self.env, database=fakes.Failing(self.env.database, **plans)))

    def add(self, **values):
        image = self.images.new({'disk_format': 'raw', 'container_format': 'bare', **values})
        self.images.add(image)
        return self.images.get(image.image_id)

    def uploaded(self, **values):
        image = self.add(**values)
        self.images.upload(image, fakes.Source(DATA))
        return self.images.get(image.image_id)

    def record(self, image, **values):
        return self.env.database.image_get(fakes.admin(), image.image_id, **values)

    def assert_as_before(self, image, status='queued'):
        """Nothing of the upload is left, and it can be tried again."""
        record = self.record(image)
        self.assertEqual((status, None, None, None, None, None, []), (
            record['status'], record['size'], record['virtual_size'], record['checksum'], record['os_hash_algo'],
            record['os_hash_value'], record['locations']))
        self.assertEqual(({}, {}), (self.store.objects, self.store.partial))
        self.assertEqual([], self.env.database.lease_list(worker_prefix=''))

    def assert_retry_works(self, image):
        self.store.fail = {}
        self.images.upload(self.images.get(image.image_id), fakes.Source(DATA))
        self.assertEqual(('active', 10), (self.record(image)['status'], self.record(image)['size']))


class UploadTest(Base):

    def test_data_and_record(self):
        image = self.uploaded(disk_format='raw')
        self.assertEqual(('active', 10, 10, 'sha512'), (image.status, image.size, image.virtual_size,
                                                        image.os_hash_algo))
        self.assertEqual(hashlib.md5(DATA).hexdigest(), image.checksum)
        self.assertEqual(hashlib.sha512(DATA).hexdigest(), image.os_hash_value)
        self.assertEqual([self.store.url(image.image_id)], [location.url for location in image.locations])
        self.assertEqual({self.store.url(image.image_id): DATA}, self.store.objects)
        self.assertEqual([], self.env.database.lease_list(worker_prefix=''))

    def test_empty_data(self):
        image = self.add()
        self.images.upload(image, fakes.Source(b''))
        self.assertEqual(('active', 0), (self.record(image)['status'], self.record(image)['size']))

    def test_only_queued_images_take_data(self):
        for status in ('saving', 'uploading', 'importing', 'active', 'deactivated', 'killed'):
            with self.subTest(status=status):
                record = self.env.database.image_create({
                    'status': status, 'owner': fakes.OWNER, 'disk_format': 'raw', 'container_format': 'bare'})
                source = fakes.Source(DATA)
                self.assertRaises(exceptions.Conflict, self.images.upload, self.images.get(record['id']), source)
                self.assertEqual((0, {}, status), (source.read, self.store.objects,
                                                   self.images.get(record['id']).status))

    def test_both_formats_are_needed(self):
        for name in ('disk_format', 'container_format'):
            image = self.add(**{name: None})
            with self.assertRaises(exceptions.Invalid) as caught:
                self.images.upload(image, fakes.Source(DATA))
            self.assertIn(name, str(caught.exception))
            self.assert_as_before(image)

    def test_the_store_is_the_named_one_or_the_default(self):
        self.use(fakes.make_environment(self, stores=fakes.Stores('one', 'two')))
        first, second = self.env.stores.enabled
        self.images.upload(self.add(), fakes.Source(DATA), None, 'two')
        self.assertEqual((0, 1), (len(first.objects), len(second.objects)))
        self.images.upload(self.add(), fakes.Source(DATA))
        self.assertEqual((1, 1), (len(first.objects), len(second.objects)))
        image = self.add()
        self.assertRaises(exceptions.UnknownStore, self.images.upload, image, fakes.Source(DATA), None, 'three')
        self.assertEqual('queued', self.record(image)['status'])

    def test_the_lease_is_held_while_bytes_come(self):
        image, seen = self.add(), []
        self.images.upload(image, fakes.Source(DATA, lambda: seen.append((
            self.env.database.lease_list(worker_prefix=''), self.record(image)['status']))))
        (leases, status), = seen
        self.assertEqual(('saving', [image.image_id]), (status, [lease.image_id for lease in leases]))

    def test_what_is_written_into_the_store_carries_the_attempt(self):
        image, seen = self.add(), []
        self.images.upload(image, fakes.Source(DATA, lambda: seen.append((
            {attempt for _, attempt in self.store.partial},
            {lease.attempt for lease in self.env.database.lease_list(worker_prefix='')}))))
        (partial, leased), = seen
        self.assertEqual(leased, partial)

    def test_changes_made_meanwhile_are_kept(self):
        def change():
            other = self.images.get(image.image_id)
            other.name, other.tags, other.extra_properties = 'new', ['t'], {'p': 'v'}
            self.images.save(other)
        image = self.add(name='old')
        self.images.upload(image, fakes.Source(DATA, change))
        record = self.record(image)
        self.assertEqual(('active', 'new', ['t'], {'p': 'v'}), (record['status'], record['name'], record['tags'],
                                                                record['properties']))


class FailedUploadTest(Base):

    def fails(self, error, source=None, size=None, image=None):
        image = image or self.add()
        self.assertRaises(error, self.images.upload, image, source or fakes.Source(DATA), size)
        return image

    def test_store_errors(self):
        for error in (exceptions.StoreFull, exceptions.StoreWriteDenied, exceptions.StoreReadOnly,
                      exceptions.StoreUnavailable,
                      exceptions.StoreError, OSError):
            for operation in ('writer', 'write', 'commit'):
                with self.subTest(error=error.__name__, operation=operation):
                    self.store.fail = {operation: error()}
                    image = self.fails(error)
                    self.assert_as_before(image)
                    self.assert_retry_works(image)
                    self.store.objects.clear()

    def test_source_errors(self):
        for error in (exceptions.ClientDisconnected, OSError, MemoryError, KeyboardInterrupt, SystemExit):
            with self.subTest(error=error.__name__):
                def broken(error=error):
                    raise error()
                image = self.fails(error, fakes.Source(DATA, broken))
                self.assert_as_before(image)

    def test_too_few_or_too_many_bytes(self):
        for size in (9, 11):
            image = self.fails(exceptions.SizeMismatch, size=size)
            self.assert_as_before(image)

    def test_more_than_the_largest_size(self):
        self.env.conf.set_override('image_size_cap', 9)
        self.assert_as_before(self.fails(exceptions.ImageSizeLimitExceeded))
        source = fakes.Source(DATA)
        self.assert_as_before(self.fails(exceptions.ImageSizeLimitExceeded, source, 10))
        self.assertEqual(0, source.read)

    def test_data_of_this_id_is_in_the_store_already(self):
        image = self.add()
        self.store.objects[self.store.url(image.image_id)] = b'other'
        self.fails(exceptions.ObjectExists, image=image)
        self.assertEqual({self.store.url(image.image_id): b'other'}, self.store.objects)
        self.assertEqual('queued', self.record(image)['status'])

    def test_deleted_while_bytes_come(self):
        image = self.add()
        image = self.fails(exceptions.ImageGone, fakes.Source(
            DATA, lambda: self.images.remove(self.images.get(image.image_id))), image=image)
        self.assertRaises(exceptions.ImageNotFound, self.record, image)
        self.assertEqual('deleted', self.record(image, show_deleted=True)['status'])
        self.assertEqual(({}, {}), (self.store.objects, self.store.partial))

    def test_deleted_and_the_store_fails(self):
        image = self.add()

        def disturb():
            self.images.remove(self.images.get(image.image_id))
            self.store.fail = {'commit': exceptions.StoreUnavailable()}
        self.fails(exceptions.GlanceError, fakes.Source(DATA, disturb), image=image)
        self.assertEqual('deleted', self.record(image, show_deleted=True)['status'])
        self.assertEqual(({}, {}), (self.store.objects, self.store.partial))

    def test_the_database_is_away_at_the_beginning(self):
        image = self.add()
        self.failing(image_update=[exceptions.DatabaseUnavailable()])
        source = fakes.Source(DATA)
        self.fails(exceptions.DatabaseUnavailable, source, image=self.images.get(image.image_id))
        self.assertEqual(0, source.read)
        self.assert_as_before(image)

    def test_the_database_is_away_at_the_end(self):
        """Whether the record was written is not known: the bytes must stay, so that an active image has its data."""
        image = self.add()
        self.failing(image_update=[None, exceptions.DatabaseUnavailable(), exceptions.DatabaseUnavailable()])
        self.fails(exceptions.DatabaseUnavailable, image=self.images.get(image.image_id))
        self.assertEqual({self.store.url(image.image_id): DATA}, self.store.objects)
        self.assertEqual('saving', self.record(image)['status'])
        self.assertEqual(1, len(self.env.database.lease_list(worker_prefix='')))

    def test_the_answer_of_the_database_is_lost_at_the_end(self):
        image = self.add()
        real = self.env.database

        class Losing(fakes.Failing):
            def image_update(self, *args, **kwargs):
                result = real.image_update(*args, **kwargs)
                if kwargs.get('release'):
                    raise exceptions.DatabaseUnavailable()
                return result
        self.use(dataclasses.replace(self.env, database=Losing(real)))
        self.fails(exceptions.DatabaseUnavailable, image=self.images.get(image.image_id))
        self.env = dataclasses.replace(self.env, database=real)
        self.assertEqual('active', self.record(image)['status'])
        self.assertEqual({self.store.url(image.image_id): DATA}, self.store.objects)

    def test_the_database_is_away_when_an_upload_is_undone(self):
        image = self.add()
        self.failing(image_update=[None, exceptions.DatabaseUnavailable()])
        self.store.fail = {'write': exceptions.StoreFull()}
        self.fails(exceptions.StoreFull, image=self.images.get(image.image_id))
        self.assertEqual(({}, {}), (self.store.objects, self.store.partial))

    def test_another_error_of_the_record_at_the_end(self):
        image = self.add()
        self.failing(image_update=[None, exceptions.Invalid('no column holds this')])
        self.fails(exceptions.Invalid, image=self.images.get(image.image_id))
        self.assert_as_before(image)
        self.assert_retry_works(image)

    def test_an_upload_that_was_taken_over_leaves_the_other_one_alone(self):
        """Recovery took the lease away, and a second upload is under way."""
        image = self.add()
        database, second = self.env.database, []

        def take_over():
            lease, = database.lease_list(worker_prefix='')
            database.image_update(image.image_id, ImageChanges(columns={'status': 'queued'}), 'saving',
                                  release=lease.attempt)
            again = self.images.get(image.image_id)
            self.images.upload(again, fakes.Source(b'second'))
            second.append(again)
        self.fails(exceptions.GlanceError, fakes.Source(DATA, take_over), image=self.images.get(image.image_id))
        record = self.record(image)
        self.assertEqual(('active', 6), (record['status'], record['size']))
        self.assertEqual({self.store.url(image.image_id): b'second'}, self.store.objects)


class DownloadTest(Base):

    def read(self, reader):
        buffer = memoryview(bytearray(100))
        return bytes(buffer[:reader.readinto(buffer)])

    def test_whole_and_part(self):
        image = self.uploaded()
        self.assertEqual(10, self.images.data_size(image))
        self.assertEqual(DATA, self.read(self.images.download(image)))
        self.assertEqual(b'234', self.read(self.images.download(image, 2, 3)))

    def test_there_is_no_data_before_the_image_is_active(self):
        for status in ('queued', 'saving', 'uploading', 'importing', 'killed'):
            with self.subTest(status=status):
                image = Image('i', status=status, owner=fakes.OWNER, size=10, locations=[Location('memory:///i')])
                self.assertRaises(exceptions.ObjectNotFound, self.images.data_size, image)

    def test_deactivated_data_is_for_administrators(self):
        image = self.uploaded()
        image.set_status('deactivated')
        self.images.save(image)
        self.assertRaises(exceptions.Forbidden, self.images.data_size, image)
        self.assertEqual(10, gateway.images(fakes.admin(), self.env).data_size(image))

    def test_an_image_without_size_or_location(self):
        self.assertRaises(exceptions.ObjectNotFound, self.images.data_size,
                          Image('i', status='active', owner=fakes.OWNER, size=1))
        self.assertRaises(exceptions.ObjectNotFound, self.images.data_size, Image(
            'i', status='active', owner=fakes.OWNER, locations=[Location('memory:///i')]))

    def test_missing_data(self):
        image = self.uploaded()
        self.store.objects.clear()
        self.assertRaises(exceptions.ObjectNotFound, self.images.download, image)

    def test_an_image_that_was_deleted_since_it_was_loaded(self):
        image = self.uploaded()
        self.images.remove(self.images.get(image.image_id))
        self.assertRaises(exceptions.ImageNotFound, self.images.download, image)

    def test_the_next_location_is_tried(self):
        image = self.uploaded()
        image.locations[:0] = [Location('nowhere:///x'), Location(self.store.url('absent'))]
        self.assertEqual(DATA, self.read(self.images.download(image)))

    def test_the_last_error_decides(self):
        image = self.uploaded()
        image.locations.append(Location('nowhere:///x'))
        self.store.fail = {'open': exceptions.StoreUnavailable()}
        self.assertRaises(exceptions.BadLocation, self.images.download, image)
        image.locations.reverse()
        self.assertRaises(exceptions.StoreUnavailable, self.images.download, image)


class RemoveTest(Base):

    def test_record_and_data_go(self):
        image = self.uploaded()
        self.images.remove(image)
        self.assertEqual({}, self.store.objects)
        self.assertRaises(exceptions.ImageNotFound, self.images.get, image.image_id)

    def test_a_protected_image_stays_for_administrators_too(self):
        image = self.uploaded(protected=True)
        for context in (fakes.caller(), fakes.admin()):
            images = gateway.images(context, self.env)
            self.assertRaises(exceptions.Forbidden, images.remove, images.get(image.image_id))
        self.assertEqual(1, len(self.store.objects))
        self.images.get(image.image_id)

    def test_data_stays_when_the_record_does(self):
        image = self.uploaded()
        self.failing(image_remove=[exceptions.DatabaseUnavailable()])
        self.assertRaises(exceptions.DatabaseUnavailable, self.images.remove, self.images.get(image.image_id))
        self.assertEqual(1, len(self.store.objects))

    def test_an_upload_that_ended_after_the_image_was_loaded_leaves_no_data_behind(self):
        image, loaded = self.add(), []
        self.images.upload(image, fakes.Source(DATA, lambda: loaded.append(self.images.get(image.image_id))))
        try:
            self.images.remove(loaded[0])
        except exceptions.Conflict:
            self.assertEqual(('active', 1), (self.images.get(image.image_id).status, len(self.store.objects)))
        else:
            self.assertRaises(exceptions.ImageNotFound, self.images.get, image.image_id)
            self.assertEqual({}, self.store.objects)

    def test_data_that_is_gone_already(self):
        image = self.uploaded()
        self.store.objects.clear()
        self.images.remove(image)
        self.assertRaises(exceptions.ImageNotFound, self.images.get, image.image_id)

    def test_a_deactivated_image_is_deleted_with_its_data(self):
        image = self.uploaded()
        image.set_status('deactivated')
        self.images.save(image)
        self.images.remove(self.images.get(image.image_id))
        self.assertEqual({}, self.store.objects)

    def test_data_in_use_keeps_the_image(self):
        for error in (exceptions.ObjectInUse, exceptions.StoreForbidden, exceptions.StoreUnavailable, exceptions.StoreError):
            with self.subTest(error=error.__name__):
                image = self.uploaded(tags=['t'], p='v')
                self.store.fail = {'delete': error()}
                self.assertRaises(error, self.images.remove, image)
                record = self.record(image)
                self.assertEqual(('active', 1, ['t'], {'p': 'v'}, False), (
                    record['status'], len(record['locations']), record['tags'], record['properties'], record['deleted']))

    def test_an_unexpected_error_of_the_store_keeps_the_image(self):
        image = self.uploaded()
        self.store.fail = {'delete': RuntimeError()}
        self.assertRaises(RuntimeError, self.images.remove, image)
        self.assertEqual('active', self.record(image)['status'])

    def test_a_deactivated_image_that_cannot_be_deleted_stays_deactivated(self):
        image = self.uploaded()
        loaded = self.images.get(image.image_id)
        image.set_status('deactivated')
        self.images.save(image)
        self.store.fail = {'delete': exceptions.ObjectInUse()}
        self.assertRaises(exceptions.ObjectInUse, self.images.remove, loaded)
        self.assertEqual('deactivated', self.record(image)['status'])

    def test_an_image_comes_back_with_the_data_that_is_left(self):
        self.use(fakes.make_environment(self, stores=fakes.Stores('one', 'two')))
        image, (one, two) = self.uploaded(), self.env.stores.enabled
        self.env.database.image_update(image.image_id, ImageChanges(add_locations=[
            {'url': two.url(image.image_id), 'metadata': {'store': 'two'}}]))
        two.objects[two.url(image.image_id)] = DATA
        two.fail = {'delete': exceptions.ObjectInUse()}
        self.assertRaises(exceptions.ObjectInUse, self.images.remove, self.images.get(image.image_id))
        self.assertEqual(({}, 1, [two.url(image.image_id)]), (
            one.objects, len(two.objects), [location['url'] for location in self.record(image)['locations']]))

    def test_nobody_sees_the_image_while_its_data_goes(self):
        image, seen = self.uploaded(), []
        delete = self.store.delete

        def look(location):
            seen.append(self.record(image, show_deleted=True)['status'])
            self.assertRaises(exceptions.ImageNotFound, self.images.get, image.image_id)
            delete(location)
        self.store.delete = look
        self.images.remove(image)
        self.assertEqual((['pending_delete'], 'deleted'), (seen, self.record(image, show_deleted=True)['status']))

    def test_the_database_is_away_when_the_data_is_gone(self):
        image = self.uploaded()
        self.failing(image_scrubbed=[exceptions.DatabaseUnavailable()])
        self.images.remove(self.images.get(image.image_id))
        self.assertEqual(({}, 'pending_delete'), (self.store.objects, self.record(image, show_deleted=True)['status']))

    def test_the_database_is_away_when_the_image_should_come_back(self):
        image = self.uploaded()
        self.failing(image_restore=[exceptions.DatabaseUnavailable()])
        self.store.fail = {'delete': exceptions.ObjectInUse()}
        with self.assertLogs('glance.layers.database', 'ERROR') as logs:
            self.assertRaises(exceptions.ObjectInUse, self.images.remove, self.images.get(image.image_id))
        self.assertIn(image.image_id, logs.output[0])
        self.assertEqual((1, 'pending_delete'), (len(self.store.objects),
                                                 self.record(image, show_deleted=True)['status']))

    def test_data_that_nobody_can_delete(self):
        for error, level in ((exceptions.StoreReadOnly(), 'DEBUG'), (exceptions.BadLocation(), 'ERROR')):
            image = self.uploaded()
            self.store.fail = {'delete': error}
            with self.assertLogs('glance.layers.store', level):
                self.images.remove(image)
            self.assertEqual('deleted', self.record(image, show_deleted=True)['status'])

    def test_delayed_delete_leaves_the_data_to_the_scrubber(self):
        self.env.conf.set_override('delayed_delete', True)
        image, empty = self.uploaded(), self.add()
        for found in (image, empty):
            self.images.remove(found)
            self.assertRaises(exceptions.ImageNotFound, self.images.get, found.image_id)
        self.assertEqual(1, len(self.store.objects))
        self.assertEqual(('pending_delete', 'deleted'), (self.record(image, show_deleted=True)['status'],
                                                         self.record(empty, show_deleted=True)['status']))

    def test_a_deactivated_image_under_delayed_delete(self):
        self.env.conf.set_override('delayed_delete', True)
        image = self.uploaded()
        image.set_status('deactivated')
        self.images.save(image)
        self.images.remove(self.images.get(image.image_id))
        self.assertEqual((1, 'pending_delete'), (len(self.store.objects),
                                                 self.record(image, show_deleted=True)['status']))


class OrderTest(unittest.TestCase):
    """The layer alone, over a spy."""

    def layer(self, **answers):
        env = fakes.make_environment(self)
        spy = fakes.Spy(**{'get': lambda image_id: self.image(), 'reserving': lambda image, source, lease: source, **answers})
        return StoreImages(spy, fakes.caller(), env), spy, env.stores.enabled[0]

    def image(self, **values):
        return Image('i', **{'disk_format': 'raw', 'container_format': 'bare', 'owner': fakes.OWNER, **values})

    def test_the_record_is_written_after_the_bytes(self):
        seen = []
        images, spy, store = self.layer(finish_upload=lambda image, lease: seen.append(dict(store.objects)))
        images.upload(self.image(), fakes.Source(DATA))
        self.assertEqual((['begin_upload', 'get', 'reserving', 'finish_upload'], [{store.url('i'): DATA}]), (spy.calls, seen))

    def test_nothing_is_written_when_the_beginning_is_refused(self):
        images, spy, store = self.layer(begin_upload=exceptions.StatusConflict('i', 'a', 'b'))
        source = fakes.Source(DATA)
        self.assertRaises(exceptions.StatusConflict, images.upload, self.image(), source)
        self.assertEqual((['begin_upload'], 0, {}, {}), (spy.calls, source.read, store.objects, store.partial))

    def test_a_failed_transfer_is_aborted_once(self):
        images, spy, store = self.layer()
        store.fail = {'commit': exceptions.StoreFull()}
        self.assertRaises(exceptions.StoreFull, images.upload, self.image(), fakes.Source(DATA))
        self.assertEqual(['begin_upload', 'get', 'reserving', 'abort_upload'], spy.calls)

    def test_an_image_that_is_deleted_as_soon_as_its_upload_begins(self):
        images, spy, store = self.layer(get=exceptions.ImageNotFound('i'))
        source = fakes.Source(DATA)
        self.assertRaises(exceptions.ImageGone, images.upload, self.image(), source)
        self.assertEqual((['begin_upload', 'get', 'abort_upload'], 0), (spy.calls, source.read))

    def test_the_data_goes_between_the_two_steps_of_the_record(self):
        seen = []
        images, spy, store = self.layer(begin_removal=lambda image, lease: seen.append(dict(store.objects)),
                                        finish_removal=lambda image, removal: seen.append(dict(store.objects)))
        store.objects[store.url('i')] = DATA
        images.remove(self.image(status='active', locations=[Location(store.url('i'))]))
        self.assertEqual((['begin_removal', 'finish_removal'], [{store.url('i'): DATA}, {}]), (spy.calls, seen))

    def test_a_failed_removal_is_undone_and_nothing_else(self):
        images, spy, store = self.layer()
        store.fail = {'delete': exceptions.ObjectInUse()}
        self.assertRaises(exceptions.ObjectInUse, images.remove,
                          self.image(status='active', locations=[Location(store.url('i'))]))
        self.assertEqual(['begin_removal', 'undo_removal'], spy.calls)

    def test_layers_stand_in_their_order(self):
        env = fakes.make_environment(self)
        layer, names = gateway.images(fakes.caller(), env), []
        while not isinstance(layer, DatabaseImages):
            names.append(type(layer).__name__)
            layer = layer.inner
        self.assertEqual(['AuthorizeImages', 'EnforceImages', 'QuotaImages', 'SignImages', 'LocateImages', 'DisposeKeys',
                          'ShareImages', 'StoreImages', 'NotifyImages', 'ReserveImages'], names)

    def test_the_cache_stands_below_every_check_where_a_request_may_use_it(self):
        class Cache:
            """No more than the gateway has to see."""
        env = dataclasses.replace(fakes.make_environment(self), cache=Cache())
        for cached, fill, below in ((True, True, 'CacheImages'), (True, False, 'ConsultCache'), (False, True, 'StoreImages')):
            layer, names = gateway.images(fakes.caller(), env, cached, fill), []
            while not isinstance(layer, DatabaseImages):
                names.append(type(layer).__name__)
                layer = layer.inner
            self.assertEqual(below, names[names.index('ShareImages') + 1])
        self.assertEqual('StoreImages', type(gateway.service_images(env)).__name__)

    def test_rules_come_before_quotas_and_quotas_before_bytes(self):
        env = fakes.make_environment(self)
        env.conf.set_override('image_size_cap', 1)
        reader = gateway.images(fakes.caller(roles=('reader',)), env)
        self.assertRaises(exceptions.Forbidden, reader.upload, self.image(), fakes.Source(DATA), 10)
        member, source = gateway.images(fakes.caller(), env), fakes.Source(DATA)
        self.assertRaises(exceptions.LimitExceeded, member.upload, self.image(), source, 10)
        self.assertEqual(0, source.read)
