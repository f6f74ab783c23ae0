"""Names and values of image attributes."""
import unittest

from hypothesis import given
from hypothesis import strategies as st

from glance import exceptions
from glance.domain import properties
from glance.domain.properties import Validator

UUID = 'b2173dd3-7ad6-4362-baa6-a68bce3565cb'
BASE = ('name', 'visibility', 'protected', 'os_hidden', 'owner', 'tags', 'min_disk', 'min_ram', 'disk_format',
        'container_format')
READ_ONLY = ('status', 'size', 'virtual_size', 'checksum', 'os_hash_algo', 'os_hash_value', 'created_at', 'updated_at',
             'direct_url', 'self', 'file', 'schema', 'stores')
RESERVED = ('location', 'deleted', 'deleted_at', 'os_glance_import_task', 'os_glance_x', 'os_glanceous')
JSON = st.recursive(st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
                    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner,
                                                                                         max_size=3)), max_leaves=8)


class Refuse:
    """A definition of the operator's schema that takes 1 and nothing else."""

    def error(self, value):
        return None if value == 1 else 'it must be 1'


class ValidatorTest(unittest.TestCase):

    def setUp(self):
        self.validator = Validator(['raw', 'qcow2'], ['bare'], {'level': Refuse()})

    def assert_accepted(self, name, value, kept=...):
        with self.subTest(name=name, value=value):
            result = self.validator.value(name, value)
            self.assertEqual(value if kept is ... else kept, result)
            return result

    def assert_refused(self, name, value):
        with self.subTest(name=name, value=value):
            with self.assertRaises(exceptions.Invalid) as caught:
                self.validator.value(name, value)
            return str(caught.exception)
        return ''

    def test_wrong_types(self):
        wrong = {
            str: (1, True, 1.5, [], {}), bool: (0, 1, 'true', None, [], 1.0),
            int: ('1', True, False, None, [], 1.5, {}),
            list: ('a', None, {'a': 1}, 1, [1], [None], [['a']], [True]),
        }
        for name in ('id', *BASE):
            for value in wrong[properties.BASE_ATTRIBUTES[name].type]:
                self.assertIn(name.removesuffix('s'), self.assert_refused(name, value))

    def test_null(self):
        for name in ('name', 'owner', 'disk_format', 'container_format'):
            self.assert_accepted(name, None)
        for name in ('id', 'visibility', 'protected', 'os_hidden', 'tags', 'min_disk', 'min_ram', 'anything'):
            self.assert_refused(name, None)

    def test_integers(self):
        for name in ('min_disk', 'min_ram'):
            for value in (0, 1, 2147483647):
                self.assert_accepted(name, value)
            for value in (-1, 2147483648, 2 ** 63, -2 ** 63, 1e300, float('inf'), float('nan')):
                self.assert_refused(name, value)
            for value in (1.0, 2147483647.0):
                self.assertIs(int, type(self.assert_accepted(name, value, int(value))))

    def test_booleans(self):
        for name in ('protected', 'os_hidden'):
            self.assert_accepted(name, True)
            self.assert_accepted(name, False)

    def test_ids(self):
        self.assert_accepted('id', UUID)
        self.assert_accepted('id', UUID.upper())
        for value in ('', 'x', UUID + '\n', ' ' + UUID, UUID.replace('-', ''), '{%s}' % UUID, UUID + 'a',
                      '../' + UUID[3:],
                      UUID.replace('b', 'g'), UUID.replace('2', '٢', 1)):
            self.assert_refused('id', value)

    def test_lengths(self):
        for name in ('name', 'owner'):
            self.assert_accepted(name, 'é' * 255)
            self.assert_refused(name, 'é' * 256)
        self.assert_accepted('tags', ['é' * 255])
        self.assert_refused('tags', ['é' * 256])
        self.assert_accepted('k' * 255, 'v')
        self.assert_refused('k' * 256, 'v')

    def test_empty_text(self):
        self.assert_accepted('name', '')
        self.assert_accepted('owner', '', None)
        self.assert_accepted('tags', [''])
        self.assert_accepted('anything', '')
        self.assert_accepted('', 'a property may have an empty name')
        for name in ('visibility', 'disk_format', 'container_format', 'id'):
            self.assert_refused(name, '')

    def test_visibilities(self):
        for value in ('public', 'community', 'private', 'shared'):
            self.assert_accepted('visibility', value)
        for value in ('all', 'Public', 'public '):
            self.assert_refused('visibility', value)

    def test_formats_are_the_configured_ones(self):
        self.assert_accepted('disk_format', 'qcow2')
        self.assertIn('raw, qcow2', self.assert_refused('disk_format', 'vmdk'))
        self.assert_refused('disk_format', 'bare')
        self.assert_refused('container_format', 'raw')
        self.validator = Validator([], [])
        self.assert_refused('disk_format', 'raw')

    def test_repeated_tags_collapse_in_the_order_first_given(self):
        self.assert_accepted('tags', ['b', 'a', 'b', 'c', 'a'], ['b', 'a', 'c'])

    def test_properties_are_strings(self):
        for value in (1, 1.5, True, [], {}, ['a']):
            self.assert_refused('anything', value)

    def test_a_property_holds_65535_bytes(self):
        self.assert_accepted('anything', 'x' * 65535)
        self.assert_refused('anything', 'x' * 65536)
        self.assert_accepted('anything', 'é' * 32767)
        self.assert_refused('anything', 'é' * 32768)
        self.assert_accepted('anything', '\U0001f600' * 16383)
        self.assert_refused('anything', '\U0001f600' * 16384)

    def test_names_of_properties_are_case_sensitive(self):
        self.assert_accepted('NAME', 'x' * 300)
        self.assert_accepted('Min_Disk', 'x')

    def test_the_extra_schema_decides_for_its_properties(self):
        self.assert_accepted('level', 1)
        self.assertIn('it must be 1', self.assert_refused('level', 'x'))

    def test_a_message_is_bounded(self):
        self.assertLess(len(self.assert_refused('min_disk', ['x' * 100000])), 300)
        self.assertLess(len(self.assert_refused('tags', ['x' * 100000])), 300)

    @given(st.sampled_from(('id', *BASE, 'level', 'anything')), JSON)
    def test_any_json_value_is_kept_or_invalid(self, name, value):
        try:
            self.validator.value(name, value)
        except exceptions.Invalid as error:
            self.assertTrue(str(error).encode())


class WritableTest(unittest.TestCase):

    def test_attributes_of_the_service(self):
        for name in READ_ONLY:
            with self.subTest(name=name):
                self.assertRaises(exceptions.ReadonlyProperty, properties.check_writable, name)

    def test_reserved_names(self):
        for name in RESERVED:
            with self.subTest(name=name):
                self.assertRaises(exceptions.ReservedProperty, properties.check_writable, name)

    def test_both_are_forbidden(self):
        self.assertTrue(issubclass(exceptions.ReadonlyProperty, exceptions.Forbidden))
        self.assertTrue(issubclass(exceptions.ReservedProperty, exceptions.Forbidden))

    def test_other_names(self):
        for name in (*BASE, 'anything', '', 'Status', 'os_distro', 'OS_GLANCE', 'x_os_glance_y', 'deleted ', '/file'):
            with self.subTest(name=name):
                properties.check_writable(name)

    def test_what_clients_may_read_of_the_internal_names(self):
        self.assertEqual({'os_glance_import_task', 'os_glance_importing_to_stores', 'os_glance_failed_import'},
                         set(properties.SHOWN_INTERNAL))
        self.assertTrue(properties.is_internal('os_glance_stage_host'))
        self.assertFalse(properties.is_internal('os_distro'))


class ClosedSchemaTest(unittest.TestCase):
    def test_properties_outside_the_schema_can_be_switched_off(self):
        class Anything:
            def error(self, value):
                return None
        validator = Validator(['raw'], ['bare'], {'known': Anything()}, others=False)
        self.assertEqual('x', validator.value('known', 'x'))
        self.assertEqual('x', validator.value('name', 'x'))
        self.assertRaises(exceptions.Invalid, validator.value, 'foo', 'x')
