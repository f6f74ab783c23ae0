"""Images whose data is signed, and keys that go with their image, with a key manager that castellan loads."""

from tests.functional.api.base import ApiTestCase, stored_files
from tests.harness import key_manager, signing
from tests.harness.server import GlanceServer

DATA = bytes(range(256)) * 20
LARGE = DATA * 1000
KEY, POLICY = 'cinder_encryption_key_id', 'cinder_encryption_key_deletion_policy'
DATA_ATTRIBUTES = ('size', 'virtual_size', 'checksum', 'os_hash_algo', 'os_hash_value')


def use_key_manager(server: GlanceServer) -> None:
    server.settings['key_manager'] = {'backend': key_manager.NAME}
    server.settings['test_key_manager'] = {'folder': server.folder / 'keys'}


class KeysTestCase(ApiTestCase):
    PROJECTS = True

    @classmethod
    def prepare(cls, server):
        use_key_manager(server)

    def setUp(self):
        super().setUp()
        self.member, self.other = self.caller('signer'), self.caller('stranger')
        for client in (self.client, self.member, self.other):
            client.session.headers['X-Auth-Token'] = 'token'

    def keep(self, data, project='signer'):
        return key_manager.keep(self.server.folder / 'keys', project, data)

    def kept(self, object_id):
        return bool(list(self.server.folder.glob('keys/*/%s' % object_id)))

    def certificate(self, key_type='RSA-PSS', project='signer', **details):
        return self.keep(signing.der(signing.certificate(signing.private_key(key_type), **details)), project)

    def assertRefused(self, image_id, response, text):
        """The upload was refused because of the signature, and nothing of it is left."""
        self.assertStatus(400, response)
        self.assertIn('Signature verification failed for image %s: ' % image_id, response.text)
        self.assertIn(text, response.text)
        image = self.show(image_id)
        self.assertEqual(['queued'] + [None] * 5, [image['status'], *(image[name] for name in DATA_ATTRIBUTES)])
        self.assertEqual([], [name for name in stored_files(self.server.images) if image_id in name])


class SignedImageTest(KeysTestCase):

    def test_each_hash_with_each_type_of_key(self):
        for key_type in signing.KEY_TYPES:
            certificate_id = self.certificate(key_type)
            for hash_method in signing.HASHES:
                with self.subTest(key_type=key_type, hash_method=hash_method):
                    properties = signing.properties(DATA, certificate_id, key_type, hash_method)
                    image_id = self.member.create_image(**properties)['id']
                    self.assertRefused(image_id, self.member.upload(image_id, DATA[:-1] + b'x'), 'does not match')
                    self.assertStatus(204, self.member.upload(image_id, DATA))
                    self.assertEqual(DATA, self.download(image_id).content)

    def test_large_data_and_chunks(self):
        image_id = self.member.create_image(**signing.properties(LARGE, self.certificate()))['id']
        self.assertRefused(image_id, self.member.upload(image_id, LARGE[:-1]), 'does not match')
        self.assertStatus(204, self.member.upload(image_id, iter([LARGE[:99999], LARGE[99999:]])))
        self.assertEqual(LARGE, self.download(image_id).content)

    def test_certificates_that_do_not_count(self):
        for text, certificate_id in (
                ('expired', self.certificate(not_after=-signing.DAY / 2)),
                ('not valid before', self.certificate(not_before=signing.DAY / 2)),
                ('digital signatures', self.certificate(usage=('key_encipherment',))),
                ('not of the type RSA-PSS', self.certificate('DSA')), ('X.509', self.keep(b'key')),
                ('cannot be read', self.keep(b'damaged')), ('does not exist', 'nowhere'),
                ('not accessible', self.certificate(project='stranger')), ('at the moment', self.keep(b'broken'))):
            with self.subTest(text=text):
                image_id = self.member.create_image(**signing.properties(DATA, certificate_id))['id']
                response = self.member.upload(image_id, DATA)
                self.assertRefused(image_id, response, text)
                self.assertNotIn('password', response.text)

    def test_values_that_make_no_signature(self):
        certificate_id = self.certificate()
        for text, others in (('SHA-224', {'img_signature_hash_method': 'MD5'}), ('SHA-224', {'img_signature_hash_method': 'SHA-1'}),
                             ('RSA-PSS', {'img_signature_key_type': 'x'}), ('base64', {'img_signature': '%'})):
            image_id = self.member.create_image(**signing.properties(DATA, certificate_id, **others))['id']
            self.assertRefused(image_id, self.member.upload(image_id, DATA), text)

    def test_part_of_a_signature(self):
        whole = signing.properties(DATA, self.certificate())
        image_id = self.member.create_image(**whole)['id']
        plain_id = self.member.create_image()['id']
        for name, value in whole.items():
            response = self.member.post('/v2/images', json={other: text for other, text in whole.items() if other != name})
            self.assertStatus(400, response)
            self.assertIn(name, response.text)
            self.assertStatus(400, self.member.patch(f'/v2/images/{image_id}', [{'op': 'remove', 'path': '/' + name}]))
            self.assertStatus(400, self.member.patch(f'/v2/images/{plain_id}', [
                {'op': 'add', 'path': '/' + name, 'value': value}]))
        self.assertEqual(whole, {name: self.show(image_id)[name] for name in whole})

    def test_signatures_stay_once_they_vouch_for_data(self):
        image_id = self.member.create_image(**signing.properties(DATA, self.certificate()))['id']
        change = [{'op': 'replace', 'path': '/img_signature', 'value': signing.sign(LARGE, 'RSA-PSS')}]
        self.assertStatus(200, self.member.patch(f'/v2/images/{image_id}', change))
        self.assertRefused(image_id, self.member.upload(image_id, DATA), 'does not match')
        self.assertStatus(204, self.member.upload(image_id, LARGE))
        change[0]['value'] = signing.sign(DATA, 'RSA-PSS')
        self.assertStatus(403, self.member.patch(f'/v2/images/{image_id}', change))
        self.assertStatus(403, self.member.patch(f'/v2/images/{image_id}', [
            {'op': 'remove', 'path': '/' + name} for name in signing.properties(DATA, '')]))
        self.assertStatus(200, self.member.patch(f'/v2/images/{image_id}', [{'op': 'add', 'path': '/p', 'value': 'v'}]))
        self.assertStatus(200, self.client.patch(f'/v2/images/{image_id}', change))


class TrustedCertificatesTest(KeysTestCase):

    @classmethod
    def prepare(cls, server):
        super().prepare(server)
        cls.authority = signing.certificate(signing.private_key('ECC_SECP384R1'), name='authority', ca=True)
        (server.folder / 'trusted.pem').write_text(signing.pem(cls.authority))
        server.settings['image_signature'] = {'trusted_certificates': server.folder / 'trusted.pem'}

    def test_only_trusted_signers(self):
        stranger_id = self.certificate()
        issued_id = self.certificate(issuer=self.authority, issuer_key=signing.private_key('ECC_SECP384R1'))
        image_id = self.member.create_image(**signing.properties(DATA, stranger_id))['id']
        self.assertRefused(image_id, self.member.upload(image_id, DATA), 'operator')
        image_id = self.member.create_image(**signing.properties(DATA, issued_id))['id']
        self.assertStatus(204, self.member.upload(image_id, DATA))

    def test_a_bad_file_stops_the_start(self):
        server = self.new_server()
        path = server.folder / 'trusted.pem'
        path.write_text(signing.pem(self.authority) + '\n-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n')
        line = path.read_text().count('\n') - 2
        server.sync_database()
        server.launch()
        self.assertEqual(1, server.process.wait(60))
        self.assertIn('ERROR: [image_signature] trusted_certificates: %s, line %d: ' % (path, line), server.log_text())


class KeyDeletionTest(KeysTestCase):

    def encrypted(self, key_id=None, policy='on_image_deletion'):
        key_id = key_id or self.keep(b'key')
        return self.member.create_image(DATA, **{KEY: key_id, POLICY: policy})['id'], key_id

    def test_the_key_goes_with_its_image_if_that_asks_for_it(self):
        for policy, kept in (('on_image_deletion', False), ('do_not_delete', True)):
            image_id, key_id = self.encrypted(policy=policy)
            self.assertStatus(204, self.member.delete(f'/v2/images/{image_id}'))
            self.assertEqual(kept, self.kept(key_id))

    def test_the_last_image_takes_the_key_along(self):
        first_id, key_id = self.encrypted()
        second_id, _ = self.encrypted(key_id)
        self.assertStatus(204, self.member.delete(f'/v2/images/{first_id}'))
        self.assertTrue(self.kept(key_id))
        self.assertStatus(204, self.member.delete(f'/v2/images/{second_id}'))
        self.assertFalse(self.kept(key_id))

    def test_keys_of_others_stay(self):
        """A project names the key of another one, and then lets an administrator delete the image."""
        own_id, stolen_id = self.keep(b'key', 'admin'), self.keep(b'key', 'stranger')
        for key_id, client in ((own_id, self.client), (stolen_id, self.client), (stolen_id, self.member)):
            image_id, _ = self.encrypted(key_id)
            self.assertStatus(204, client.delete(f'/v2/images/{image_id}'))
            self.assertTrue(self.kept(key_id))
            self.assertIn('The key %r of deleted image %s stays' % (key_id, image_id), self.server.log_text())

    def test_a_key_manager_that_fails_keeps_no_image(self):
        for key_id in ('nowhere', 'a/../b', '*'):
            image_id, _ = self.encrypted(key_id)
            self.assertStatus(204, self.member.delete(f'/v2/images/{image_id}'))
            self.assertStatus(404, self.member.get(f'/v2/images/{image_id}'))
