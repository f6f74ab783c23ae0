"""A node without a database whose registry asks Keystone who calls."""

import unittest

from tests.harness.keystone import shared_keystone
from tests.harness.server import GlanceServer, RegistryServer

CLASSIC = [{'command': 'image_get_all'}]
NATIVE = {'X-Glance-Rpc-Version': '2.1'}


class KeystoneRegistryTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.keystone = shared_keystone()
        cls.server = cls.node()
        cls.registry = cls.server.registry

    @classmethod
    def node(cls, **options):
        """An API node whose own user is the service user; its registry verifies tokens."""
        settings = cls.keystone.glance_settings()
        server = GlanceServer(flavor='keystone', settings=settings, registry=True)
        cls.addClassCleanup(server.cleanup)
        server.registry = RegistryServer(server.database, flavor='keystone', settings=settings)
        server.settings['DEFAULT'].update(options)
        return server.start()

    def test_users_work_as_if_the_database_were_here(self):
        demo, alt = (self.server.client(self.keystone.token(user)) for user in ('demo', 'alt'))
        image = demo.create_image(b'data', visibility='private')
        self.assertEqual(self.keystone.project_id('demo'), image['owner'])
        self.assertEqual(b'data', demo.get(f'/v2/images/{image["id"]}/file').content)
        self.assertEqual(404, alt.get(f'/v2/images/{image["id"]}').status_code)
        self.assertEqual(404, alt.delete(f'/v2/images/{image["id"]}').status_code)
        self.assertEqual(204, demo.delete(f'/v2/images/{image["id"]}').status_code)
        self.assertNotIn('database', self.server.settings)

    def test_a_user_s_token_is_no_way_around_the_api(self):
        body = [{'command': 'lease_list', 'kwargs': {'worker_prefix': ''}}]
        for user in ('demo', 'demo-reader'):
            response = self.registry.client(self.keystone.token(user)).post('/rpc', json=body, headers=NATIVE)
            self.assertEqual(403, response.status_code, response.text)
            self.assertIn('services only', response.text)
            self.assertEqual(200, self.registry.client(self.keystone.token(user)).post('/rpc', json=CLASSIC).status_code)
        self.assertEqual(200, self.registry.client(self.keystone.token('glance')).post('/rpc', json=body, headers=NATIVE).status_code)

    def test_who_shows_no_token(self):
        for token in (None, 'nonsense'):
            self.assertEqual(401, self.registry.client(token).post('/rpc', json=CLASSIC).status_code)
        self.assertEqual(200, self.registry.client().get('/healthcheck').status_code)

    def test_a_token_that_ends_during_an_upload_does_no_harm(self):
        token = self.keystone.new_token('demo')
        client = self.server.client(token)
        image = client.create_image()

        def data():
            yield b'first'
            self.keystone.revoke(token)
            yield b'last'
        self.assertEqual(204, client.upload(image['id'], data()).status_code)
        self.assertEqual('active', self.server.client(self.keystone.token('demo')).get(f'/v2/images/{image["id"]}').json()['status'])

    def test_credentials_named_as_in_former_releases(self):
        section = self.server.settings['keystone_authtoken']
        options = {'use_user_token': False, 'auth_url': section['auth_url'], 'admin_user': section['username'],
                   'admin_tenant_name': section['project_name']}
        right = self.node(**options, admin_password=section['password'])
        self.assertEqual(200, right.client(self.keystone.token('demo')).get('/v2/images').status_code)
        wrong = self.node(**options, admin_password='wrong')
        response = wrong.client(self.keystone.token('demo')).get('/v2/images')
        self.assertEqual(503, response.status_code, response.text)
        self.assertIn('No token for calling glance-registry', wrong.log_text())
        self.assertNotIn('wrong', wrong.log_text().partition('No token')[2].partition('\n')[0])


class HeadersTest(unittest.TestCase):
    """A registry that believes its nodes."""

    def test_identity_headers(self):
        keystone = shared_keystone()
        with GlanceServer(flavor='keystone', registry=True, settings={
                **keystone.glance_settings(), 'DEFAULT': {'send_identity_headers': True}}) as server:
            client = server.client(keystone.token('demo'))
            image = client.create_image()
            self.assertEqual(200, client.get(f'/v2/images/{image["id"]}').status_code)
            server.registry.stop()
            server.registry.settings['paste_deploy']['flavor'] = 'trusted-auth'
            server.registry.launch()
            server.registry.wait_until_ready()
            self.assertEqual(200, client.get(f'/v2/images/{image["id"]}').status_code)
            self.assertIn(keystone.project_id('demo'), server.registry.log_text())
