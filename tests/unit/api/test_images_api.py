"""Images of the v2 API, from the router down to records in memory: create, show, change, delete."""
import uuid

from hypothesis import given, settings
from hypothesis import strategies as st

from glance.db.interface import ImageChanges
from glance.environment import ExtraSchema
from tests.unit.api import wsgi_client
from tests.unit.api.serving import DATA, OCTETS, UUID, V20, V21, ServingTestCase
from tests.unit.layers import fakes

BASE_ORDER = ['name', 'disk_format', 'container_format', 'visibility', 'size', 'virtual_size', 'status', 'checksum',
              'protected',
              'min_ram', 'min_disk', 'owner', 'os_hidden', 'os_hash_algo', 'os_hash_value', 'id', 'created_at',
              'updated_at', 'tags',
              'self', 'file', 'schema']


class CreateTest(ServingTestCase):

    def test_the_least(self):
        response = self.call('POST', '/images', {})
        image = response.json
        self.assertEqual(201, response.status_int)
        self.assertEqual(BASE_ORDER, list(image))
        self.assertEqual('application/json', response.headers['Content-Type'])
        self.assertEqual('http://localhost:9292/v2/images/' + image['id'], response.headers['Location'])
        self.assertEqual({
            'name': None, 'disk_format': None, 'container_format': None, 'visibility': 'shared', 'size': None,
            'virtual_size': None,
            'status': 'queued', 'checksum': None, 'protected': False, 'min_ram': 0, 'min_disk': 0, 'owner': fakes.OWNER,
            'os_hidden': False, 'os_hash_algo': None, 'os_hash_value': None, 'id': image['id'],
            'created_at': image['created_at'],
            'updated_at': image['created_at'], 'tags': [], 'self': '/v2/images/' + image['id'],
            'file': '/v2/images/%s/file' % image['id'], 'schema': '/v2/schemas/image'}, image)
        self.assertRegex(image['created_at'], r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$')
        self.assertEqual(str(uuid.UUID(image['id'])), image['id'])

    def test_everything(self):
        values = {'id': UUID.upper(), 'name': 'é', 'visibility': 'private', 'protected': True, 'os_hidden': True,
                  'tags': ['b', 'a', 'b'],
                  'min_disk': 1, 'min_ram': 2.0, 'disk_format': 'qcow2', 'container_format': 'ovf', 'foo': 'bar',
                  '': 'x', 'Name': 'y'}
        image = self.create(**values)
        self.assertEqual({**values, 'tags': ['b', 'a']}, {name: image[name] for name in values})
        self.assertEqual(['foo', '', 'Name'], list(image)[:3])
        self.assertEqual(image, self.show(image))
        self.assertIn('"min_ram": 2,', self.call('GET', '/images/' + image['id']).text)

    def test_what_is_not_ascii_is_sent_as_it_is(self):
        self.assertIn('"name": "é"', self.call('POST', '/images', {'name': 'é'}).text)

    def test_malformed_bodies(self):
        for body in (b'', b'{', b'[]', b'[{}]', b'"a"', b'1', b'null', b'{"a": NaN}', b'{"name": "a", "name": "b"}',
                     b'\xff', b'[' * 10000):
            with self.subTest(body=body[:20]):
                self.assertEqual(400, self.code('POST', '/images', body))

    def test_wrong_values(self):
        for values in ({'name': 5}, {'id': 'x'}, {'id': None}, {'visibility': 'all'}, {'min_ram': -1},
                       {'min_ram': 2 ** 31}, {'min_ram': True},
                       {'min_ram': None}, {'tags': 'a'}, {'tags': ['x' * 256]}, {'disk_format': 'x'}, {'foo': 1},
                       {'foo': None}, {'foo': {}},
                       {'x' * 256: 'v'}, {'foo': 'x' * 65536}, {'protected': 'true'}, {'owner': 5}, {'name': 'a\0'}):
            with self.subTest(values=str(values)[:40]):
                self.assertEqual(400, self.code('POST', '/images', values))

    def test_names_that_clients_may_not_set(self):
        for name in ('direct_url', 'self', 'file', 'schema', 'stores', 'checksum', 'size', 'virtual_size', 'status',
                     'created_at',
                     'updated_at', 'location', 'deleted', 'deleted_at', 'locations', 'os_hash_algo', 'os_hash_value',
                     'os_glance_import_task', 'os_glance_foo'):
            for value in ('v', None):
                with self.subTest(name=name, value=value):
                    self.assertEqual(403, self.code('POST', '/images', {name: value}))

    def test_owners(self):
        for owner, code in ((fakes.OWNER, 201), (fakes.STRANGER, 403), (None, 403), ('', 403)):
            self.assertEqual(code, self.code('POST', '/images', {'owner': owner}))
            self.assertEqual(201, self.code('POST', '/images', {'owner': owner}, context=fakes.admin()))
        self.assertIsNone(self.create(fakes.admin(), owner='')['owner'])

    def test_an_id_that_is_taken(self):
        self.create(id=UUID)
        self.assertEqual(409, self.code('POST', '/images', {'id': UUID}))
        self.assertEqual(409, self.code('POST', '/images', {'id': UUID}, context=fakes.caller(fakes.STRANGER)))
        self.assertEqual(204, self.code('DELETE', '/images/' + UUID))
        self.assertEqual(409, self.code('POST', '/images', {'id': UUID}))

    def test_quotas(self):
        self.conf.set_override('image_tag_quota', 2)
        self.conf.set_override('image_property_quota', 1)
        self.create(tags=['a', 'b', 'a'], foo='x')
        self.assertEqual(413, self.code('POST', '/images', {'tags': ['a', 'b', 'c']}))
        self.assertEqual(413, self.code('POST', '/images', {'foo': 'x', 'bar': 'y'}))

    def test_a_body_that_is_too_large(self):
        self.conf.set_override('max_json_body_size', 100)
        self.assertEqual(413, self.code('POST', '/images', {'name': 'x' * 200}))
        self.assertEqual(201, self.code('POST', '/images', {'name': 'x'}))

    def test_chunked_bodies(self):
        environ = wsgi_client.environ_of('POST', '/images', b'{"name": "n"}', {'Transfer-Encoding': 'chunked'})
        del environ['CONTENT_LENGTH']
        environ.update({'glance.environment': self.env, 'glance.context': fakes.caller()})
        self.assertEqual('n', wsgi_client.call(self.api, environ).json['name'])

    def test_import_methods_are_told(self):
        header = 'OpenStack-image-import-methods'
        self.assertEqual('glance-direct,web-download,copy-image', self.call('POST', '/images', {}).headers[header])
        self.conf.set_override('enabled_import_methods', [])
        self.assertNotIn(header, self.call('POST', '/images', {}).headers)

    def test_stores_are_told_where_there_are_several(self):
        header = 'OpenStack-image-store-ids'
        self.assertNotIn(header, self.call('POST', '/images', {}).headers)
        self.serve(stores=fakes.Stores('one', 'two'))
        self.assertEqual('one,two', self.call('POST', '/images', {}).headers[header])

    def test_required_properties(self):
        self.serve(schema=ExtraSchema({'level': {'type': 'string', 'is_base': False}}, ('level',)))
        self.assertEqual(400, self.code('POST', '/images', {}))
        image = self.create(level='1')
        self.assertEqual(200, self.patch(image, {'op': 'replace', 'path': '/name', 'value': 'n'}).status_int)
        self.assertEqual(400, self.patch(image, {'op': 'remove', 'path': '/level'}).status_int)
        self.assertEqual('1', self.show(image)['level'])
        self.assertEqual(200, self.patch(image, {'op': 'remove', 'path': '/level'},
                                         {'op': 'add', 'path': '/level', 'value': '2'}).status_int)

    def test_a_required_property_may_be_called_like_something_inside(self):
        self.serve(schema=ExtraSchema({}, ('member',)))
        image = self.create(member='x')
        self.assertEqual(200, self.patch(image, {'op': 'replace', 'path': '/name', 'value': 'n'}).status_int)

    @settings(max_examples=150, deadline=None)
    @given(st.dictionaries(
        st.one_of(st.sampled_from(('id', 'name', 'owner', 'tags', 'min_ram', 'status', 'locations', 'visibility', 'foo',
                                   'image_id', 'member',
                                   'loaded', 'disk_format')), st.text(max_size=4)),
        st.recursive(st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=4), st.floats(),
                               st.just('private')),
                     lambda inner: st.lists(inner, max_size=3), max_leaves=4), max_size=4))
    def test_any_object_is_answered(self, values):
        self.assertIn(self.code('POST', '/images', values), (201, 400, 403, 409))


class ShowTest(ServingTestCase):

    def test_bodies_are_refused(self):
        image = self.create()
        self.assertEqual(400, self.code('GET', '/images/' + image['id'], b'{}'))

    def test_internal_properties(self):
        image = self.create()
        self.env.database.image_update(image['id'], ImageChanges(set_properties={
            'os_glance_import_task': 't', 'os_glance_importing_to_stores': 'a', 'os_glance_failed_import': '',
            'os_glance_stage_host': 'http://internal', 'os_glance_hash_op_host': 'http://internal', 'plain': None}))
        shown = self.show(image)
        self.assertEqual({'os_glance_import_task': 't', 'os_glance_importing_to_stores': 'a',
                          'os_glance_failed_import': '', 'plain': ''},
                         {name: value for name,
                          value in shown.items() if name.startswith('os_glance') or name == 'plain'})

    def test_stores(self):
        self.serve(stores=fakes.Stores('one', 'two'))
        self.assertNotIn('stores', self.create())
        image = self.active()
        self.assertEqual(('one', 'stores'), (image['stores'], list(image)[-1]))

    def test_stores_of_a_deactivated_image_are_for_administrators(self):
        self.serve(stores=fakes.Stores('one', 'two'))
        image = self.active()
        self.set_status(image, 'deactivated')
        self.assertEqual('one', self.show(image, fakes.admin())['stores'])
        self.assertNotIn('stores', self.show(image))

    def test_the_direct_url(self):
        self.assertNotIn('direct_url', self.active())
        self.conf.set_override('show_image_direct_url', True)
        self.assertNotIn('direct_url', self.create())
        image = self.active()
        self.assertEqual(self.store.url(image['id']), image['direct_url'])
        self.set_status(image, 'deactivated')
        self.assertNotIn('direct_url', self.show(image))

    def test_a_property_that_pretends_to_be_an_attribute(self):
        image = self.create()
        names = ('owner', 'id', 'status', 'direct_url', 'locations', 'location', 'stores', 'self', 'deleted', 'os_hash_value')
        self.env.database.image_update(image['id'], ImageChanges(set_properties=dict.fromkeys(names, 'forged')))
        self.assertNotIn('forged', self.show(image).values())
        self.assertEqual(image.keys(), self.show(image).keys())


class PatchTest(ServingTestCase):

    def test_an_answer_is_the_image(self):
        image = self.create(foo='1')
        response = self.patch(image, {'op': 'replace', 'path': '/name', 'value': 'ok'},
                              {'op': 'add', 'path': '/p0', 'value': 'x'},
                              {'op': 'remove', 'path': '/foo'})
        self.assertEqual((200, 'ok', 'x', False), (response.status_int, response.json['name'], response.json['p0'],
                                                   'foo' in response.json))
        self.assertEqual(response.json, self.show(image))

    def test_the_draft_form(self):
        image = self.create(foo='1')
        self.assertEqual('2', self.patch(image, {'replace': '/foo', 'value': '2'}, media_type=V20).json['foo'])
        self.assertEqual(409, self.patch(image, {'add': '/foo', 'value': '2'}, media_type=V20).status_int)

    def test_an_empty_patch_saves_nothing(self):
        image = self.create()
        before = self.env.database.image_get(fakes.admin(), image['id'])['updated_at']
        response = self.patch(image)
        self.assertEqual((200, image['id']), (response.status_int, response.json['id']))
        self.assertEqual(before, self.env.database.image_get(fakes.admin(), image['id'])['updated_at'])

    def test_all_or_nothing(self):
        image = self.create(foo='1')
        for operation in ({'op': 'remove', 'path': '/absent'}, {'op': 'replace', 'path': '/visibility',
                                                                'value': 'public'}):
            self.assertIn(self.patch(image, {'op': 'replace', 'path': '/name', 'value': 'n'},
                                     {'op': 'replace', 'path': '/foo', 'value': '2'},
                                     operation).status_int, (403, 409))
            self.assertEqual(image, self.show(image))

    def test_the_request_is_checked_before_the_image_is_looked_up(self):
        absent = {'id': UUID}
        for operation, code in (({'op': 'add'}, 400), ({'op': 'add', 'path': '/status', 'value': 'x'}, 403),
                                ({'op': 'add', 'path': '/name', 'value': 5}, 400),
                                ({'op': 'add', 'path': '/name', 'value': 'n'}, 404)):
            self.assertEqual(code, self.patch(absent, operation).status_int)
        response = self.patch(absent, media_type='application/json')
        self.assertEqual((415, '%s, %s' % (V20, V21)), (response.status_int, response.headers['Accept-Patch']))

    def test_visibility(self):
        image = self.create()
        for visibility, code in (('private', 200), ('community', 200), ('shared', 200), ('public', 403)):
            self.assertEqual(code, self.patch(image,
                                              {'op': 'replace', 'path': '/visibility', 'value': visibility}).status_int)
        self.assertEqual(200, self.patch(image, {'op': 'replace', 'path': '/visibility', 'value': 'public'},
                                         context=fakes.admin()).status_int)

    def test_owner(self):
        image = self.create()
        for op, value in (('replace', 'p-other'), ('add', 'p-other'), ('replace', None), ('replace', ''),
                          ('replace', fakes.OWNER)):
            with self.subTest(op=op, value=value):
                self.assertEqual(403, self.patch(image, {'op': op, 'path': '/owner', 'value': value}).status_int)
                self.assertEqual(fakes.OWNER, self.show(image)['owner'])
        response = self.patch(image, {'op': 'replace', 'path': '/owner', 'value': ''}, context=fakes.admin())
        self.assertEqual((200, None), (response.status_int, response.json['owner']))

    def test_owner_of_an_image_that_is_not_seen(self):
        image = self.create(visibility='private')
        self.assertEqual(404, self.patch(image, {'op': 'replace', 'path': '/owner', 'value': 'x'},
                                         context=fakes.caller(fakes.STRANGER)).status_int)

    def test_formats(self):
        image = self.active()
        operation = {'op': 'replace', 'path': '/disk_format', 'value': 'qcow2'}
        self.assertEqual(403, self.patch(image, operation).status_int)
        self.assertEqual(200, self.patch(self.create(), operation).status_int)

    def test_quotas(self):
        image = self.create(tags=['a', 'b', 'c'], p='1', q='2')
        self.conf.set_override('image_tag_quota', 2)
        self.conf.set_override('image_property_quota', 1)
        for operation, code in (({'op': 'replace', 'path': '/name', 'value': 'n'}, 200),
                                ({'op': 'replace', 'path': '/p', 'value': '3'}, 200),
                                ({'op': 'add', 'path': '/r', 'value': '3'}, 413), ({'op': 'remove', 'path': '/q'}, 200),
                                ({'op': 'replace', 'path': '/tags', 'value': ['x', 'y', 'z']}, 413),
                                ({'op': 'replace', 'path': '/tags', 'value': ['x', 'y', 'x']}, 200)):
            with self.subTest(operation=operation):
                self.assertEqual(code, self.patch(image, operation).status_int)

    def test_a_patch_does_not_touch_what_others_see(self):
        mine, theirs = self.create(name='mine'), self.create(name='theirs')
        self.patch(mine, {'op': 'replace', 'path': '/image_id', 'value': theirs['id']})
        self.patch(mine, {'op': 'add', 'path': '/image_id', 'value': theirs['id']},
                   {'op': 'replace', 'path': '/name', 'value': 'evil'})
        self.assertEqual(theirs, self.show(theirs))

    def test_tags_keep_their_order(self):
        image = self.create(tags=['b', 'a'])
        self.assertEqual(['c', 'a', 'b'], self.patch(image,
                                                     {'op': 'replace', 'path': '/tags',
                                                      'value': ['c', 'a', 'b']}).json['tags'])


class DeleteTest(ServingTestCase):

    def test_twice(self):
        image = self.create()
        response = self.call('DELETE', '/images/' + image['id'])
        self.assertEqual((204, b''), (response.status_int, response.body))
        self.assertNotIn('Content-Type', response.headers)
        for method in ('DELETE', 'GET'):
            for context in (fakes.caller(), fakes.admin()):
                self.assertEqual(404, self.code(method, '/images/' + image['id'], context=context))

    def test_refusals(self):
        image = self.create(protected=True)
        self.assertEqual(403, self.code('DELETE', '/images/' + image['id']))
        self.assertEqual(403, self.code('DELETE', '/images/' + image['id'], context=fakes.admin()))
        self.assertEqual(400, self.code('DELETE', '/images/' + image['id'], b'{}'))
        self.assertEqual(404, self.code('DELETE', '/images/' + UUID))

    def test_every_status(self):
        for status in ('queued', 'saving', 'uploading', 'importing', 'active', 'deactivated', 'killed'):
            with self.subTest(status=status):
                record = self.env.database.image_create({'status': status, 'owner': fakes.OWNER})
                self.assertEqual(204, self.code('DELETE', '/images/' + record['id']))


class AnonymousTest(ServingTestCase):

    def test_nothing_can_be_changed(self):
        self.serve(conf=fakes.make_conf(fakes.temporary_directory(self),
                                        '[oslo_policy]\nenforce_new_defaults = false\n'))
        image = self.create(fakes.admin(), owner=fakes.OWNER, visibility='public')
        anonymous = fakes.caller(None, (), read_only=True)
        self.assertEqual(200, self.code('GET', '/images/' + image['id'], context=anonymous))
        self.assertEqual(403, self.code('POST', '/images', {}, context=anonymous))
        self.assertEqual(403, self.patch(image, {'op': 'add', 'path': '/a', 'value': 'b'},
                                         context=anonymous).status_int)
        self.assertEqual(403, self.code('DELETE', '/images/' + image['id'], context=anonymous))
        self.assertEqual(403, self.code('PUT', '/images/%s/file' % image['id'], DATA, {'Content-Type': OCTETS},
                                        anonymous))
