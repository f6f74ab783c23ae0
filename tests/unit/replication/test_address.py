import unittest

from glance.replication.address import Address
from glance.replication.errors import ReplicationFailed


class AddressTest(unittest.TestCase):

    def test_valid(self):
        for text, expected in (
                ('controller:9292', 'http://controller:9292'), ('10.0.0.1:80', 'http://10.0.0.1:80'),
                ('image-1.example.com:9292', 'http://image-1.example.com:9292'), ('[2001:db8::1]:9292', 'http://[2001:db8::1]:9292'),
                ('http://controller:9292', 'http://controller:9292'), ('https://controller', 'https://controller:443'),
                ('https://example.com/image/', 'https://example.com:443/image'),
                ('https://example.com:9292/image/v2', 'https://example.com:9292/image'),
                ('HTTP://[::1]:9292/v2.9/', 'http://[::1]:9292')):
            with self.subTest(text):
                self.assertEqual(expected, str(Address.parse(text)))

    def test_not_an_address(self):
        for text in ('', 'controller', ':9292', 'controller:', 'controller:port', 'controller:99999', 'controller:0', '[::1]',
                     '[::1:9292', '::1:9292', '[10.0.0.1]:9292', '256.0.0.1:9292', '1.2.3:9292', 'a_b:9292', '-a:9292', 'a-:9292',
                     'a..b:9292', 'user@host:9292', 'host:9292/path', 'host:9292?x', 'ftp://host:9292', 'https://', 'file:///etc',
                     'https://user:password@host', 'https://host/?x=1', 'https://host/#x', 'ho st:9292', 'host:92\n92'):
            with self.subTest(text), self.assertRaisesRegex(ReplicationFailed, 'HOST:PORT'):
                Address.parse(text)
