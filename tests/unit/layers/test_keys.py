"""Signed images and images with keys, through the whole gateway."""
from glance import exceptions, gateway
from glance.domain.signature import PROPERTIES
from glance.keys.disposal import KEY, POLICY
from tests.harness import signing
from tests.unit.keys.base import KeysTestCase
from tests.unit.layers import fakes

DATA = b'0123456789'


class Base(KeysTestCase):

    def setUp(self):
        super().setUp()
        self.env = fakes.make_environment(self, self.conf, keys=self.keys)
        self.store = self.env.stores.enabled[0]
        self.images = gateway.images(self.owner, self.env)
        self.admin = gateway.images(fakes.caller('p-admin', ('admin', 'member', 'reader'), auth_token='token'), self.env)

    def add(self, **values):
        image = self.images.new({'disk_format': 'raw', 'container_format': 'bare', **values})
        self.images.add(image)
        return self.images.get(image.image_id)

    def certificate(self):
        return self.keep(signing.der(signing.certificate(signing.private_key('RSA-PSS'))))

    def signature(self, data=DATA):
        return signing.properties(data, self.certificate())

    def record(self, image):
        return self.env.database.image_get(fakes.admin(), image.image_id, show_deleted=True)


class SignedUploadTest(Base):

    def test_what_was_signed_is_stored(self):
        image = self.add(**self.signature())
        self.images.upload(image, fakes.Source(DATA))
        self.assertEqual(('active', 1), (self.record(image)['status'], len(self.store.objects)))

    def test_many_blocks(self):
        data = bytes(range(256)) * 10000
        image, other = self.add(**self.signature(data)), self.add(**self.signature(data))
        self.images.upload(image, fakes.Source(data))
        self.assertRaises(exceptions.SignatureVerificationError, self.images.upload, other, fakes.Source(data[:-1] + b'\0'))
        self.assertEqual(['active', 'queued'], [self.record(one)['status'] for one in (image, other)])

    def test_a_wrong_signature_leaves_nothing(self):
        image = self.add(**self.signature(b'something else'))
        self.assertRaises(exceptions.SignatureVerificationError, self.images.upload, image, fakes.Source(DATA))
        record = self.record(image)
        self.assertEqual(('queued', None, None, None, []), (
            record['status'], record['size'], record['checksum'], record['os_hash_value'], record['locations']))
        self.assertEqual(({}, {}, []), (self.store.objects, self.store.partial, self.env.database.lease_list(worker_prefix='')))
        self.images.upload(self.images.get(image.image_id), fakes.Source(b'something else'))
        self.assertEqual('active', self.record(image)['status'])

    def test_nothing_is_read_without_the_certificate(self):
        image = self.add(**{**self.signature(), PROPERTIES[3]: 'nowhere'})
        source = fakes.Source(DATA)
        self.assertRaises(exceptions.SignatureVerificationError, self.images.upload, image, source)
        self.assertEqual((0, 'queued', {}), (source.read, self.record(image)['status'], self.store.partial))

    def test_half_a_signature_that_was_stored_by_another_release(self):
        record = self.env.database.image_create({
            'status': 'queued', 'owner': fakes.OWNER, 'disk_format': 'raw', 'container_format': 'bare',
            'properties': {'img_signature': 'AAAA'}})
        image = self.images.get(record['id'])
        image.name = 'n'
        self.images.save(image)
        self.assertRaises(exceptions.SignatureVerificationError, self.images.upload, image, fakes.Source(DATA))
        self.assertEqual('queued', self.record(image)['status'])

    def test_the_stored_signature_counts(self):
        """The image is signed anew between the moment when the upload loads it and the one when it begins."""
        image = self.add(**self.signature(b'something else'))
        other = self.images.get(image.image_id)
        other.extra_properties.update(self.signature())
        self.images.save(other)
        self.images.upload(image, fakes.Source(DATA))
        self.assertEqual('active', self.record(image)['status'])


class SignaturePropertiesTest(Base):

    def save(self, image, images=None, remove=(), **properties):
        image = (images or self.images).get(image.image_id)
        image.extra_properties.update(properties)
        for name in remove:
            del image.extra_properties[name]
        (images or self.images).save(image)

    def test_part_of_a_signature_is_refused(self):
        whole = self.signature()
        for name in PROPERTIES:
            part = {other: value for other, value in whole.items() if other != name}
            for properties in (part, {name: whole[name]}):
                with self.assertRaises(exceptions.Invalid) as caught:
                    self.images.new(properties)
                self.assertIn('missing: ', str(caught.exception))
                self.assertRaises(exceptions.Invalid, self.save, self.add(), **properties)
            self.assertRaises(exceptions.Invalid, self.save, self.add(**whole), remove=[name])
        self.images.new(whole)

    def test_before_the_data_comes_it_may_be_changed(self):
        image = self.add()
        self.save(image, **self.signature())
        self.save(image, **self.signature())
        self.save(image, remove=PROPERTIES)
        self.assertEqual({}, self.record(image)['properties'])

    def test_afterwards_only_by_administrators(self):
        for signed in (True, False):
            image = self.add(**(self.signature() if signed else {}))
            self.images.upload(image, fakes.Source(DATA))
            self.assertRaises(exceptions.Forbidden, self.save, image, **self.signature(b'x'))
            if signed:
                self.assertRaises(exceptions.Forbidden, self.save, image, remove=PROPERTIES)
            self.save(image, os_distro='debian')
            self.save(image, self.admin, **self.signature(b'x'))

    def test_not_while_the_data_comes(self):
        image, errors = self.add(**self.signature()), []
        loaded = self.images.get(image.image_id)
        loaded.extra_properties.update(self.signature(b'x'))

        def change():
            for save in (lambda: self.save(image, **self.signature(b'x')), lambda: self.images.save(loaded)):
                try:
                    save()
                except exceptions.GlanceError as error:
                    errors.append(type(error))
        self.images.upload(image, fakes.Source(DATA, change))
        self.assertEqual([exceptions.Forbidden, exceptions.StatusConflict], errors)


class KeyTest(Base):

    def encrypted(self, policy='on_image_deletion', upload=True):
        key_id = self.keep(b'key')
        image = self.add(**{KEY: key_id, POLICY: policy})
        if upload:
            self.images.upload(image, fakes.Source(DATA))
        return self.images.get(image.image_id), key_id

    def test_the_key_goes_with_the_image(self):
        for upload in (True, False):
            image, key_id = self.encrypted(upload=upload)
            self.images.remove(image)
            self.assertFalse(self.kept(key_id))

    def test_the_key_stays(self):
        image, key_id = self.encrypted('do_not_delete')
        self.images.remove(image)
        self.assertTrue(self.kept(key_id))

    def test_an_administrator_deletes_the_image_and_not_the_key(self):
        image, key_id = self.encrypted()
        with self.assertLogs('glance.keys.disposal', 'WARNING'):
            self.admin.remove(self.admin.get(image.image_id))
        self.assertTrue(self.kept(key_id))

    def test_the_key_of_an_image_that_stays(self):
        image, key_id = self.encrypted()
        self.store.fail = {'delete': exceptions.ObjectInUse()}
        self.assertRaises(exceptions.ObjectInUse, self.images.remove, image)
        self.assertTrue(self.kept(key_id))

    def test_the_key_of_an_image_that_can_be_restored(self):
        self.conf.set_override('delayed_delete', True)
        image, key_id = self.encrypted()
        self.images.remove(image)
        self.assertTrue(self.kept(key_id))
