"""Flavor ``keystone`` with a real Keystone: who gets in, as whom, and what each of them may do."""

import unittest
import uuid

from tests.harness.keystone import shared_keystone
from tests.harness.server import GlanceServer

DATA = b'every byte of it'
RENAME = [{'op': 'replace', 'path': '/name', 'value': 'renamed'}]


class KeystoneTestCase(unittest.TestCase):
    """One server for a class; a client for each persona."""

    @classmethod
    def setUpClass(cls):
        cls.keystone = shared_keystone()
        cls.server = GlanceServer(flavor='keystone', settings=cls.keystone.glance_settings())
        cls.addClassCleanup(cls.server.cleanup)
        cls.server.start()

    def client(self, user, headers=None):
        return self.server.client(self.keystone.token(user), headers)

    def setUp(self):
        self.admin, self.demo, self.reader = (self.client(user) for user in ('admin', 'demo', 'demo-reader'))
        self.alt, self.alt_reader = self.client('alt'), self.client('alt-reader')

    def assertStatus(self, expected, response):
        self.assertEqual(expected, response.status_code,
                         f'{response.request.method} {response.request.path_url}: {response.text[:300]}')

    def listed_ids(self, client, **filters):
        response = client.get('/v2/images', params={'limit': 1000, **filters})
        self.assertStatus(200, response)
        return {image['id'] for image in response.json()['images']}


class TestAuthentication(KeystoneTestCase):

    def assertRefused(self, response):
        self.assertStatus(401, response)
        self.assertEqual(f'Keystone uri="{self.keystone.url}"', response.headers['WWW-Authenticate'])

    def test_no_token(self):
        for method, path in (('GET', '/v2/images'), ('POST', '/v2/images'), ('GET', f'/v2/images/{uuid.uuid4()}'),
                             ('GET', '/v2/schemas/image'), ('GET', '/v2/')):
            with self.subTest(method=method, path=path):
                self.assertRefused(self.server.client().request(method, path))

    def test_a_token_that_nobody_issued(self):
        for token in ('nonsense', 'gAAAAAB' + 'x' * 170, ''):
            with self.subTest(token=token):
                self.assertRefused(self.server.client(token).get('/v2/images'))

    def test_a_revoked_token(self):
        token = self.keystone.new_token('demo')
        self.keystone.revoke(token)
        self.assertRefused(self.server.client(token).get('/v2/images'))

    def test_version_document_and_healthcheck_need_no_token(self):
        self.assertStatus(300, self.server.client().get('/'))
        self.assertStatus(200, self.server.client().get('/versions'))
        self.assertStatus(200, self.server.client().get('/healthcheck'))

    def test_system_scope_is_refused(self):
        token = self.keystone.system_token('admin')
        self.assertStatus(403, self.server.client(token).get('/v2/images'))


class TestForgedIdentity(KeystoneTestCase):
    """OSSA-2026-001: what a client says about itself in identity headers counts for nothing."""

    def forged(self):
        """Identity headers with which the caller claims to be an administrator of alt's project."""
        project = self.keystone.project_id('alt')
        claims = {'Roles': 'admin', 'Role': 'admin', 'Is-Admin-Project': 'True', 'Project-Id': project,
                  'Tenant-Id': project, 'Tenant': project, 'User-Id': 'forged', 'User': 'forged',
                  'Service-Roles': 'service', 'Service-User-Id': 'forged', 'Identity-Status': 'Confirmed',
                  'Service-Identity-Status': 'Confirmed'}
        dashes = {f'X-{name}': value for name, value in claims.items()}
        underscores = {f'X_{name.replace("-", "_")}': value for name, value in claims.items()}
        return {'dashes': dashes, 'underscores': underscores, 'both': dashes | underscores}

    def test_without_token(self):
        for spelling, headers in self.forged().items():
            with self.subTest(spelling):
                self.assertStatus(401, self.server.client(headers=headers).get('/v2/images'))

    def test_owner_comes_from_the_token(self):
        for spelling, headers in self.forged().items():
            with self.subTest(spelling):
                image = self.client('demo', headers).create_image()
                self.assertEqual(self.keystone.project_id('demo'), image['owner'])

    def test_roles_come_from_the_token(self):
        for spelling, headers in self.forged().items():
            with self.subTest(spelling):
                forger = self.client('demo', headers)
                self.assertStatus(403, forger.post('/v2/images', json={'visibility': 'public'}))
                reader = self.client('demo-reader', headers)
                self.assertStatus(403, reader.post('/v2/images', json={}))

    def test_foreign_images_stay_hidden(self):
        image = self.alt.create_image(DATA, visibility='private')
        for spelling, headers in self.forged().items():
            with self.subTest(spelling):
                forger = self.client('demo', headers)
                self.assertStatus(404, forger.get(f'/v2/images/{image["id"]}'))
                self.assertStatus(404, forger.get(f'/v2/images/{image["id"]}/file'))
                self.assertNotIn(image['id'], self.listed_ids(forger, visibility='all'))


class TestPersonas(KeystoneTestCase):

    def test_member_owns_what_it_creates(self):
        image = self.demo.create_image(DATA, name='mine')
        self.assertEqual(self.keystone.project_id('demo'), image['owner'])
        self.assertEqual(('active', len(DATA), 'shared'), (image['status'], image['size'], image['visibility']))
        path = f'/v2/images/{image["id"]}'
        self.assertIn(image['id'], self.listed_ids(self.demo))
        self.assertEqual(DATA, self.demo.get(f'{path}/file').content)
        response = self.demo.patch(path, RENAME)
        self.assertStatus(200, response)
        self.assertEqual('renamed', response.json()['name'])
        self.assertStatus(204, self.demo.delete(path))
        self.assertStatus(404, self.demo.get(path))

    def test_member_may_not_publish(self):
        self.assertStatus(403, self.demo.post('/v2/images', json={'visibility': 'public'}))
        image = self.demo.create_image()
        publish = [{'op': 'replace', 'path': '/visibility', 'value': 'public'}]
        self.assertStatus(403, self.demo.patch(f'/v2/images/{image["id"]}', publish))
        self.assertEqual('shared', self.demo.get(f'/v2/images/{image["id"]}').json()['visibility'])

    def test_member_may_not_give_away(self):
        self.assertStatus(403, self.demo.post('/v2/images', json={'owner': self.keystone.project_id('alt')}))

    def test_reader_of_the_project_looks_but_does_not_touch(self):
        image = self.demo.create_image(DATA, visibility='private')
        queued = self.demo.create_image(visibility='private')
        path = f'/v2/images/{image["id"]}'
        self.assertStatus(200, self.reader.get(path))
        self.assertLessEqual({image['id'], queued['id']}, self.listed_ids(self.reader))
        self.assertStatus(403, self.reader.get(f'{path}/file'))
        self.assertStatus(403, self.reader.post('/v2/images', json={}))
        self.assertStatus(403, self.reader.patch(path, RENAME))
        self.assertStatus(403, self.reader.upload(queued['id'], DATA))
        self.assertStatus(403, self.reader.put(f'{path}/tags/t'))
        self.assertStatus(403, self.reader.delete(path))
        self.assertEqual(image, self.demo.get(path).json())

    def test_private_image_does_not_exist_for_another_project(self):
        image = self.demo.create_image(DATA, visibility='private', name='secret')
        queued = self.demo.create_image(visibility='private')
        path = f'/v2/images/{image["id"]}'
        for stranger in (self.alt, self.alt_reader):
            self.assertNotIn(image['id'], self.listed_ids(stranger))
            self.assertNotIn(image['id'], self.listed_ids(stranger, visibility='all'))
            self.assertNotIn(image['id'], self.listed_ids(stranger, name='secret'))
            self.assertStatus(404, stranger.get(path))
            self.assertStatus(404, stranger.get(f'{path}/file'))
            self.assertStatus(404, stranger.get(f'{path}/members'))
            self.assertStatus(404, stranger.patch(path, RENAME))
            self.assertStatus(404, stranger.upload(queued['id'], DATA))
            self.assertStatus(404, stranger.put(f'{path}/tags/t'))
            self.assertStatus(404, stranger.delete(path))
        self.assertEqual(image, self.demo.get(path).json())
        self.assertEqual(DATA, self.demo.get(f'{path}/file').content)

    def test_public_image_is_for_all_to_use_and_for_its_owner_to_change(self):
        image = self.admin.create_image(DATA, visibility='public')
        path = f'/v2/images/{image["id"]}'
        self.assertIn(image['id'], self.listed_ids(self.alt))
        self.assertStatus(200, self.alt.get(path))
        self.assertEqual(DATA, self.alt.get(f'{path}/file').content)
        self.assertStatus(403, self.alt.patch(path, RENAME))
        self.assertStatus(403, self.alt.delete(path))
        self.assertStatus(200, self.alt_reader.get(path))
        self.assertStatus(403, self.alt_reader.get(f'{path}/file'))

    def test_community_image_is_listed_only_on_request(self):
        image = self.demo.create_image(DATA, visibility='community')
        self.assertNotIn(image['id'], self.listed_ids(self.alt))
        self.assertIn(image['id'], self.listed_ids(self.alt, visibility='community'))
        self.assertEqual(DATA, self.alt.get(f'/v2/images/{image["id"]}/file').content)

    def test_shared_image_reaches_its_member_alone(self):
        image = self.demo.create_image(DATA, visibility='shared')
        path, alt = f'/v2/images/{image["id"]}', self.keystone.project_id('alt')
        self.assertStatus(404, self.alt.get(path))
        self.assertStatus(200, self.demo.post(f'{path}/members', json={'member': alt}))
        self.assertStatus(200, self.alt.get(path))
        self.assertNotIn(image['id'], self.listed_ids(self.alt))
        self.assertStatus(403, self.demo.put(f'{path}/members/{alt}', json={'status': 'accepted'}))
        self.assertStatus(200, self.alt.put(f'{path}/members/{alt}', json={'status': 'accepted'}))
        self.assertIn(image['id'], self.listed_ids(self.alt))
        self.assertEqual(DATA, self.alt.get(f'{path}/file').content)
        self.assertStatus(403, self.alt.patch(path, RENAME))
        self.assertStatus(204, self.demo.delete(f'{path}/members/{alt}'))
        self.assertStatus(404, self.alt.get(path))

    def test_admin_acts_on_every_image(self):
        image = self.demo.create_image(DATA, visibility='private')
        path = f'/v2/images/{image["id"]}'
        self.assertIn(image['id'], self.listed_ids(self.admin))
        self.assertEqual(DATA, self.admin.get(f'{path}/file').content)
        publish = [{'op': 'replace', 'path': '/visibility', 'value': 'public'}]
        response = self.admin.patch(path, publish)
        self.assertStatus(200, response)
        self.assertEqual(self.keystone.project_id('demo'), response.json()['owner'])
        self.assertStatus(204, self.admin.delete(path))
        self.assertStatus(404, self.admin.get(path))

    def test_deactivated_image_is_for_administrators(self):
        image = self.demo.create_image(DATA)
        path = f'/v2/images/{image["id"]}'
        self.assertStatus(204, self.admin.post(f'{path}/actions/deactivate'))
        self.assertStatus(403, self.demo.get(f'{path}/file'))
        self.assertEqual(DATA, self.admin.get(f'{path}/file').content)
        self.assertStatus(204, self.admin.post(f'{path}/actions/reactivate'))
        self.assertEqual(DATA, self.demo.get(f'{path}/file').content)
