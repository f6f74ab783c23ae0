"""The parts of a process, and the operator's extra schema."""
import json
import os
import unittest

from glance import environment, exceptions
from glance.db.memory import MemoryDatabase
from tests.unit.layers import fakes


class Base(unittest.TestCase):

    def setUp(self):
        self.directory = fakes.temporary_directory(self)

    def write(self, content):
        with open(os.path.join(self.directory, 'schema-image.json'), 'w') as file:
            file.write(content if isinstance(content, str) else json.dumps(content))

    def load(self, content):
        self.write(content)
        return environment.load_extra_schema(fakes.make_conf(self.directory))


class SchemaFileTest(Base):

    def test_a_missing_file_is_warned_about(self):
        with self.assertLogs(environment.LOG, 'WARNING') as logs:
            schema = environment.load_extra_schema(fakes.make_conf(self.directory))
        self.assertEqual(({}, ()), (schema.properties, schema.required))
        self.assertIn('schema-image.json', logs.output[0])

    def test_both_forms(self):
        definitions = {'level': {'type': 'string'}, 'count': {'type': ['null', 'integer']}}
        expected = {'level': {'type': 'string', 'is_base': False}, 'count': {'type': ['null', 'integer'],
                                                                             'is_base': False}}
        for content, required in ((definitions, ()), ({'properties': definitions}, ()),
                                  ({'properties': definitions, 'required': ['level']}, ('level',))):
            schema = self.load(content)
            self.assertEqual((expected, required), (schema.properties, schema.required))

    def test_a_property_may_be_called_properties(self):
        self.assertEqual(['properties'], list(self.load({'properties': {'type': 'string'}}).properties))

    def test_files_that_are_wrong(self):
        for content in ('', '{', '[]', '5', '"a"', 'null', '{"a": 5}', '{"a": {"type": "nonsense"}}',
                        '{"properties": {"a": 5}}',
                        '{"a": {"enum": 5}}', '{"properties": {"a": {"type": "string"}}, "required": 5}',
                        '{"properties": {"a": {"type": "string"}}, "required": "a"}'):
            with self.subTest(content=content):
                with self.assertRaises(exceptions.ConfigurationError) as caught:
                    self.load(content)
                self.assertIn(os.path.join(self.directory, 'schema-image.json'), str(caught.exception))
                self.assertNotIn('\n', str(caught.exception))

    def test_a_base_attribute_that_is_defined_otherwise(self):
        for content in ({'name': {'type': 'integer'}}, {'status': {'type': 'string'}},
                        {'properties': {'size': {'type': 'string'}}}):
            with self.subTest(content=content):
                with self.assertRaises(exceptions.ConfigurationError) as caught:
                    self.load(content)
                self.assertIn(next(iter(content.get('properties', content))), str(caught.exception))


class BuildTest(Base):

    def build(self, text=''):
        conf = fakes.make_conf(self.directory, (
            '[DEFAULT]\ndata_api = glance.db.simple.api\nnode_staging_uri = file://{0}/staging\n'
            '[glance_store]\nfilesystem_store_datadir = {0}/images\n{1}').format(self.directory, text))
        env = environment.build(conf)
        self.addCleanup(env.close)
        return env

    def test_the_parts(self):
        env = self.build()
        self.assertIsInstance(env.database, MemoryDatabase)
        self.assertEqual(['file', 'http'], [store.schemes[0] for store in env.stores.enabled])
        self.assertIsNotNone(env.stores.get(env.stores.default))

    def test_the_extra_schema_reaches_the_validator(self):
        self.write({'level': {'type': ['null', 'integer'], 'maximum': 5},
                    'kernel_id': {'type': ['null', 'string'], 'pattern': '^[a-f]+$'}})
        validator = self.build().validator
        self.assertEqual([5, None, 'abc', None], [validator.value('level', 5), validator.value('level', None),
                                                  validator.value('kernel_id', 'abc'),
                                                  validator.value('kernel_id', None)])
        for name, value in (('level', 6), ('level', '5'), ('kernel_id', 'x'), ('kernel_id', 5), ('other', None)):
            self.assertRaises(exceptions.Invalid, validator.value, name, value)

    def test_formats_are_the_configured_ones(self):
        validator = self.build('[image_format]\ndisk_formats = raw\n').validator
        self.assertEqual('raw', validator.value('disk_format', 'raw'))
        self.assertRaises(exceptions.Invalid, validator.value, 'disk_format', 'qcow2')

    def test_a_broken_policy_file_stops_the_start(self):
        with open(os.path.join(self.directory, 'policy.yaml'), 'w') as file:
            file.write('a: [')
        with self.assertRaises(exceptions.ConfigurationError):
            self.build()

    def test_a_file_that_is_wrong_stops_the_start(self):
        self.write('{')
        with self.assertRaises(exceptions.ConfigurationError):
            self.build()
