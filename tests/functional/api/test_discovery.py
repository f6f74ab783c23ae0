"""Version discovery, version negotiation and the schemas."""

import contextlib
import json
import signal
import socket

from tests.functional.api.base import ApiTestCase, exchange, raw_request, wait_for

PLAIN = ['v2.17', 'v2.15', 'v2.9', 'v2.7', 'v2.6', 'v2.5', 'v2.4', 'v2.3', 'v2.2', 'v2.1', 'v2.0']
ATTRIBUTES = ['id', 'name', 'status', 'visibility', 'protected', 'os_hidden', 'checksum', 'os_hash_algo', 'os_hash_value',
              'owner', 'size', 'virtual_size', 'container_format', 'disk_format', 'created_at', 'updated_at', 'tags',
              'direct_url', 'min_ram', 'min_disk', 'self', 'file', 'stores', 'schema', 'locations']
READ_ONLY = {'status', 'checksum', 'os_hash_algo', 'os_hash_value', 'size', 'virtual_size', 'created_at', 'updated_at',
             'direct_url', 'self', 'file', 'schema', 'stores'}


class VersionsTestCase(ApiTestCase):

    def assertVersions(self, expected, document, base):
        self.assertEqual(expected, [entry['id'] for entry in document['versions']])
        self.assertEqual(['CURRENT'] + ['SUPPORTED'] * (len(expected) - 1),
                         [entry['status'] for entry in document['versions']])
        for entry in document['versions']:
            self.assertEqual(['id', 'status', 'links'], list(entry))
            self.assertEqual([{'rel': 'self', 'href': base + '/v2/'}], entry['links'])


class TestVersions(VersionsTestCase):
    PROJECTS = True  # discovery needs no identity

    def setUp(self):
        super().setUp()
        self.nobody = self.server.client()

    def test_multiple_choices(self):
        for path in ('/', '/v3', '/foo', '/foo/bar', '/v2.99/images', '/v2.8/images', '/v2.18', '/V2', '/2', '/v2.05',
                     '/v1', '/v1.0/images', '/v1.1'):
            with self.subTest(path=path):
                response = self.assertStatus(300, self.nobody.get(path))
                self.assertEqual('application/json', response.headers['Content-Type'])
                self.assertVersions(PLAIN, response.json(), self.server.url)

    def test_versions_path(self):
        for method in ('GET', 'POST', 'PUT', 'DELETE', 'PATCH'):
            for path in ('/versions', '/versions/', '/versions/anything'):
                with self.subTest(method=method, path=path):
                    response = self.assertStatus(200, self.nobody.request(method, path))
                    self.assertVersions(PLAIN, response.json(), self.server.url)

    def test_head_has_no_body(self):
        response = self.assertStatus(300, self.nobody.request('HEAD', '/'))
        self.assertEqual(b'', response.content)

    def test_base_follows_the_host_of_the_request(self):
        response = exchange(self.server.port, raw_request('GET', '/').replace(b'localhost', b'images.example.org:80'))
        self.assertEqual(300, response.status)
        self.assertVersions(PLAIN, json.loads(response.body), 'http://images.example.org:80')

    def test_request_id_on_version_documents(self):
        self.assertRegex(self.nobody.get('/').headers['X-Openstack-Request-ID'], '^req-')

    def test_without_identity(self):
        for path in ('/v2', '/v2/', '/v2/images', '/v2.17/images', '/v2/schemas/image'):
            with self.subTest(path=path):
                response = self.assertStatus(401, self.nobody.get(path))
                self.assertRegex(response.headers['X-Openstack-Request-ID'], '^req-')

    def test_healthcheck_needs_no_identity(self):
        self.assertStatus(200, self.nobody.get('/healthcheck'))

    def test_redirect(self):
        for path in ('/v2', *('/' + name for name in PLAIN)):
            with self.subTest(path=path):
                response = self.assertStatus(302, self.client.get(path))
                self.assertEqual(self.server.url + '/v2/', response.headers['Location'])
        self.assertStatus(404, self.client.get('/v2/'))

    def test_every_minor_serves_everything(self):
        image = self.client.create_image()
        for name in PLAIN:
            with self.subTest(version=name):
                self.assertEqual(image, self.assertStatus(200, self.client.get(f'/{name}/images/{image["id"]}')).json())

    def test_accept_header_selects_the_version(self):
        media_type = 'application/vnd.openstack.images-'
        for version, path, status in (('v2', '/images', 200), ('v2.3', '/images', 200), ('v2', '/v2/images', 404),
                                      ('v9', '/images', 300), ('v2;q=1', '/images', 300), ('', '/v2/images', 300)):
            with self.subTest(version=version, path=path):
                self.assertStatus(status, self.client.get(path, headers={'Accept': media_type + version}))


class TestVersionsByConfiguration(VersionsTestCase):
    SETTINGS = {'DEFAULT': {'public_endpoint': 'https://images.example.org/glance/'}}

    @classmethod
    def prepare(cls, server):
        cache = server.folder / 'cache'
        cache.mkdir()
        server.settings['DEFAULT']['image_cache_dir'] = cache
        server.settings['DEFAULT']['enabled_backends'] = 'fast:file, slow:file'
        server.settings['glance_store'] = {'default_backend': 'fast'}
        server.settings['fast'] = {'filesystem_store_datadir': server.images}
        server.settings['slow'] = {'filesystem_store_datadir': server.folder / 'slow'}

    def test_all_versions_and_the_public_endpoint(self):
        response = self.assertStatus(300, self.client.get('/'))
        self.assertVersions([f'v2.{minor}' for minor in range(18, -1, -1)], response.json(),
                            'https://images.example.org/glance')

    def test_conditional_versions_are_routed(self):
        for minor in range(19):
            with self.subTest(minor=minor):
                self.assertStatus(200, self.client.get(f'/v2.{minor}/images'))
        self.assertStatus(300, self.client.get('/v2.19/images'))

    def test_public_endpoint_is_not_used_for_location(self):
        response = self.assertStatus(201, self.client.post('/v2/images', json={}))
        self.assertEqual(f'{self.server.url}/v2/images/{response.json()["id"]}', response.headers['Location'])
        self.assertEqual('fast,slow', response.headers['OpenStack-image-store-ids'])


class TestSchemas(ApiTestCase):

    def schema(self, name):
        response = self.assertStatus(200, self.client.get(f'/v2/schemas/{name}'))
        self.assertEqual('application/json', response.headers['Content-Type'])
        return response.json()

    def test_image(self):
        schema = self.schema('image')
        self.assertEqual('image', schema['name'])
        self.assertEqual({'type': 'string'}, schema['additionalProperties'])
        self.assertEqual([{'rel': 'self', 'href': '{self}'}, {'rel': 'enclosure', 'href': '{file}'},
                          {'rel': 'describedby', 'href': '{schema}'}], schema['links'])
        self.assertNotIn('required', schema)
        properties = schema['properties']
        self.assertEqual(ATTRIBUTES, list(properties)[:len(ATTRIBUTES)])
        self.assertEqual(READ_ONLY, {name for name in properties if properties[name].get('readOnly')})
        self.assertEqual({'kernel_id', 'ramdisk_id', 'instance_uuid', 'architecture', 'os_distro', 'os_version',
                          'description', 'cinder_encryption_key_id', 'cinder_encryption_key_deletion_policy'},
                         set(list(properties)[len(ATTRIBUTES):]))
        for name, definition in properties.items():
            with self.subTest(name=name):
                self.assertEqual(None if name in ATTRIBUTES else False, definition.get('is_base'))

    def test_types_and_bounds(self):
        properties = self.schema('image')['properties']
        nullable = ['null', 'string']
        for name, expected in {
                'name': {'type': nullable, 'maxLength': 255}, 'owner': {'type': nullable, 'maxLength': 255},
                'checksum': {'type': nullable, 'maxLength': 32}, 'os_hash_algo': {'type': nullable, 'maxLength': 64},
                'os_hash_value': {'type': nullable, 'maxLength': 128}, 'size': {'type': ['null', 'integer']},
                'virtual_size': {'type': ['null', 'integer']}, 'min_ram': {'type': 'integer'},
                'min_disk': {'type': 'integer'}, 'protected': {'type': 'boolean'}, 'os_hidden': {'type': 'boolean'},
                'tags': {'type': 'array', 'items': {'type': 'string', 'maxLength': 255}},
                'status': {'enum': ['queued', 'saving', 'active', 'killed', 'deleted', 'uploading', 'importing',
                                    'pending_delete', 'deactivated']},
                'visibility': {'enum': ['community', 'public', 'private', 'shared']},
                'container_format': {'enum': [None, 'ami', 'ari', 'aki', 'bare', 'ovf', 'ova', 'docker', 'compressed']},
                'disk_format': {'enum': [None, 'ami', 'ari', 'aki', 'vhd', 'vhdx', 'vmdk', 'raw', 'qcow2', 'vdi', 'iso',
                                         'ploop']}}.items():
            with self.subTest(name=name):
                self.assertEqual(expected, {key: properties[name].get(key) for key in expected})
        location = properties['locations']['items']
        self.assertEqual(['metadata', 'url'], sorted(location['required']))
        self.assertEqual(255, location['properties']['url']['maxLength'])
        validation = location['properties']['validation_data']
        self.assertTrue(validation['writeOnly'])
        self.assertFalse(validation['additionalProperties'])
        self.assertEqual(['os_hash_algo', 'os_hash_value'], sorted(validation['required']))
        self.assertEqual((32, 32), (validation['properties']['checksum']['minLength'],
                                    validation['properties']['checksum']['maxLength']))

    def test_images(self):
        schema = self.schema('images')
        self.assertEqual('images', schema['name'])
        self.assertEqual(['first', 'images', 'next', 'schema'], sorted(schema['properties']))
        self.assertEqual(self.schema('image'), schema['properties']['images']['items'])
        self.assertEqual(['first', 'next', 'describedby'], [link['rel'] for link in schema['links']])

    def test_refusals(self):
        for method, path, body, status in (
                ('GET', '/v2/schemas', None, 404), ('GET', '/v2/schemas/', None, 404), ('GET', '/v2/schemas/x', None, 404),
                ('GET', '/v2/schemas/image', b'{}', 400), ('GET', '/v2/schemas/images', b'[]', 400),
                ('POST', '/v2/schemas/image', b'{}', 405), ('PUT', '/v2/schemas/image', None, 405),
                ('DELETE', '/v2/schemas/images', None, 405), ('PATCH', '/v2/schemas/image', None, 405),
                ('HEAD', '/v2/schemas/image', None, 405)):
            with self.subTest(method=method, path=path):
                response = self.assertStatus(status, self.client.request(method, path, data=body))
                if status == 405:
                    self.assertEqual('GET', response.headers['Allow'])


class TestEnding(VersionsTestCase):
    def test_a_service_that_ends_is_not_healthy(self):
        requests = {b'HEAD /healthcheck': b'', b'GET /healthcheck': b'The service is being stopped.', b'GET /versions': None}
        with contextlib.ExitStack() as stack:
            socks = [stack.enter_context(socket.create_connection(('127.0.0.1', self.server.port), 60)) for _ in requests]
            for sock, line in zip(socks, requests, strict=True):
                sock.sendall(line + b' HTTP/1.1\r\n')
            self.server.send_signal(signal.SIGTERM)
            wait_for('end of listening', self.refuses)
            responses = []
            for sock in socks:
                sock.sendall(b'Host: localhost\r\n\r\n')
                responses.append(b''.join(iter(lambda sock=sock: sock.recv(65536), b'')).partition(b'\r\n\r\n'))
        self.assertEqual([b'503', b'503', b'200'], [head[9:12] for head, _, _ in responses])
        for (head, _, body), expected in zip(responses, requests.values(), strict=True):
            self.assertIn(b'connection: close', head.lower())
            self.assertEqual(body if expected is None else expected, body)

    def refuses(self) -> bool:
        try:
            socket.create_connection(('127.0.0.1', self.server.port), 60).close()
        except ConnectionError:
            return True
        return False
