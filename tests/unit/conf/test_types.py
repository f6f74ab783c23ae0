import ipaddress
import string
import unittest

from hypothesis import given
from hypothesis import strategies as st

from glance.conf import types

WORDS = st.text(string.ascii_letters + string.digits + '_-:.', min_size=1)


class BracketListTest(unittest.TestCase):
    @given(st.lists(WORDS))
    def test_brackets_make_no_difference(self, words):
        read = types.BracketList()
        self.assertEqual(words, read('[%s]' % ','.join(words)))
        self.assertEqual(words, read(','.join(words)))

    def test_blanks_and_quotes_around_items_are_no_part_of_them(self):
        self.assertEqual(['a', 'b', 'c'], types.BracketList()(' [ a , "b", \'c\' ] '))

    def test_one_bracket_alone_is_refused(self):
        for text in ('[a,b', 'a,b]'):
            with self.subTest(text), self.assertRaises(ValueError):
                types.BracketList()(text)

    def test_items_are_checked(self):
        read = types.BracketList(types.types.Integer(1, 65535))
        self.assertEqual([80, 443], read('80, 443'))
        with self.assertRaises(ValueError):
            read('80,70000')


class ParseSizeTest(unittest.TestCase):
    @given(st.integers(0), st.sampled_from(['', 'B', 'KB', 'MB', 'GB', 'TB']))
    def test_units_are_powers_of_1024(self, number, unit):
        factor = 1024 ** {'': 0, 'B': 0, 'KB': 1, 'MB': 2, 'GB': 3, 'TB': 4}[unit]
        self.assertEqual(number * factor, types.parse_size('%d%s' % (number, unit)))

    def test_anything_else_is_refused(self):
        for text in ('', '10 GB', '10gb', '10K', '-1', '1.5GB', '10GB ', '10GB\n', '1PB'):
            with self.subTest(text), self.assertRaises(ValueError):
                types.parse_size(text)


class ValueTest(unittest.TestCase):
    def test_hash_names_are_those_of_hashlib_with_a_fixed_length(self):
        self.assertEqual('sha256', types.HashName()('sha256'))
        for name in ('sha513', 'shake_128', ''):
            with self.subTest(name), self.assertRaises(ValueError):
                types.HashName()(name)

    def test_an_aes_key_is_counted_in_bytes(self):
        for key in ('k' * 16, 'k' * 24, 'k' * 32, 'ü' * 8):
            self.assertEqual(key, types.AESKey()(key))
        for key in ('', 'k' * 15, 'k' * 33, 'ü' * 16 + 'k'):
            with self.subTest(len(key)), self.assertRaises(ValueError) as caught:
                types.AESKey()(key)
            if key:
                self.assertNotIn(key, str(caught.exception))

    def test_a_directory_uri_is_local_and_absolute(self):
        self.assertEqual('file:///srv/staging', types.DirectoryURI()('file:///srv/staging'))
        for uri in ('/srv/staging', 'file://srv/staging', 'http://host/staging', 'file:srv', ''):
            with self.subTest(uri), self.assertRaises(ValueError):
                types.DirectoryURI()(uri)

    def test_a_network_is_an_address_or_a_cidr(self):
        self.assertEqual(ipaddress.ip_network('192.0.2.0/24'), types.Network()('192.0.2.0/24'))
        self.assertEqual(ipaddress.ip_network('::1/128'), types.Network()('::1'))
        for text in ('192.0.2.1/24', 'proxy', ''):
            with self.subTest(text), self.assertRaises(ValueError):
                types.Network()(text)
