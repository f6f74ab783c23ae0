"""The JSON schemas that clients read."""
import jsonschema

from glance.environment import ExtraSchema
from tests.unit.api.serving import ServingTestCase


class SchemaTest(ServingTestCase):

    def test_the_image(self):
        schema = self.call('GET', '/schemas/image').json
        self.assertEqual(['name', 'properties', 'additionalProperties', 'links'], list(schema))
        self.assertEqual(('image', {'type': 'string'}), (schema['name'], schema['additionalProperties']))
        self.assertEqual(
            ['id', 'name', 'status', 'visibility', 'protected', 'os_hidden', 'checksum', 'os_hash_algo',
             'os_hash_value', 'owner', 'size',
             'virtual_size', 'container_format', 'disk_format', 'created_at', 'updated_at', 'tags', 'direct_url',
             'min_ram', 'min_disk',
             'self', 'file', 'stores', 'schema', 'locations'], list(schema['properties']))
        read_only = {name for name, definition in schema['properties'].items() if definition.get('readOnly')}
        self.assertEqual({'status', 'checksum', 'os_hash_algo', 'os_hash_value', 'size', 'virtual_size', 'created_at',
                          'updated_at',
                          'direct_url', 'self', 'file', 'schema', 'stores'}, read_only)
        self.assertEqual(['queued', 'saving', 'active', 'killed', 'deleted', 'uploading', 'importing', 'pending_delete',
                          'deactivated'],
                         schema['properties']['status']['enum'])
        self.assertEqual(['community', 'public', 'private', 'shared'], schema['properties']['visibility']['enum'])
        self.assertEqual([None, *self.conf.image_format.disk_formats], schema['properties']['disk_format']['enum'])
        self.assertEqual([('self', '{self}'), ('enclosure', '{file}'), ('describedby', '{schema}')],
                         [(link['rel'], link['href']) for link in schema['links']])
        self.assertFalse([name for name, definition in schema['properties'].items() if 'is_base' in definition])

    def test_images_obey_their_schema(self):
        schema = self.call('GET', '/schemas/image').json
        for image in (self.create(), self.active(foo='bar', tags=['t'])):
            self.assertEqual([], list(jsonschema.Draft4Validator(schema).iter_errors(image)))

    def test_the_operators_properties(self):
        self.serve(schema=ExtraSchema({'level': {'type': 'string', 'is_base': False}}, ('level',)))
        schema = self.call('GET', '/schemas/image').json
        self.assertEqual(({'type': 'string', 'is_base': False}, 'level', ['level']),
                         (schema['properties']['level'], list(schema['properties'])[-1], schema['required']))

    def test_images(self):
        schema = self.call('GET', '/schemas/images').json
        self.assertEqual(['images', 'first', 'next', 'schema'], list(schema['properties']))
        self.assertEqual(self.call('GET', '/schemas/image').json, schema['properties']['images']['items'])
        self.assertEqual(['first', 'next', 'describedby'], [link['rel'] for link in schema['links']])

    def test_the_member(self):
        schema = self.call('GET', '/schemas/member').json
        self.assertEqual((['name', 'properties'], 'member'), (list(schema), schema['name']))
        self.assertEqual(['member_id', 'image_id', 'created_at', 'updated_at', 'status', 'schema'],
                         list(schema['properties']))
        self.assertEqual(['pending', 'accepted', 'rejected'], schema['properties']['status']['enum'])
        self.assertEqual(['schema'], [name for name, definition in schema['properties'].items()
                                      if definition.get('readOnly')])

    def test_members(self):
        schema = self.call('GET', '/schemas/members').json
        self.assertEqual(('members', ['members', 'schema'], [{'rel': 'describedby', 'href': '{schema}'}]),
                         (schema['name'], list(schema['properties']), schema['links']))
        self.assertEqual(self.call('GET', '/schemas/member').json, schema['properties']['members']['items'])

    def test_a_body_is_refused(self):
        for name in ('image', 'images', 'member', 'members'):
            self.assertEqual(400, self.code('GET', '/schemas/' + name, b'{}'))
