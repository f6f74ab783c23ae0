"""The Swift driver with accounts of a real Keystone: one for all images, and one for each project."""
import copy
import functools
import os
import pathlib
import tempfile
import unittest
import uuid

import requests
from oslo_context import context as contexts

from glance import exceptions
from glance.store.base import AccessControl, Location
from glance.store.drivers.swift import MB, SwiftStore
from tests.harness.backend import shared_backend
from tests.harness.keystone import shared_keystone
from tests.harness.server import GlanceServer
from tests.harness.store_options import store_options
from tests.stores.test_swift import SEGMENT, read_all


@functools.cache
def published(swift: str) -> str:
    """A region of Keystone in which this Swift is."""
    keystone = shared_keystone()
    region = keystone.publish_endpoint('object-store', swift + '/v1/AUTH_%(project_id)s')
    unittest.addModuleCleanup(keystone.withdraw_image_endpoint, region)
    for function in (published, context_of):
        unittest.addModuleCleanup(function.cache_clear)
    return region


@functools.cache
def context_of(user: str):
    """A context of this user that tests share; its catalogue has the region of ``published``."""
    return shared_keystone().context(user)


class OnKeystone(unittest.TestCase):
    """Base of the tests: the servers, and a store that was asked for by a user."""

    def setUp(self):
        self.swift = shared_backend('swift', 'keystone')['SWIFT_KEYSTONE_URL']
        self.keystone = shared_keystone()
        self.region = published(self.swift)
        self.container = 'glance-%s' % uuid.uuid4().hex
        self.image_id = str(uuid.uuid4())
        self.addCleanup(self.act_as_nobody)
        super().setUp()

    def options(self, service=True, **values):
        identity = self.keystone.environment('glance')
        login = {'swift_store_user': 'service:glance', 'swift_store_key': identity['OS_PASSWORD']} if service else {}
        return store_options('swift', **{'swift_store_auth_address': self.keystone.url, 'swift_store_region': self.region,
                               'swift_store_container': self.container, **login, **values})

    def act_as(self, user, token=None):
        context = copy.copy(context_of(user))
        context.auth_token = token or context.auth_token
        context.update_store()
        return context

    def act_as_nobody(self):
        if contexts.get_current():
            del contexts._request_store.context

    def call(self, method, path, user=None, expected=200, **arguments):
        """Ask Swift itself."""
        headers = {'X-Auth-Token': self.keystone.token(user)} if user else {}
        with requests.Session() as session:
            session.trust_env = False
            answer = session.request(method, path if '://' in path else self.swift + path, timeout=30, **{
                **arguments, 'headers': {**headers, **arguments.get('headers', {})}})
        self.assertEqual(expected, answer.status_code, (path, answer.text[:200]))
        return answer

    def write(self, store, content=b'content', image_id=None):
        writer = store.writer(image_id or self.image_id)
        writer.write(memoryview(content))
        return writer.commit()

    def read(self, store, location):
        reader = store.open(location)
        self.addCleanup(reader.close)
        return read_all(reader)


class OneAccount(OnKeystone):

    def store(self, **values):
        store = SwiftStore.from_options(self.options(swift_store_create_container_on_put=True, **values), 'fast')
        self.addCleanup(store.close)
        return store

    def check_works(self, store):
        location = self.write(store)
        self.addCleanup(self.call, 'DELETE', '/v1/AUTH_%s/%s' % (self.keystone.project_id('glance'), self.container),
                        'glance', 204)
        self.assertEqual(b'content', self.read(store, location))
        for _ in range(2):    # a token that is not valid any more is renewed
            store.accounts.default().session.auth.auth_ref._auth_token = 'gone'
            self.assertEqual(7, store.size(location))
        store.delete(location)
        with self.assertRaises(exceptions.ObjectNotFound):
            store.size(location)
        return location

    def test_user_and_key(self):
        self.assertNotIsInstance(self.store(), AccessControl)
        self.assertEqual('swift+config://ref1/%s/%s' % (self.container, self.image_id), self.check_works(self.store()).url)

    def test_file_with_an_application_credential(self):
        credential = self.keystone.new_application_credential('glance')
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / 'glance-swift.conf'
            path.write_text('[other]\nauth_address = %s\napplication_credential_id = %s\n'
                            'application_credential_secret = "%s"\n' % (self.keystone.url, credential['id'],
                                                                        credential['secret']))
            store = self.store(swift_store_config_file=str(path), default_swift_reference='other', swift_store_user=None)
        self.assertTrue(self.check_works(store).url.startswith('swift+config://other/'))

    def test_no_endpoint(self):
        store = self.store(swift_store_region='nowhere')
        with self.assertRaises(exceptions.StoreUnavailable), self.assertLogs('glance.store.drivers', 'ERROR') as logs:
            store.writer(self.image_id)
        self.assertIn('swift_store_region', ''.join(logs.output))

    def test_wrong_key(self):
        store = self.store(swift_store_key='S3CR3T')
        with self.assertRaises(exceptions.StoreUnavailable), self.assertLogs(level='DEBUG') as logs:
            store.writer(self.image_id)
        self.assertNotIn('S3CR3T', ''.join(logs.output))


class AccountOfEachProject(OnKeystone):

    def store(self, segment=SEGMENT, **values):
        options = self.options(swift_store_multi_tenant=True, **values)
        store = SwiftStore.from_options(options, 'fast')
        self.addCleanup(store.close)
        store.segment_size = store.large_object_size = segment
        return store

    def remove(self, store, location):
        self.act_as_nobody()
        store.delete(location)

    def test_each_object_lands_in_the_account_of_its_project(self):
        store, writers = self.store(), {}
        for user in ('demo', 'alt'):
            self.act_as(user)
            writers[user] = store.writer(str(uuid.uuid4()))
        for user, writer in writers.items():
            self.act_as('alt' if user == 'demo' else 'demo')
            writer.write(memoryview(os.urandom(2 * SEGMENT + 1)))
            location = writer.commit()
            self.assertIn('/v1/AUTH_%s/%s_' % (self.keystone.project_id(user), self.container), location.url)
            self.call('HEAD', location.url.removeprefix('swift+'), user)
            self.assertEqual('fast', location.metadata['store'])
            self.remove(store, location)
            self.call('HEAD', location.url.removeprefix('swift+').rpartition('/')[0], user, 404)

    def check_readers(self, location, **statuses):
        for user, status in statuses.items():
            self.call('GET', location.url.removeprefix('swift+'), None if user == 'anybody' else user, status)

    def test_readers(self):
        store, alt = self.store(swift_store_admin_tenants=['ops']), self.keystone.project_id('alt')
        self.assertIsInstance(store, AccessControl)
        self.act_as('demo')
        location = self.write(store, os.urandom(2 * SEGMENT))
        self.addCleanup(self.remove, store, location)
        self.check_readers(location, demo=200, alt=403, anybody=401)
        container = location.url.removeprefix('swift+').rpartition('/')[0]
        for public, projects, read, statuses in (
                (False, [alt, 'third', alt], '%s:*,third:*' % alt, (200, 401)), (True, [], '*:*', (200, 401)),
                (False, [], None, (403, 401))):
            store.set_acls(location, public, projects)
            headers = self.call('HEAD', container, 'demo', 204).headers
            self.assertEqual((read, 'ops:*'), (headers.get('X-Container-Read'), headers.get('X-Container-Write')))
            self.check_readers(location, demo=200, alt=statuses[0], anybody=statuses[1])
        anonymous = self.store(swift_store_allow_anonymous_public=True)
        anonymous.set_acls(location, True, [])
        self.check_readers(location, alt=200, anybody=200)
        # The service sets them where the requester may not, and reads for whom Glance lets read.
        self.act_as('alt')
        store.set_acls(location, False, [])
        self.check_readers(location, alt=403, anybody=401)
        self.assertEqual(2 * SEGMENT, len(self.read(store, location)))

    def test_container_that_images_share_keeps_its_readers(self):
        store = self.store()
        self.act_as('demo')
        account = '/v1/AUTH_%s' % self.keystone.project_id('demo')
        self.call('PUT', '%s/%s' % (account, self.container), 'demo', 201)
        self.addCleanup(self.call, 'DELETE', '%s/%s' % (account, self.container), 'demo', 204)
        store.set_acls(Location('swift+%s%s/%s/%s' % (self.swift, account, self.container, self.image_id)), True, [])
        self.assertNotIn('X-Container-Read', self.call('HEAD', '%s/%s' % (account, self.container), 'demo', 204).headers)

    def test_without_an_account_of_the_service(self):
        store = self.store(service=False, swift_store_auth_address=None)
        self.act_as('demo')
        location = self.write(store)
        self.act_as('alt')
        with self.assertRaises(exceptions.StoreForbidden), self.assertLogs('glance.store.drivers', 'ERROR'):
            store.open(location)
        self.act_as('demo')
        store.set_acls(location, False, [self.keystone.project_id('alt')])
        self.act_as('alt')
        self.assertEqual(b'content', self.read(store, location))
        self.act_as_nobody()
        with self.assertRaises(exceptions.StoreForbidden), self.assertLogs('glance.store.drivers', 'ERROR'):
            store.delete(location)
        with self.assertRaises(exceptions.StoreForbidden):
            store.writer(self.image_id)
        self.act_as('demo')
        store.delete(location)

    def test_tokens_are_for_the_cluster_only(self):
        store = self.store()
        for user in ('demo', None):
            if user:
                self.act_as(user)
            else:
                self.act_as_nobody()
            for url in ('swift+http://127.0.0.1:1/v1/AUTH_x/c/o', self.swift.replace('http', 'swift+https', 1) + '/v1/AUTH_x/c/o',
                        self.swift.replace('http', 'swift+http', 1) + '/v1/AUTH_x/y/c/o'):
                with self.assertRaises(exceptions.BadLocation, msg=url):
                    store.open(Location(url))

    def test_long_upload_outlives_the_token(self):
        store, content = self.store(), os.urandom(3 * SEGMENT)
        token = self.keystone.new_token('demo')
        before = len(self.keystone.trusts(context_of('demo')))
        self.act_as('demo', token)
        writer = store.writer(self.image_id)
        self.assertEqual(before + 1, len(self.keystone.trusts(context_of('demo'))))
        self.assertNotEqual(token, writer._account.session.get_token())
        writer.write(memoryview(content[:SEGMENT + 1]))
        self.keystone.revoke(token)
        writer._account.session.auth.auth_ref._auth_token = 'gone'
        writer.write(memoryview(content[SEGMENT + 1:]))
        with self.assertLogs('glance.store.drivers', 'WARNING'):
            location = writer.commit()
        self.act_as('demo')
        self.assertEqual(content, self.read(store, location))
        store.delete(location)

    def test_trust_ends_with_the_upload(self):
        store = self.store()
        before = len(self.keystone.trusts(context_of('demo')))
        self.act_as('demo')
        self.write(store, bytes(SEGMENT + 1))
        self.assertEqual(before, len(self.keystone.trusts(context_of('demo'))))
        with self.assertRaises(exceptions.ObjectExists):
            store.writer(self.image_id)
        self.assertEqual(before, len(self.keystone.trusts(context_of('demo'))))
        self.assertEqual(SEGMENT + 1, store.discard(self.image_id, committed=True))

    def test_no_trust_where_the_identity_service_refuses(self):
        store = self.store(swift_store_key='wrong')
        self.act_as('demo')
        with self.assertLogs('glance.store.drivers', 'WARNING') as logs:
            location = self.write(store, bytes(SEGMENT + 1))
        self.assertIn('no trust', ''.join(logs.output))
        store.delete(location)

    def test_what_a_dead_upload_left(self):
        store = self.store()
        self.act_as('demo')
        writer = store.writer(self.image_id)
        writer.write(memoryview(bytes(2 * SEGMENT + 1)))
        writer._segments[0].result()
        store._alive.clear()
        self.act_as_nobody()
        with self.assertLogs('glance.store.drivers', 'WARNING'):
            self.assertEqual(0, store.discard(self.image_id))
        self.act_as('demo')
        writer.abort()
        self.assertEqual(0, store.discard(self.image_id))
        with self.assertRaises(exceptions.WalkNotSupported):
            list(store.walk())

    def test_options(self):
        with self.assertRaises(exceptions.ConfigurationError) as raised:
            self.store(swift_store_config_file='/etc/glance/glance-swift.conf')
        self.assertIn('swift_store_multi_tenant', str(raised.exception))
        self.assertEqual(200 * MB, self.store().details['large_object_chunk_size'])


class ThroughTheService(OnKeystone):
    """A glance-api with both kinds of stores, behind Keystone."""

    def setUp(self):
        super().setUp()
        common = {'swift_store_auth_address': self.keystone.url, 'swift_store_region': self.region,
                  'swift_store_container': self.container, 'swift_store_user': 'service:glance',
                  'swift_store_key': self.keystone.environment('glance')['OS_PASSWORD'],
                  'swift_store_large_object_size': 1, 'swift_store_large_object_chunk_size': 1}
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.server = GlanceServer(flavor='keystone', settings={
            **self.keystone.glance_settings(),
            'DEFAULT': {'enabled_backends': 'own:swift,shared:swift', 'show_multiple_locations': True},
            'glance_store': {'default_backend': 'own'}, 'own': {**common, 'swift_store_multi_tenant': True},
            'shared': {**common, 'swift_store_create_container_on_put': True},
            'os_glance_staging_store': {'filesystem_store_datadir': f'{folder.name}/staging'},
            'os_glance_tasks_store': {'filesystem_store_datadir': f'{folder.name}/tasks'}})
        self.addCleanup(self.server.cleanup)
        self.server.start()
        self.tokens = {user: context_of(user).auth_token for user in ('demo', 'alt')}
        self.demo, self.alt = (self.server.client(token) for token in self.tokens.values())

    def show(self, path, visibility):
        answer = self.demo.patch(path, [{'op': 'replace', 'path': '/visibility', 'value': visibility}])
        self.assertEqual((200, visibility), (answer.status_code, answer.json().get('visibility')))

    def test_images_of_projects(self):
        content, alt = os.urandom(3 * SEGMENT), self.keystone.project_id('alt')
        image = self.demo.create_image(content, visibility='private')
        path = '/v2/images/%s' % image['id']
        url = self.demo.get(path).json()['locations'][0]['url']
        self.assertEqual('swift+%s/v1/AUTH_%s/%s_%s/%s' % (
            self.swift, self.keystone.project_id('demo'), self.container, image['id'], image['id']), url)
        self.assertEqual(content, self.demo.get(path + '/file').content)
        part = self.demo.get(path + '/file', headers={'Range': 'bytes=1000000-1099999'})
        self.assertEqual((206, content[1000000:1100000]), (part.status_code, part.content))

        def check_swift(status):
            self.call('GET', url.removeprefix('swift+'), 'alt', status)
        check_swift(403)
        self.show(path, 'shared')
        self.assertEqual(200, self.demo.post(path + '/members', json={'member': alt}).status_code)
        check_swift(200)
        self.assertEqual(content, self.alt.get(path + '/file').content)
        self.assertEqual(204, self.demo.delete('%s/members/%s' % (path, alt)).status_code)
        check_swift(403)
        self.show(path, 'community')
        check_swift(200)
        self.assertEqual(content, self.alt.get(path + '/file').content)
        self.show(path, 'private')
        check_swift(403)
        self.assertEqual(204, self.demo.delete(path).status_code)
        self.call('HEAD', url.removeprefix('swift+').rpartition('/')[0], 'demo', 404)

    def test_images_of_one_account(self):
        account = '/v1/AUTH_%s/%s' % (self.keystone.project_id('glance'), self.container)
        image = self.demo.post('/v2/images', json={'disk_format': 'raw', 'container_format': 'bare'}).json()
        path, content = '/v2/images/%s' % image['id'], os.urandom(2 * SEGMENT)
        self.assertEqual(204, self.demo.upload(image['id'], iter([content]), **{'X-Image-Meta-Store': 'shared'}).status_code)
        self.addCleanup(self.call, 'DELETE', account, 'glance', 204)
        self.assertEqual('swift+config://ref1/%s/%s' % (self.container, image['id']),
                         self.demo.get(path).json()['locations'][0]['url'])
        self.assertEqual(content, self.demo.get(path + '/file').content)
        self.assertEqual(204, self.demo.delete(path).status_code)
        self.assertEqual('', self.call('GET', account, 'glance', 204).text)
        told = self.server.client(self.keystone.token('admin')).get('/v2/info/stores/detail').json()['stores']
        self.assertEqual([{'container': self.container, 'large_object_size': MB, 'large_object_chunk_size': MB}] * 2,
                         [store['properties'] for store in told])
        log = self.server.log_text()
        for secret in (self.keystone.environment('glance')['OS_PASSWORD'], *self.tokens.values()):
            self.assertEqual([], [line[:300] for line in log.splitlines() if secret in line])
