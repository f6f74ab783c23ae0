"""``glance-replicator`` between two services that check tokens with a real Keystone."""
import unittest

from tests.functional.tools.test_replicator import Replicator
from tests.harness.keystone import shared_keystone
from tests.harness.server import GlanceServer


class WithTokens(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.keystone = shared_keystone()
        cls.servers = [GlanceServer(flavor='keystone', settings=cls.keystone.glance_settings()) for _ in range(2)]
        for server in cls.servers:
            cls.addClassCleanup(server.cleanup)
            server.start()

    def setUp(self):
        super().setUp()
        self.replicator = Replicator(self)
        self.addresses = ['127.0.0.1:%d' % server.port for server in self.servers]
        self.admins = [server.client(self.keystone.token('admin')) for server in self.servers]
        self.demo = self.servers[0].client(self.keystone.token('demo'))
        self.addCleanup(self.remove_all)

    def remove_all(self):
        for admin in self.admins:
            for hidden in ('true', 'false'):
                for image in admin.get('/v2/images', params={'os_hidden': hidden, 'visibility': 'all'}).json()['images']:
                    path = '/v2/images/' + image['id']
                    admin.patch(path, [{'op': 'replace', 'path': '/protected', 'value': False}])
                    admin.delete(path)

    def test_administrators_copy_images_of_all_projects(self):
        private, hidden = self.demo.create_image(b'private'), self.demo.create_image(b'hidden', os_hidden=True)
        public = self.admins[0].create_image(b'public', visibility='public', protected=True)
        self.replicator.run('livecopy', *self.addresses, '--token', self.keystone.token('admin'))
        for image in (private, hidden, public):
            found = self.admins[1].get('/v2/images/' + image['id']).json()
            for name in ('owner', 'visibility', 'protected', 'os_hidden', 'os_hash_value', 'status'):
                self.assertEqual(image[name], found[name])

    def test_others_copy_what_they_see(self):
        mine, foreign = self.demo.create_image(b'mine'), self.admins[0].create_image(b'foreign', visibility='private')
        (self.replicator.folder / 'tokens.conf').write_text('[DEFAULT]\nsourcetoken = %s\ntargettoken = %s\n' % (
            self.keystone.token('demo'), self.keystone.token('demo')))
        self.replicator.run('livecopy', *self.addresses, '--config-file', 'tokens.conf', '-D', 'created_at updated_at owner')
        self.assertEqual(b'mine', self.admins[1].get('/v2/images/%s/file' % mine['id']).content)
        self.assertEqual(404, self.admins[1].get('/v2/images/' + foreign['id']).status_code)

    def test_tokens_that_are_not_valid(self):
        self.demo.create_image(b'data')
        for arguments in (('size', self.addresses[0]), ('size', self.addresses[0], '-t', 'S3CR3T'),
                          ('livecopy', *self.addresses, '-S', 'S3CR3T', '-M', self.keystone.token('admin'))):
            with self.subTest(arguments):
                output = self.replicator.run(*arguments, code=1)
                self.assertIn('was answered 401', output)
                self.assertNotIn('S3CR3T', output)
