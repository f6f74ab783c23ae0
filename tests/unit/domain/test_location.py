"""Locations as clients describe them."""
import unittest

from hypothesis import given
from hypothesis import strategies as st

from glance import exceptions
from glance.domain.image import Image, Location
from glance.domain.location import NewLocation, Validation, insert, remove, replace

SHA512 = 'a' * 128
parts = st.none() | st.booleans() | st.integers() | st.text() | st.dictionaries(st.text(), st.text())
names = st.sampled_from(('url', 'metadata', 'validation_data', 'os_hash_algo', 'os_hash_value', 'checksum', 'store', 'other'))
documents = st.recursive(parts, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner), max_leaves=10)


def image(status='queued', **values):
    made = Image('i', status=status, disk_format='raw', container_format='bare', **values)
    made.remember()
    return made


class ParseTest(unittest.TestCase):

    @given(documents)
    def test_any_document(self, document):
        for value in (document, {'url': 'http://x', 'metadata': document}, {'url': 'http://x', 'metadata': {'a': document}},
                      {'url': 'http://x', 'metadata': {}, 'validation_data': document}):
            try:
                self.assertIsInstance(NewLocation.parse(value).url, str)
            except exceptions.Invalid:
                pass
        for value in ({'url': document}, {'url': 'x', 'validation_data': document}):
            try:
                self.assertIsInstance(NewLocation.parse_import(value).url, str)
            except exceptions.Invalid:
                pass

    def test_depth(self):
        NewLocation.parse({'url': 'x', 'metadata': {'a': {'b': [['c']]}}})
        with self.assertRaises(exceptions.Invalid):
            NewLocation.parse({'url': 'x', 'metadata': {'a': {'b': [['c', []]]}}})


class ValidationTest(unittest.TestCase):

    def test_digests_are_kept_in_lower_case(self):
        known = image()
        Validation('sha512', SHA512.upper(), 'C' * 32).apply_to(known, 'sha512')
        self.assertEqual((SHA512, 'c' * 32), (known.os_hash_value, known.checksum))
        Validation('sha512', SHA512.upper(), 'C' * 32).apply_to(known, 'sha512')

    def test_problem(self):
        for algorithm, value, checksum, good in (
                ('sha512', SHA512, None, True), ('sha512', SHA512, 'b' * 32, True), ('md5', 'A' * 32, None, True),
                ('sha512', 'a' * 127, None, False), ('sha512', 'g' * 128, None, False), ('sha512', 'a\n' * 64, None, False),
                ('nonsense', SHA512, None, False), ('sha512', SHA512, 'x' * 32, False), ('shake_128', 'aa', None, False)):
            self.assertEqual(good, Validation(algorithm, value, checksum).problem() is None, (algorithm, value))

    def test_values_that_are_known_already(self):
        known = image('active', os_hash_algo='sha512', os_hash_value=SHA512)
        Validation('sha512', SHA512).apply_to(known, 'sha256')
        for wrong in (Validation('sha512', 'b' * 128), Validation('sha256', SHA512), Validation('sha512', SHA512, 'c' * 32)):
            with self.assertRaises(exceptions.Conflict):
                wrong.apply_to(known, 'sha512')
        self.assertIsNone(known.checksum)


class ChangeTest(unittest.TestCase):

    def test_first_location_needs_formats(self):
        for missing in ('disk_format', 'container_format'):
            bare = image()
            setattr(bare, missing, None)
            with self.assertRaises(exceptions.Invalid):
                insert(bare, [], None, NewLocation('x', {}), 'sha512')

    def test_replacement_keeps_what_is_stored(self):
        found = image('active', locations=[Location('a', id=1), Location('a', {'x': 'y'}, id=2), Location('b', id=3)])
        replace(found, list(found.locations), [NewLocation('b', {}), NewLocation('a', {'new': 'z'}), NewLocation('a', {})], 'sha512')
        self.assertEqual([('b', 3), ('a', 1), ('a', 2)], [(each.url, each.id) for each in found.locations])
        self.assertEqual([{}, {'new': 'z'}, {}], [each.metadata for each in found.locations])
        self.assertTrue(found.changes.reordered_locations)

    def test_statuses(self):
        for status in ('saving', 'uploading', 'importing', 'deactivated', 'killed', 'pending_delete', 'deleted'):
            found = image(status, locations=[Location('a', id=1), Location('b', id=2)])
            for change in (lambda: insert(found, list(found.locations), 0, NewLocation('c', {}), 'sha512'),
                           lambda: replace(found, list(found.locations), [NewLocation('a', {})], 'sha512'),
                           lambda: remove(found, list(found.locations), 0)):
                with self.assertRaises(exceptions.StatusConflict):
                    change()
