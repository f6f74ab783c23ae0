"""The order of events, told by the whole gateway over records and stores in memory."""
import unittest

from glance import exceptions, gateway
from tests.unit.layers import fakes
from tests.unit.layers.test_notification import Notifier

DATA = b'0123456789'


class SequenceTest(unittest.TestCase):

    def setUp(self):
        self.use(fakes.Stores())

    def use(self, stores):
        self.notifier = Notifier()
        self.env = fakes.make_environment(self, stores=stores, notifier=self.notifier)
        self.store = self.env.stores.enabled[0]
        self.images = gateway.images(fakes.caller(), self.env)

    def add(self, **values):
        image = self.images.new({'disk_format': 'raw', 'container_format': 'bare', **values})
        self.images.add(image)
        image = self.images.get(image.image_id)
        self.take()
        return image

    def take(self):
        """What was told since the last time: (priority, event type, status of the image or text)."""
        told, self.notifier.told = self.notifier.told, []
        return [(priority, name, payload['status'] if isinstance(payload, dict) else payload)
                for priority, name, payload, _about in told]

    def test_create_change_delete(self):
        image = self.images.new({'name': 'a'})
        self.images.add(image)
        self.assertEqual([('INFO', 'image.create', 'queued')], self.take())
        image.name = 'b'
        self.images.save(image)
        self.images.save(image)
        self.assertEqual([('INFO', 'image.update', 'queued')], self.take())
        self.images.remove(image)
        self.assertEqual([('INFO', 'image.delete', 'deleted')], self.take())

    def test_members(self):
        members = gateway.members(fakes.caller(), self.env, self.add(visibility='shared'))
        member = members.new(fakes.FRIEND)
        members.add(member)
        member.set_status('accepted')
        self.assertRaises(exceptions.Forbidden, members.save, member)
        friends = gateway.members(fakes.caller(fakes.FRIEND), self.env, gateway.images(
            fakes.caller(fakes.FRIEND), self.env).get(member.image_id))
        friends.save(member)
        self.assertRaises(exceptions.Forbidden, friends.remove, member)
        members.remove(member)
        self.assertRaises(exceptions.MemberNotFound, members.remove, member)
        self.assertEqual([('INFO', 'image.member.create', 'pending'), ('INFO', 'image.member.update', 'accepted'),
                          ('INFO', 'image.member.delete', 'accepted')], self.take())

    def test_deactivate_and_reactivate(self):
        image = self.add()
        self.images.upload(image, fakes.Source(DATA))
        self.take()
        for action, status, event in ((image.deactivate, 'deactivated', 'image.deactivate'),
                                      (image.reactivate, 'active', 'image.reactivate')):
            for expected in ([('INFO', 'image.update', status), ('INFO', event, status)], []):
                action()
                self.images.save(image)
                self.assertEqual(expected, self.take())

    def test_upload(self):
        image = self.add()
        self.images.upload(image, fakes.Source(DATA))
        sizes = [payload['size'] for _, _, payload, _ in self.notifier.told]
        self.assertEqual([
            ('INFO', 'image.update', 'saving'), ('INFO', 'image.prepare', 'saving'), ('INFO', 'image.upload', 'active'),
            ('INFO', 'image.activate', 'active'), ('INFO', 'image.update', 'active')], self.take())
        self.assertEqual([None, None, 10, 10, 10], sizes)

    def test_the_store_is_named_where_there_are_several(self):
        for stores, expected in ((fakes.Stores(), None), (fakes.Stores('one', 'two'), 'two')):
            self.use(stores)
            self.images.upload(self.add(), fakes.Source(DATA), None, expected)
            prepare = self.notifier.told[1]
            self.assertEqual(('image.prepare', expected), (prepare[1], prepare[2].get('backend')))

    def test_failed_uploads(self):
        errors = (exceptions.StoreFull(), exceptions.StoreWriteDenied(), exceptions.ObjectExists(),
                  exceptions.StoreUnavailable(), exceptions.Forbidden())
        for operation in ('writer', 'write', 'commit'):
            for error in errors:
                self.store.fail = {operation: error}
                self.check_failure(error, str(error))
            self.store.fail = {operation: OSError(5, 'secret')}
            self.check_failure(OSError(), 'The upload failed because of an error inside the service.')
        self.store.fail = {}
        self.check_failure(exceptions.SizeMismatch(11, 10), str(exceptions.SizeMismatch(11, 10)), size=11)

    def check_failure(self, error, text, size=None):
        image = self.add()
        with self.subTest(error=error):
            self.assertRaises(type(error), self.images.upload, image, fakes.Source(DATA), size)
            update = self.notifier.told[-1][2]
            self.assertEqual([
                ('INFO', 'image.update', 'saving'), ('INFO', 'image.prepare', 'saving'), ('ERROR', 'image.upload', text),
                ('INFO', 'image.update', 'queued')], self.take())
            for name in ('size', 'virtual_size', 'checksum', 'os_hash_algo', 'os_hash_value'):
                self.assertIsNone(update[name])
            self.assertEqual((update['status'], []), (image.status, image.locations))

    def test_an_image_that_is_deleted_during_the_upload(self):
        image = self.add()
        self.assertRaises(exceptions.ImageGone, self.images.upload, image, fakes.Source(
            DATA, lambda: self.images.remove(self.images.get(image.image_id))))
        self.assertEqual([
            ('INFO', 'image.update', 'saving'), ('INFO', 'image.prepare', 'saving'), ('INFO', 'image.delete', 'deleted'),
            ('ERROR', 'image.upload', str(exceptions.ImageGone(image.image_id)))], self.take())

    def test_what_is_refused_beforehand_is_not_told(self):
        image = self.add()
        cap = self.env.conf.image_size_cap
        stranger = gateway.images(fakes.caller(fakes.STRANGER), self.env)
        for images, size, error in ((self.images, cap + 1, exceptions.ImageSizeLimitExceeded),
                                    (stranger, None, exceptions.Forbidden)):
            self.assertRaises(error, images.upload, image, fakes.Source(DATA), size)
        image.protected = True
        self.images.save(image)
        self.take()
        self.assertRaises(exceptions.ProtectedImageDelete, self.images.remove, image)
        self.assertRaises(exceptions.Forbidden, stranger.remove, image)
        self.assertEqual([], self.take())

    def test_downloads(self):
        image = self.add()
        self.images.upload(image, fakes.Source(DATA))
        self.take()
        reader = self.images.download(image, 2, 5)
        for sent, priority in ((5, 'INFO'), (4, 'ERROR')):
            self.images.end_download(image, sent, reader.length)
            (told,) = self.notifier.told
            self.assertEqual((priority, 'image.send', sent), (told[0], told[1], told[2]['bytes_sent']))
            self.notifier.told = []
