"""Create, show, change and delete: every row of the tables, the headers and the forms of errors."""

import datetime
import json
import uuid

from tests.functional.api.base import (
    DRAFT_PATCH,
    JSON_PATCH,
    OCTETS,
    ApiTestCase,
    exchange,
    on_every_database,
    raw_request,
    stored_files,
)

BASE_ORDER = ['name', 'disk_format', 'container_format', 'visibility', 'size', 'virtual_size', 'status', 'checksum',
              'protected', 'min_ram', 'min_disk', 'owner', 'os_hidden', 'os_hash_algo', 'os_hash_value', 'id',
              'created_at', 'updated_at', 'tags', 'self', 'file', 'schema']
PATCH_TYPES = ('application/openstack-images-v2.0-json-patch, application/openstack-images-v2.1-json-patch')
SERVER_ONLY = ('checksum', 'size', 'virtual_size', 'status', 'created_at', 'updated_at', 'os_hash_algo', 'os_hash_value',
               'direct_url', 'self', 'file', 'schema', 'stores')
RESERVED = ('location', 'deleted', 'deleted_at', 'os_glance_x', 'os_glance', 'os_glance_import_task',
            'os_glance_stage_host')
EMOJI = '\U0001f600'


class ImagesTestCase(ApiTestCase):

    def create(self, client=None, **attributes):
        return self.assertStatus(201, (client or self.client).post('/v2/images', json=attributes)).json()

    def assertRefused(self, status, attributes, client=None):
        return self.assertStatus(status, (client or self.client).post('/v2/images', json=attributes), str(attributes)[:99])

    def patch(self, image_id, *operations, expected=200, client=None):
        response = (client or self.client).patch(f'/v2/images/{image_id}', list(operations))
        return self.assertStatus(expected, response, str(operations)[:200])

    def draft(self, image_id, *operations, expected=200):
        response = self.client.request('PATCH', f'/v2/images/{image_id}', json=list(operations), headers=DRAFT_PATCH)
        return self.assertStatus(expected, response, str(operations)[:200])


def replace(name, value):
    return {'op': 'replace', 'path': '/' + name, 'value': value}


def add(name, value):
    return {'op': 'add', 'path': '/' + name, 'value': value}


def remove(name):
    return {'op': 'remove', 'path': '/' + name}


class TestCreate(ImagesTestCase):
    PROJECTS = True

    def setUp(self):
        super().setUp()
        self.owner, self.reader = self.caller('p1'), self.caller('p1', roles='reader')

    def test_nothing_given(self):
        image = self.create(self.owner)
        self.assertEqual(BASE_ORDER, list(image))
        path = f'/v2/images/{image["id"]}'
        self.assertEqual(
            {'name': None, 'disk_format': None, 'container_format': None, 'visibility': 'shared', 'size': None,
             'virtual_size': None, 'status': 'queued', 'checksum': None, 'protected': False, 'min_ram': 0, 'min_disk': 0,
             'owner': 'p1', 'os_hidden': False, 'os_hash_algo': None, 'os_hash_value': None, 'tags': [], 'self': path,
             'file': path + '/file', 'schema': '/v2/schemas/image'},
            {name: value for name, value in image.items() if name not in ('id', 'created_at', 'updated_at')})
        self.assertEqual(image['id'], str(uuid.UUID(image['id'])))
        moment = datetime.datetime.strptime(image['created_at'], '%Y-%m-%dT%H:%M:%SZ').replace(tzinfo=datetime.UTC)
        self.assertLess(abs(datetime.datetime.now(datetime.UTC) - moment), datetime.timedelta(minutes=5))
        self.assertEqual(image['created_at'], image['updated_at'])

    def test_everything_given(self):
        wanted = {'foo': 'bar', 'empty': '', 'Ünïcode ключ': 'значение', 'name': 'n é', 'disk_format': 'qcow2',
                  'container_format': 'bare', 'visibility': 'private', 'protected': False, 'min_ram': 2, 'min_disk': 1,
                  'os_hidden': True, 'id': str(uuid.uuid4()).upper(), 'tags': ['z', 'a', 'z', '', 'é']}
        response = self.assertStatus(201, self.owner.post('/v2/images', json=wanted))
        image = response.json()
        self.assertEqual(['foo', 'empty', 'Ünïcode ключ', *BASE_ORDER], list(image))
        self.assertEqual({**wanted, 'tags': ['z', 'a', '', 'é']}, {name: image[name] for name in wanted})
        self.assertEqual(image, self.owner.get(f'/v2/images/{image["id"]}').json())
        self.assertIn('значение', response.content.decode())

    def test_headers(self):
        response = self.assertStatus(201, self.owner.post('/v2/images', json={}))
        self.assertEqual('application/json', response.headers['Content-Type'])
        self.assertEqual(f'{self.server.url}/v2/images/{response.json()["id"]}', response.headers['Location'])
        self.assertEqual('glance-direct,web-download,copy-image', response.headers['OpenStack-image-import-methods'])
        self.assertNotIn('OpenStack-image-store-ids', response.headers)
        self.assertRegex(response.headers['X-Openstack-Request-ID'], '^req-')

    def test_forwarded_headers_are_not_believed(self):
        headers = {'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'evil.example.org', 'Forwarded': 'host=evil'}
        response = self.assertStatus(201, self.owner.post('/v2/images', json={}, headers=headers))
        self.assertTrue(response.headers['Location'].startswith(self.server.url), response.headers['Location'])

    def test_bodies_that_are_no_object(self):
        for body in (None, b'', b'{', b'nonsense', b'[]', b'[{}]', b'"text"', b'1', b'null', b'{"name": NaN}',
                     b'{"min_ram": Infinity}', b'{"name": "a", "name": "b"}', b'\xff\xfe', b'{"name": "\xff"}',
                     b'{"name": "\\u0000"}', b'{"name": "\\ud800"}', b'[' * 100_000, b'{"a":' * 5000 + b'1' + b'}' * 5000,
                     b'{"min_ram": ' + b'9' * 100_000 + b'}', b'{"min_ram": 1e999}'):
            with self.subTest(body=(body or b'')[:30]):
                self.assertStatus(400, self.owner.post('/v2/images', data=body))

    def test_a_chunked_body_of_any_media_type(self):
        response = self.owner.post('/v2/images', data=iter([b'{"na', b'me": "n"}']), headers={'Content-Type': 'text/plain'})
        self.assertEqual('n', self.assertStatus(201, response).json()['name'])

    def test_server_only_attributes(self):
        for name in SERVER_ONLY:
            for value in (None, 'x', 1):
                with self.subTest(name=name, value=value):
                    self.assertRefused(403, {name: value}, self.owner)

    def test_reserved_names(self):
        for name in (*RESERVED, 'locations'):
            with self.subTest(name=name):
                self.assertRefused(403, {name: 'x' if name != 'locations' else []}, self.owner)

    def test_values_that_the_schema_refuses(self):
        for name, values in {
                'id': ['x', '', 1, None, 'b2173dd37ad64362baa6a68bce3565cb', '../../etc/passwd', str(uuid.uuid4()) + '\n'],
                'name': [1, [], {}, True, 'x' * 256], 'owner': [1, 'x' * 256],
                'visibility': ['x', None, '', 'Public', 1], 'protected': [1, 'true', None], 'os_hidden': ['false', 0, None],
                'tags': ['a', None, {}, [1], [None], ['x' * 256], [['a']]],
                'min_disk': [-1, 2 ** 31, 2 ** 63, 1.5, '1', None, True, 1e300],
                'min_ram': [-1, 2 ** 31, None, False, []],
                'disk_format': ['x', '', 1, 'RAW'], 'container_format': ['x', '', 1],
                'foo': [None, 1, 1.5, True, [], {}, 'x' * 65536, 'é' * 40000], 'x' * 256: ['v'],
                'kernel_id': ['no uuid', 1], 'cinder_encryption_key_deletion_policy': ['perhaps']}.items():
            for value in values:
                with self.subTest(name=name[:20], value=str(value)[:40]):
                    self.assertRefused(400, {name: value}, self.owner)

    def test_values_at_the_limits(self):
        image = self.create(self.owner, **{'name': 'é' * 255, 'tags': ['é' * 255], 'é' * 255: 'x' * 65535, '': 'empty name',
                                           'min_disk': 2 ** 31 - 1, 'min_ram': 1.0, 'kernel_id': None})
        self.assertEqual(('é' * 255, ['é' * 255], 'x' * 65535, 'empty name', 2 ** 31 - 1, 1, None),
                         tuple(image[name] for name in ('name', 'tags', 'é' * 255, '', 'min_disk', 'min_ram', 'kernel_id')))
        self.assertIs(int, type(image['min_ram']))
        self.assertEqual(image, self.owner.get(f'/v2/images/{image["id"]}').json())

    def test_owner(self):
        for owner in ('p2', None, ''):
            with self.subTest(owner=owner):
                self.assertRefused(403, {'owner': owner}, self.owner)
                self.assertEqual(owner or None, self.create(owner=owner)['owner'])
        self.assertEqual('p1', self.create(self.owner, owner='p1')['owner'])

    def test_visibility(self):
        for visibility, status in (('private', 201), ('shared', 201), ('community', 201), ('public', 403)):
            with self.subTest(visibility=visibility):
                self.assertStatus(status, self.owner.post('/v2/images', json={'visibility': visibility}))
        self.assertEqual('public', self.create(visibility='public')['visibility'])

    def test_readers_may_not_create(self):
        self.assertRefused(403, {}, self.reader)

    def test_order_of_checks(self):
        # Each request has the faults of the rows below it in the table, too.
        for status, attributes in ((403, {'self': 'x', 'name': 1}), (400, {'name': 1, 'os_glance_x': 'y'}),
                                   (400, {'name': 1, 'status': 'active'}),
                                   (400, {'name': 1, 'owner': 'p2'}), (403, {'os_glance_x': 'y', 'tags': ['t'] * 200})):
            with self.subTest(attributes=str(attributes)[:60]):
                self.assertRefused(status, attributes, self.reader)
        self.assertRefused(403, {'owner': 'p2', 'tags': [str(number) for number in range(129)]}, self.owner)
        self.assertRefused(413, {'tags': [str(number) for number in range(129)],
                           **{f'p{number}': '' for number in range(129)}}, self.owner)

    def test_quotas(self):
        tags = [str(number) for number in range(128)]
        properties = {f'p{number}': 'v' for number in range(128)}
        self.create(self.owner, tags=tags * 2, **properties)
        self.assertRefused(413, {'tags': [*tags, 'more']}, self.owner)
        self.assertRefused(413, {**properties, 'more': 'v'}, self.owner)

    def test_an_id_is_used_once(self):
        image_id = str(uuid.uuid4())
        self.create(self.owner, id=image_id)
        self.assertRefused(409, {'id': image_id}, self.owner)
        self.assertRefused(409, {'id': image_id}, self.caller('p2'))
        self.assertStatus(204, self.owner.delete(f'/v2/images/{image_id}'))
        self.assertRefused(409, {'id': image_id}, self.owner)

    def test_too_large_a_body(self):
        self.assertStatus(413, self.owner.post('/v2/images', data=b'{"name": "' + b'x' * (10 << 20) + b'"}'))
        self.assertStatus(413, self.owner.post('/v2/images', data=iter([b'{"name": "', b'x' * (10 << 20), b'"}'])))


@on_every_database
class TestFourByteCharacters(ImagesTestCase):
    """Kept where the database can keep them, refused elsewhere."""

    def test_create_and_patch(self):
        for attributes in ({'name': EMOJI}, {'tags': [EMOJI]}, {'foo': EMOJI}, {EMOJI: 'foo'}):
            with self.subTest(attributes=attributes):
                image = self.create(**attributes)
                self.assertLessEqual(attributes.items(), self.show(image['id']).items())
                self.patch(image['id'], *(add(name, value) for name, value in attributes.items()))


class TestShow(ImagesTestCase):
    PROJECTS = True

    def test_who_sees_it(self):
        for visibility, status in (('public', 200), ('community', 200), ('shared', 404), ('private', 404)):
            image = self.create(owner='p1', visibility=visibility)
            path = f'/v2/images/{image["id"]}'
            with self.subTest(visibility=visibility):
                self.assertEqual(image, self.assertStatus(200, self.caller('p1', 'reader').get(path)).json())
                self.assertEqual(image, self.assertStatus(200, self.client.get(path)).json())
                self.assertStatus(status, self.caller('p2').get(path))
                self.assertStatus(404, self.caller('p1', 'other').get(path))

    def test_an_image_of_nobody(self):
        image = self.create(owner=None)
        self.assertStatus(200, self.caller('p1').get(f'/v2/images/{image["id"]}'))

    def test_strangers_change_nothing(self):
        for visibility, status in (('public', 403), ('community', 403), ('shared', 404), ('private', 404)):
            path = f'/v2/images/{self.create(owner="p1", visibility=visibility)["id"]}'
            for caller in (self.caller('p2'), self.caller('p2', 'reader')):
                with self.subTest(visibility=visibility):
                    self.assertStatus(status, caller.patch(path, [replace('name', 'mine')]))
                    self.assertStatus(status, caller.delete(path))
                    self.assertStatus(status, caller.put(path + '/file', data=b'x', headers=OCTETS))
        own = f'/v2/images/{self.create(owner="p1")["id"]}'
        reader = self.caller('p1', 'reader')
        self.assertStatus(403, reader.patch(own, [replace('name', 'mine')]))
        self.assertStatus(403, reader.delete(own))
        self.assertStatus(403, reader.put(own + '/file', data=b'x', headers=OCTETS))

    def test_absent(self):
        for image_id in (str(uuid.uuid4()), 'x', 'x' * 37, 'x' * 5000, EMOJI, 'é', "a'b", '%00', '%20', '..%20'):
            with self.subTest(image_id=image_id[:40]):
                self.assertStatus(404, self.client.get(f'/v2/images/{image_id}'))

    def test_ids_compare_with_their_spelling(self):
        for database_id in (str(uuid.uuid4()).upper(),):
            self.create(id=database_id)
            self.assertStatus(404, self.client.get(f'/v2/images/{database_id.lower()}'))

    def test_a_body(self):
        image_id = self.create()['id']
        self.assertStatus(400, self.client.get(f'/v2/images/{image_id}', data=b'{}'))
        self.assertStatus(400, self.client.delete(f'/v2/images/{image_id}', data=b'{}'))
        self.show(image_id)


class TestPatch(ImagesTestCase):
    PROJECTS = True

    def test_media_types(self):
        path = f'/v2/images/{self.create()["id"]}'
        for media_type in ('application/json', 'text/plain', '', None, 'application/openstack-images-v2.2-json-patch'):
            for target in (path, f'/v2/images/{uuid.uuid4()}'):
                with self.subTest(media_type=media_type):
                    response = self.client.request('PATCH', target, data=b'[]',
                                                   headers={'Content-Type': media_type} if media_type is not None else {})
                    self.assertStatus(415, response)
                    self.assertEqual(PATCH_TYPES, response.headers['Accept-Patch'])
        for headers in (JSON_PATCH, DRAFT_PATCH):
            headers = {'Content-Type': headers['Content-Type'] + '; charset=utf-8'}
            self.assertStatus(200, self.client.request('PATCH', path, data=b'[]', headers=headers))

    def test_an_empty_patch_saves_nothing(self):
        image = self.create()
        self.assertEqual(image, self.patch(image['id']).json())
        self.assertEqual(image, self.show(image['id']))

    def test_documents(self):
        image_id = self.create(foo='bar')['id']
        for document in (b'', b'{}', b'{', b'"x"', b'[1]', b'[[]]', b'[null]'):
            for headers in (JSON_PATCH, DRAFT_PATCH):
                with self.subTest(document=document):
                    self.assertStatus(400, self.client.request('PATCH', f'/v2/images/{image_id}', data=document,
                                                               headers=headers))
        for operation in ({}, {'op': 'add'}, {'path': '/foo', 'value': 'x'}, {'op': 'replace', 'value': 'x'},
                          {'op': 'add', 'path': '/x'}, {'op': 'replace', 'path': '/foo'},
                          *({'op': op, 'path': '/foo', 'value': 'x', 'from': '/foo'} for op in
                            ('test', 'move', 'copy', 'Add', '', None, 1, [], {}))):
            with self.subTest(operation=operation):
                self.patch(image_id, operation, expected=400)
        for operation in ({}, {'add': '/x'}, {'add': '/x', 'remove': '/foo', 'value': '1'}, {'test': '/foo', 'value': '1'},
                          {'op': 'add', 'path': '/x', 'value': '1'}):
            with self.subTest(operation=operation):
                self.draft(image_id, operation, expected=400)
        self.assertEqual('bar', self.show(image_id)['foo'])

    def test_paths(self):
        image_id = self.create(foo='bar')['id']
        for path in ('foo', '', 'foo/bar', '/foo/', '//', '///name', '/a//b', '/a~', '/a~2', '/tags/-', '/tags/0', '/a/b', 1, None, [],
                     {}):
            for op in ('add', 'replace', 'remove'):
                with self.subTest(path=path, op=op):
                    self.patch(image_id, {'op': op, 'path': path, 'value': 'x'}, expected=400)
        image = self.patch(image_id, add(' blank ', '1'), add('a~1b', '2'), add('a~0b', '3'), add('', '4'),
                           add('a~01b', '5'), add('/slashes', '6')).json()
        self.assertEqual(('1', '2', '3', '4', '5', '6'),
                         tuple(image[name] for name in ('blank', 'a/b', 'a~b', '', 'a~1b', 'slashes')))

    def test_locations_are_off(self):
        image_id = self.create()['id']
        location = {'url': 'http://images.example.org/1', 'metadata': {}}
        self.patch(image_id, add('locations/-', location), expected=403)
        self.patch(image_id, add('locations/0', location), expected=403)
        self.patch(image_id, replace('locations', [location]), expected=403)
        self.patch(image_id, remove('locations/0'), expected=403)

    def test_base_attributes(self):
        for name, value in {'name': 'new', 'visibility': 'private', 'protected': True, 'os_hidden': True, 'tags': ['b', 'a'],
                            'min_disk': 3, 'min_ram': 4, 'disk_format': 'raw', 'container_format': 'bare', 'owner': 'p3',
                            }.items():
            with self.subTest(name=name):
                image_id = self.create()['id']
                self.assertEqual(value, self.patch(image_id, replace(name, value)).json()[name])
                self.assertEqual(value, self.show(image_id)[name])
                self.patch(image_id, add(name, value))
                self.patch(image_id, remove(name), expected=403)
                self.draft(image_id, {'replace': '/' + name, 'value': value})
                self.draft(image_id, {'add': '/' + name, 'value': value}, expected=409)
                self.draft(image_id, {'remove': '/' + name}, expected=403)

    def test_additional_properties(self):
        image_id = self.create(foo='1', gone='x')['id']
        image = self.patch(image_id, add('foo', '2'), add('new', '3'), replace('new', '4'), remove('gone')).json()
        self.assertEqual(('2', '4', False), (image['foo'], image['new'], 'gone' in image))
        self.assertEqual(image, self.show(image_id))
        self.patch(image_id, replace('absent', 'x'), expected=409)
        self.patch(image_id, remove('absent'), expected=409)
        self.draft(image_id, {'add': '/foo', 'value': 'x'}, expected=409)
        image = self.draft(image_id, {'add': '/absent', 'value': 'x'}, {'replace': '/foo', 'value': 'y'},
                           {'remove': '/new'}).json()
        self.assertEqual(('x', 'y', False), (image['absent'], image['foo'], 'new' in image))

    def test_internal_names_are_properties(self):
        """A name of the server's own objects reaches nothing but a property."""
        victim, image = self.create(name='victim'), self.create()
        for name in ('image_id', 'loaded', 'extra_properties', 'changes', 'member', '__class__', '__dict__', 'set_status'):
            with self.subTest(name=name):
                self.patch(image['id'], replace(name, victim['id']), expected=409)
                self.assertEqual('x', self.patch(image['id'], add(name, 'x')).json()[name])
                self.patch(image['id'], add(name, {}), expected=400)
        self.assertEqual(victim, self.show(victim['id']))

    def test_names_that_nobody_writes(self):
        image_id = self.create()['id']
        for name in (*SERVER_ONLY, 'id', *RESERVED):
            for operation in (add(name, 'x'), replace(name, 'x'), remove(name)):
                with self.subTest(operation=operation):
                    self.patch(image_id, operation, expected=403)

    def test_values(self):
        image_id = self.create(foo='bar')['id']
        for name, value in (('name', 1), ('name', 'x' * 256), ('tags', 'a'), ('tags', [1]), ('min_ram', -1),
                            ('min_disk', 2 ** 31), ('min_disk', True), ('protected', 'true'), ('visibility', 'x'),
                            ('disk_format', 'x'), ('foo', 1), ('foo', None), ('foo', []), ('foo', 'x' * 65536),
                            ('x' * 256, 'v'), ('kernel_id', 'x')):
            with self.subTest(name=name[:20], value=str(value)[:20]):
                self.patch(image_id, add(name, value), expected=400)

    def test_request_before_image(self):
        absent = str(uuid.uuid4())
        self.patch(absent, replace('name', 1), expected=400)
        self.patch(absent, replace('status', 'x'), expected=403)
        self.patch(absent, replace('name', 'x'), expected=404)
        self.patch(absent, expected=404)

    def test_all_or_nothing(self):
        image = self.create(foo='1')
        self.patch(image['id'], replace('name', 'new'), add('bar', '2'), remove('absent'), expected=409)
        self.assertEqual(image, self.show(image['id']))

    def test_owner(self):
        image = self.create(owner='p1')
        owner = self.caller('p1')
        for op in ('add', 'replace'):
            with self.subTest(op=op):
                self.patch(image['id'], {'op': op, 'path': '/owner', 'value': 'p2'}, expected=403, client=owner)
                self.assertEqual(image, self.show(image['id']))
        self.assertIsNone(self.patch(image['id'], replace('owner', '')).json()['owner'])

    def test_visibility(self):
        image_id = self.create(owner='p1')['id']
        owner = self.caller('p1')
        for visibility in ('private', 'community', 'shared'):
            self.patch(image_id, replace('visibility', visibility), client=owner)
        self.patch(image_id, replace('visibility', 'public'), expected=403, client=owner)
        self.assertEqual('shared', self.show(image_id)['visibility'])
        self.patch(image_id, replace('visibility', 'public'))

    def test_formats_of_an_active_image(self):
        image = self.client.create_image(b'data')
        for name, value in (('disk_format', 'qcow2'), ('container_format', 'ovf'), ('disk_format', None)):
            with self.subTest(name=name, value=value):
                self.patch(image['id'], replace(name, value), expected=403)
        self.patch(image['id'], replace('name', 'still possible'))

    def test_quotas(self):
        tags = [str(number) for number in range(129)]
        image_id = self.create(**{f'p{number}': 'v' for number in range(128)})['id']
        self.patch(image_id, replace('tags', tags), expected=413)
        self.patch(image_id, replace('tags', tags[:128] * 2))
        self.patch(image_id, add('more', 'v'), expected=413)
        self.patch(image_id, replace('p0', 'w'))
        self.patch(image_id, remove('p0'), add('more', 'v'))

    def test_updated_at_moves_only_when_saved(self):
        image = self.create(name='n')
        again = self.patch(image['id'], replace('name', 'n')).json()
        self.assertGreaterEqual(again['updated_at'], image['updated_at'])
        self.assertEqual(image['created_at'], again['created_at'])


class TestDelete(ImagesTestCase):

    def test_gone_with_its_data(self):
        image = self.client.create_image(b'data')
        self.assertIn(image['id'], stored_files(self.server.images))
        response = self.assertStatus(204, self.client.delete(f'/v2/images/{image["id"]}'))
        self.assertNotIn('Content-Type', response.headers)
        self.assertEqual(b'', response.content)
        for method, path, headers in (('GET', '', {}), ('PATCH', '', JSON_PATCH), ('DELETE', '', {}), ('GET', '/file', {}),
                                      ('PUT', '/file', OCTETS)):
            with self.subTest(method=method, path=path):
                self.assertStatus(404, self.client.request(method, f'/v2/images/{image["id"]}{path}', headers=headers,
                                                           data=b'[]' if method in ('PATCH', 'PUT') else None))
        self.assertNotIn(image['id'], stored_files(self.server.images))

    def test_protected(self):
        image = self.client.create_image(b'data', protected=True)
        self.assertStatus(403, self.client.delete(f'/v2/images/{image["id"]}'))
        self.assertEqual(image, self.show(image['id']))
        self.assertEqual(b'data', self.download(image['id']).content)
        self.patch(image['id'], replace('protected', False))
        self.assertStatus(204, self.client.delete(f'/v2/images/{image["id"]}'))

    def test_data_that_is_missing_does_not_hinder(self):
        image = self.client.create_image(b'data')
        (self.server.images / image['id']).unlink()
        self.assertStatus(204, self.download(image['id']))
        self.assertStatus(204, self.client.delete(f'/v2/images/{image["id"]}'))


class TestRoutes(ImagesTestCase):

    def test_methods(self):
        image = f'/v2/images/{self.create()["id"]}'
        allowed = {'/v2/images': {'GET', 'POST'}, image: {'GET', 'PATCH', 'DELETE'}, image + '/file': {'GET', 'PUT'}}
        for path, methods in allowed.items():
            for method in {'GET', 'POST', 'PUT', 'PATCH', 'DELETE'} - methods:
                for body in (None, b'\x00 no JSON'):
                    with self.subTest(method=method, path=path, body=body):
                        response = self.assertStatus(405, self.client.request(method, path, data=body))
                        self.assertLessEqual(methods, set(response.headers['Allow'].split(', ')))
                        self.assertLessEqual(set(response.headers['Allow'].split(', ')), methods | {'HEAD'})

    def test_head_has_no_body(self):
        image = f'/v2/images/{self.create()["id"]}'
        for path, status in (('/v2/images', 405), (image + '/x', 404), ('/v2/schemas/image', 405), ('/v2/nothing', 404)):
            with self.subTest(path=path):
                response = exchange(self.server.port, raw_request('HEAD', path))
                self.assertEqual((status, b''), (response.status, response.body))

    def test_head_of_data_is_get_without_the_data(self):
        image = self.client.create_image(b'0123456789')
        path = f'/v2/images/{image["id"]}/file'
        expected = self.assertStatus(200, self.client.get(path)).headers
        response = exchange(self.server.port, raw_request('HEAD', path))
        self.assertEqual((200, b''), (response.status, response.body))
        for name in ('Content-Type', 'Content-Length', 'Content-MD5'):
            self.assertEqual(expected[name], response.headers.get(name.lower()), name)

    def test_unknown_paths(self):
        image_id = self.create()['id']
        for path in ('/v2/', '/v2/images/', f'/v2/images/{image_id}/', f'/v2/images/{image_id}/file/', '/v2//images',
                     f'/v2/images//{image_id}', f'/v2/images/{image_id}//file', f'/v2/images/{image_id}%2Ffile',
                     f'/v2/images/{image_id}%2ffile', f'/v2/images/%2F{image_id}', '/v2/images/../images', '/v2/images/%2e%2e/images',
                     '/v2/images/%2e%2e%2f%2e%2e%2fetc%2fpasswd', '/v2/images/a/b/c', '/v2/nothing',
                     f'/v2/images/{image_id}/nothing', '/v2/Images'):
            for method, status in (('GET', 404), ('DELETE', 404), ('PROPFIND', 501), ('TRACE', 501)):
                with self.subTest(path=path, method=method):
                    self.assertEqual(status, exchange(self.server.port, raw_request(method, path)).status)
        self.show(image_id)

    def test_ids_that_resemble_one(self):
        image_id = self.create()['id']
        for other in (image_id + '%0a', image_id + '%00', image_id + ';x', image_id + '%20', image_id + '.', '%0a' + image_id,
                      image_id + '%0d%0a'):
            for method in ('GET', 'DELETE'):
                with self.subTest(id=other, method=method):
                    self.assertEqual(404, exchange(self.server.port, raw_request(method, f'/v2/images/{other}')).status)
        self.show(image_id)

    def test_undecodable_paths(self):
        for path in ('/v2/images/%ff', '/v2/images/%c3', '/v2/images?name=%ff'):
            with self.subTest(path=path):
                self.assertEqual(400, exchange(self.server.port, raw_request('GET', path)).status)

    def test_unknown_method_on_a_known_path(self):
        for method in ('PROPFIND', 'TRACE', 'FOO'):
            with self.subTest(method=method):
                self.assertEqual(405, exchange(self.server.port, raw_request(method, '/v2/images')).status)

    def test_method_override_is_ignored(self):
        image_id = self.create()['id']
        response = self.client.get(f'/v2/images/{image_id}', headers={'X-HTTP-Method-Override': 'DELETE'})
        self.assertStatus(200, response)
        self.show(image_id)


class TestFaultBodies(ImagesTestCase):

    def fault(self, accept):
        headers = {} if accept is None else {'Accept': accept}
        target = f'/v2/images/{"<b>&"}'.replace('<', '%3C').replace('>', '%3E').replace('&', '%26')
        response = exchange(self.server.port, raw_request('GET', target, headers))
        self.assertEqual(404, response.status)
        return response.headers['content-type'], response.body.decode()

    def test_text(self):
        for accept in (None, '', 'text/plain', 'application/octet-stream', 'image/png', 'application/xml'):
            with self.subTest(accept=accept):
                kind, body = self.fault(accept)
                self.assertEqual('text/plain; charset=UTF-8', kind)
                self.assertRegex(body, r'\A404 Not Found\n\n.*<b>&')

    def test_html(self):
        for accept in ('*/*', 'text/*', 'text/html', 'text/html, application/json', 'application/json;q=0.5, */*',
                       'application/xhtml+xml, */*;q=0.1'):
            with self.subTest(accept=accept):
                kind, body = self.fault(accept)
                self.assertEqual('text/html; charset=UTF-8', kind)
                self.assertRegex(body, r'\A<html>\n <head>\n  <title>404 Not Found</title>\n </head>\n <body>\n'
                                       r'  <h1>404 Not Found</h1>\n  .*&lt;b&gt;&amp;.*<br /><br />\n')
                self.assertRegex(body, r'\n\n\n </body>\n</html>\Z')
                self.assertNotIn('<b>', body)

    def test_json(self):
        for accept in ('application/json', 'application/*', 'text/html;q=0.5, application/json', 'application/json, */*;q=0'):
            with self.subTest(accept=accept):
                kind, body = self.fault(accept)
                self.assertEqual('application/json', kind)
                fault = json.loads(body)
                self.assertEqual({'message', 'code', 'title'}, set(fault))
                self.assertEqual(('404 Not Found', 'Not Found'), (fault['code'], fault['title']))
                self.assertIn('<b>&', fault['message'])
                self.assertNotIn('<br', fault['message'])

    def test_junk_in_accept(self):
        for accept in (';;;', 'text', '/', ',', 'text/html;q=x', 'é', '*/*' * 1000):
            with self.subTest(accept=accept[:20]):
                self.assertTrue(self.fault(accept)[1])


class TestRequestIds(ImagesTestCase):

    def request_id(self, given=None):
        response = self.client.get('/v2/images', headers={} if given is None else {'X-OpenStack-Request-Id': given})
        self.assertStatus(200, response)
        return response.headers['x-openstack-request-id']

    def test_generated(self):
        first, second = self.request_id(), self.request_id()
        self.assertRegex(first, r'\Areq-[0-9a-f-]{36}\Z')
        self.assertNotEqual(first, second)

    def test_adopted(self):
        for given, expected in (('req-abc', 'req-abc'), ('abc', 'req-abc'), ('A.b_c:1', 'req-A.b_c:1'),
                                ('x' * 64, 'req-' + 'x' * 64)):
            with self.subTest(given=given):
                self.assertEqual(expected, self.request_id(given))

    def test_replaced(self):
        for given in ('a b', 'a"b', 'a%0ab', 'é'.encode(), 'a\tb', ''):
            with self.subTest(given=given):
                self.assertRegex(self.request_id(given), r'\Areq-[0-9a-f-]{36}\Z')

    def test_too_long(self):
        response = self.client.get('/v2/images', headers={'X-OpenStack-Request-Id': 'x' * 65})
        self.assertStatus(431, response)
        self.assertRegex(response.headers['x-openstack-request-id'], '^req-')
        self.assertIn('64', response.text)


class TestAnonymous(ImagesTestCase):
    PROJECTS = True
    SETTINGS = {'DEFAULT': {'allow_anonymous_access': True}}

    def test_reads_nothing_and_writes_nothing(self):
        image = self.create(visibility='public')
        nobody = self.server.client()
        self.assertStatus(403, nobody.get('/v2/images'))
        self.assertStatus(404, nobody.get(f'/v2/images/{image["id"]}'))
        self.assertStatus(403, nobody.post('/v2/images', json={}))
        self.assertStatus(404, nobody.delete(f'/v2/images/{image["id"]}'))


class TestWithoutKeystone(ImagesTestCase):

    def test_everything_works(self):
        image = self.client.create_image(b'data', visibility='public')
        self.assertIsNone(image['owner'])
        self.assertEqual(b'data', self.download(image['id']).content)
        self.assertStatus(204, self.client.delete(f'/v2/images/{image["id"]}'))


class TestQuotasOfZeroAndNone(ImagesTestCase):
    SETTINGS = {'DEFAULT': {'image_property_quota': 0, 'image_tag_quota': -1, 'enabled_import_methods': '[]'}}

    def test_none_allowed_and_unlimited(self):
        self.assertRefused(413, {'foo': 'bar'})
        response = self.assertStatus(201, self.client.post('/v2/images', json={'tags': [str(n) for n in range(1000)]}))
        self.assertNotIn('OpenStack-image-import-methods', response.headers)


class TestRequiredProperties(ImagesTestCase):

    @classmethod
    def prepare(cls, server):
        (server.folder / 'schema-image.json').write_text(json.dumps(
            {'properties': {'team': {'type': 'string'}, 'level': {'type': ['null', 'string']}}, 'required': ['team']}))

    def test_on_create_and_on_the_result_of_a_patch(self):
        self.assertRefused(400, {})
        image = self.create(team='red')
        self.patch(image['id'], replace('name', 'other properties do not matter'))
        self.patch(image['id'], remove('team'), expected=400)
        self.patch(image['id'], remove('team'), add('team', 'blue'))
        schema = self.client.get('/v2/schemas/image').json()
        self.assertEqual(['team'], schema['required'])
        self.assertEqual({'type': 'string', 'is_base': False}, schema['properties']['team'])
