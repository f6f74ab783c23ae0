"""What is charged to whom: the whole gateway over records in memory."""
import dataclasses
import unittest

from glance import exceptions, gateway
from glance.db.interface import RESOURCES, ImageChanges, ImageQuery
from glance.db.memory import MemoryDatabase
from glance.domain.image import Image, Location
from glance.layers import reservation
from glance.layers.reservation import ReservingSource
from glance.quota.storage import StorageQuota
from glance.transfer.sources import BytesSource
from tests.unit.layers import fakes


class Quotas:
    """Limits in the units of records."""

    def __init__(self, **limits):
        self.given, self.asked = limits, []

    def limits(self, owner, resources):
        self.asked.append((owner, tuple(resources)))
        return {resource: self.given[resource] for resource in resources if resource in self.given}

    def refusal(self, owner, error):
        return exceptions.LimitExceeded('%s: %s' % (owner, error))


class ReservationTest(unittest.TestCase):

    def setUp(self):
        self.database = MemoryDatabase()

    def images(self, context=None, **limits):
        self.env = dataclasses.replace(fakes.make_environment(self, database=self.database),
                                       quotas=Quotas(**limits) if limits else None)
        return gateway.images(context or fakes.caller(), self.env)

    def new(self, images, **values):
        image = images.new({'name': 'x', 'disk_format': 'raw', 'container_format': 'bare', **values})
        images.add(image)
        return image

    def usage(self, owner=fakes.OWNER):
        return self.database.usage(owner)

    def assertRefused(self, text, call, *args):
        with self.assertRaises(exceptions.LimitExceeded) as caught:
            call(*args)
        self.assertEqual('%s: %s' % (fakes.OWNER, text), str(caught.exception))

    def test_without_quotas_nothing_is_asked(self):
        images = self.images()
        self.env.database.usage = self.env.database.lease_reserve = self.fail
        for size in (None, 10):
            image = self.new(images)
            images.upload(image, BytesSource(b'x' * 10), size)
            self.assertEqual('active', image.status)

    def test_images_are_counted(self):
        images = self.images(images=2)
        for _ in range(2):
            self.new(images)
        self.assertRefused('images is over limit of 2 due to current usage 2 and delta 1', self.new, images)
        images.remove(images.list(ImageQuery()).images[0])
        self.new(images)

    def test_an_announced_size_is_charged_before_a_byte_is_read(self):
        images = self.images(storage=25)
        for _ in range(2):
            images.upload(self.new(images), BytesSource(b'x' * 10), 10)
        image, source = self.new(images), fakes.Source(b'x' * 10)
        self.assertRefused('storage is over limit of 25 due to current usage 20 and delta 10', images.upload, image, source, 10)
        self.assertEqual((0, 'queued'), (source.read, images.get(image.image_id).status))
        images.upload(images.get(image.image_id), BytesSource(b'x' * 5), 5)
        self.assertEqual(25, self.usage()['storage'])

    def test_an_unknown_size_is_charged_as_the_bytes_come(self):
        images = self.images(storage=25)
        images.upload(self.new(images), BytesSource(b'x' * 10))
        image = self.new(images)
        self.assertRefused('storage is over limit of 25 due to current usage 10 and delta 16',
                           images.upload, image, BytesSource(b'x' * 16))
        self.assertEqual(('queued', []), (images.get(image.image_id).status, self.database.lease_list(worker_prefix='')))
        images.upload(images.get(image.image_id), BytesSource(b'x' * 15))
        self.assertEqual(25, self.usage()['storage'])
        self.assertRefused('storage is over limit of 25 due to current usage 25 and delta 1',
                           images.upload, self.new(images), BytesSource(b''))

    def test_what_others_have_reserved_counts_while_they_upload(self):
        images = self.images(storage=25, uploading=2)
        first, second, third, fourth = (self.new(images) for _ in range(4))

        def third_upload():
            self.assertEqual({'storage': 20, 'uploading': 2}, self.database.usage(fakes.OWNER, ('storage', 'uploading')))
            self.assertRefused('storage is over limit of 25 due to current usage 20 and delta 6',
                               images.upload, third, BytesSource(b'x' * 6), 6)
            self.assertRefused('uploading is over limit of 2 due to current usage 2 and delta 1',
                               images.upload, fourth, BytesSource(b'x' * 5), 5)

        def second_upload():
            images.upload(second, fakes.Source(b'x' * 10, third_upload), 10)

        images.upload(first, fakes.Source(b'x' * 10, second_upload), 10)
        self.assertEqual(20, self.usage()['storage'])

    def test_the_owner_pays_whoever_uploads(self):
        images = self.images(storage=25)
        image = self.new(images)
        by_admin = gateway.images(fakes.admin(), self.env)
        self.assertRefused('storage is over limit of 25 due to current usage 0 and delta 26',
                           by_admin.upload, by_admin.get(image.image_id), BytesSource(b'x' * 26))
        by_admin.upload(by_admin.get(image.image_id), BytesSource(b'x' * 25))
        self.assertEqual((25, 0), (self.usage()['storage'], self.usage('p-admin')['storage']))

    def test_a_deleted_image_ends_its_upload(self):
        for size in (1, 26):
            images = self.images(storage=25)
            image = self.new(images)

            class Source(BytesSource):
                def readinto(source, buffer):
                    self.database.image_remove(image.image_id)
                    return super().readinto(buffer)
            self.assertRaises(exceptions.ImageGone, images.upload, image, Source(b'x' * size))
            self.assertEqual(dict.fromkeys(RESOURCES, 0), self.usage())

    def test_an_upload_that_was_given_up_for_dead(self):
        images = self.images(storage=25)
        image = self.new(images)

        def lose():
            held = self.database.lease_list(worker_prefix='')[0]
            self.database.image_update(image.image_id, ImageChanges({'status': 'queued'}), 'saving', release=held.attempt)

        class Source(BytesSource):
            def readinto(source, buffer):
                lose()
                return super().readinto(buffer)
        self.assertRaises(exceptions.LeaseLost, images.upload, image, Source(b'x'))

    def test_locations_that_are_added(self):
        inner = fakes.Spy()
        env = dataclasses.replace(fakes.make_environment(self), quotas=Quotas(storage=25, images=5))
        layer = reservation.ReserveImages(inner, fakes.caller(), env)
        image = Image('i', owner='p', size=10, locations=[Location('u', id=1)])
        image.remember()
        charges = []
        inner.answers['save'] = lambda image, status, charge: charges.append(charge)
        for urls in (['u'], ['u', 'v'], ['u', 'v', 'w'], []):
            image.locations = [Location(url) for url in urls]
            layer.save(image)
        self.assertEqual([None, {'storage': 10}, {'storage': 20}, None], [charge and charge.deltas for charge in charges])
        inner.answers['add'] = lambda image, charge: charges.append(charge)
        image.locations = [Location('u')]
        layer.add(image)
        self.assertEqual({'storage': 10, 'images': 1, 'queued': 1}, charges[-1].deltas)


class SourceTest(unittest.TestCase):

    def test_bytes_are_reserved_before_they_are_handed_on(self):
        asked = []

        def reserve(least, most):
            asked.append((least, most))
            return most
        source, buffer = ReservingSource(BytesSource(b'x' * 100), reserve), memoryview(bytearray(10))
        while source.readinto(buffer):
            continue
        self.assertEqual([(10, 20), (30, 60), (70, 140)], asked)

    def test_a_refusal_ends_it_and_a_tight_grant_is_enough(self):
        def reserve(least, most):
            if least > 30:
                raise exceptions.OverLimit('storage', 30, 0, least)
            return least
        source, buffer = ReservingSource(BytesSource(b'x' * 31), reserve), memoryview(bytearray(10))
        for _ in range(3):
            self.assertEqual(10, source.readinto(buffer))
        self.assertRaises(exceptions.OverLimit, source.readinto, buffer)


class ReportTest(unittest.TestCase):

    def test_nothing_without_unified_limits(self):
        env = fakes.make_environment(self)
        self.assertEqual({}, reservation.report(fakes.caller(), env))
        self.assertEqual({}, reservation.report(fakes.caller(), dataclasses.replace(env, quotas=StorageQuota(5))))
