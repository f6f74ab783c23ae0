"""Stores that let projects read images are told which, through the whole gateway."""
import unittest
from unittest import mock

from glance import exceptions, gateway
from glance.domain.image import Location
from glance.layers.access import ShareImages
from glance.layers.database import DatabaseImages
from glance.tasks import leases
from tests.unit.layers import fakes


class ControllingStore(fakes.Store):
    """A store with readers; ``told`` is what it was told, in order."""

    def __init__(self):
        super().__init__()
        self.told = []

    def set_acls(self, location, public, read_projects):
        self._check('set_acls')
        self.told.append((public, list(read_projects)))


class AccessTest(unittest.TestCase):

    def setUp(self):
        self.store, stores = ControllingStore(), fakes.Stores()
        stores._stores, stores.enabled = {'memory': self.store}, (self.store,)
        self.env = fakes.make_environment(self, stores=stores)
        self.images = gateway.images(fakes.admin(), self.env)

    def add(self, visibility='shared'):
        image = self.images.new({'disk_format': 'raw', 'container_format': 'bare', 'visibility': visibility})
        self.images.add(image)
        self.images.upload(image, fakes.Source(b'data'))
        return self.images.get(image.image_id)

    def show(self, image, visibility):
        image.visibility = visibility
        self.images.save(image)
        return self.images.get(image.image_id)

    def members(self, image):
        return gateway.members(fakes.admin(), self.env, image)

    def told(self):
        told, self.store.told = self.store.told, []
        return told

    def test_uploads_and_visibilities(self):
        image = self.add('public')
        self.assertEqual([(True, [])], self.told())
        # What takes a right away is told before and, as others may have changed the members meanwhile, once more.
        for visibility, told in (('community', [(True, [])]), ('shared', [(False, [])] * 2), ('private', [(False, [])] * 2),
                                 ('shared', [(False, [])]), ('public', [(True, [])])):
            image = self.show(image, visibility)
            self.assertEqual(told, self.told(), visibility)

    def test_location_that_comes_after_the_request(self):
        images = ShareImages(DatabaseImages(fakes.admin(), self.env), fakes.admin(), self.env)
        image = images.new({'disk_format': 'raw', 'container_format': 'bare', 'visibility': 'public'})
        images.add(image)
        lease = leases.new_lease(image.image_id)
        image.set_status('importing')
        images.begin_work(image, lease)
        self.assertEqual([], self.told())
        image.locations.append(Location(self.store.url('x')))
        image.set_status('active')
        images.finish_work(image, lease, goes_on=True)
        self.assertEqual([(True, [])], self.told())
        images.finish_work(image, lease)
        self.assertEqual([], self.told())

    def test_members(self):
        image = self.add()
        members = self.members(image)
        self.told()
        for project in (fakes.FRIEND, fakes.STRANGER):
            members.add(members.new(project))
        self.assertEqual([(False, [fakes.FRIEND]), (False, [fakes.FRIEND, fakes.STRANGER])], self.told())
        members.remove(members.get(fakes.FRIEND))
        self.assertEqual([(False, [fakes.STRANGER])] * 2, self.told())
        image = self.show(image, 'private')
        self.assertEqual([(False, [])] * 2, self.told())
        self.show(image, 'shared')
        self.assertEqual([(False, [fakes.STRANGER])], self.told())

    def test_what_changes_nothing_for_readers(self):
        image = self.add()
        self.told()
        image.name = 'other'
        self.images.save(image)
        image = self.images.new({'visibility': 'private'})
        self.images.add(image)
        self.show(image, 'shared')
        self.assertEqual([], self.told())

    def test_right_that_cannot_be_taken_away_stays_in_the_record(self):
        image = self.add('public')
        self.store.fail['set_acls'] = exceptions.StoreUnavailable()
        self.assertRaises(exceptions.StoreUnavailable, self.show, image, 'private')
        self.assertEqual('public', self.images.get(image.image_id).visibility)
        self.store.fail.clear()
        image = self.show(self.images.get(image.image_id), 'shared')
        members = self.members(image)
        members.add(members.new(fakes.FRIEND))
        self.store.fail['set_acls'] = exceptions.StoreForbidden()
        self.assertRaises(exceptions.StoreForbidden, members.remove, members.get(fakes.FRIEND))
        self.assertEqual([fakes.FRIEND], [member.member_id for member in members.list()])

    def test_right_is_given_back_when_the_record_stays(self):
        image = self.add()
        members = self.members(image)
        members.add(members.new(fakes.FRIEND))
        image = self.show(image, 'public')
        self.told()
        with mock.patch.object(self.env.database, 'image_update', side_effect=exceptions.DatabaseUnavailable()):
            self.assertRaises(exceptions.DatabaseUnavailable, self.show, image, 'shared')
        self.assertEqual([(False, [fakes.FRIEND]), (True, [])], self.told())
        members = self.members(self.show(self.images.get(image.image_id), 'shared'))
        self.told()
        with mock.patch.object(self.env.database, 'member_delete', side_effect=exceptions.DatabaseUnavailable()):
            self.assertRaises(exceptions.DatabaseUnavailable, members.remove, members.get(fakes.FRIEND))
        self.assertEqual([(False, []), (False, [fakes.FRIEND])], self.told())

    def test_change_that_is_recorded_succeeds_although_the_members_cannot_be_read(self):
        image = self.add('private')
        with mock.patch.object(self.env.database, 'member_list', side_effect=exceptions.DatabaseUnavailable()), \
                self.assertLogs('glance.layers.access', 'ERROR'):
            self.assertEqual('shared', self.show(image, 'shared').visibility)

    def test_right_that_cannot_be_given_is_logged(self):
        self.store.fail['set_acls'] = exceptions.StoreUnavailable()
        with self.assertLogs('glance.layers.access', 'ERROR') as logs:
            image = self.show(self.add(), 'public')
        self.assertEqual(('public', 2), (image.visibility, len(logs.output)))

    def test_data_that_is_gone(self):
        image = self.add('public')
        self.store.fail['set_acls'] = exceptions.ObjectNotFound()
        with self.assertLogs('glance.layers.access', 'WARNING'):
            self.assertEqual('private', self.show(image, 'private').visibility)
