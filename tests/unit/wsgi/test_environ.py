import ipaddress
import types
import unittest

from glance.wsgi import head
from glance.wsgi.environ import EnvironBuilder


def connection(host: str = '192.0.2.7', scheme: str = 'http') -> types.SimpleNamespace:
    return types.SimpleNamespace(peer=(host, '4711'), scheme=scheme, client_names=None)


class EnvironTest(unittest.TestCase):

    def build(self, target: bytes = b'/', headers: tuple[bytes, ...] = (), peer=None, **options) -> dict:
        builder = EnvironBuilder(('192.0.2.1', 9292), False, **options)
        parsed = head.parse(b'\r\n'.join((b'GET %s HTTP/1.1' % target, b'Host: a', *headers)))
        return builder.build(parsed, peer or connection(), body := object()) | {'body': body}

    def test_what_pep_3333_asks_for(self):
        environ = self.build(b'/a?b=%20')
        self.assertIs(environ['body'], environ['wsgi.input'])
        self.assertEqual(('GET', '', '/a', 'b=%20', '192.0.2.1', '9292', 'HTTP/1.1', 'http'),
                         tuple(environ[key] for key in (
                             'REQUEST_METHOD', 'SCRIPT_NAME', 'PATH_INFO', 'QUERY_STRING', 'SERVER_NAME', 'SERVER_PORT',
                             'SERVER_PROTOCOL', 'wsgi.url_scheme')))
        self.assertEqual(('192.0.2.7', '4711'), (environ['REMOTE_ADDR'], environ['REMOTE_PORT']))
        self.assertNotIn('wsgi.file_wrapper', environ)
        self.assertTrue(environ['wsgi.input_terminated'])

    def test_path_is_decoded_once_as_latin_1(self):
        environ = self.build(b'/%C3%A4%252F%2f')
        self.assertEqual('/\xc3\xa4%2F/', environ['PATH_INFO'])
        self.assertEqual('/%C3%A4%252F%2f', environ['RAW_URI'])
        self.assertEqual('/%C3%A4%252F%2f', environ['REQUEST_URI'])

    def test_scheme_from_the_proxy(self):
        for expected, value in (('https', b'https'), ('https', b'HTTPS'), ('http', b'javascript'), ('http', b'')):
            environ = self.build(headers=(b'X-Forwarded-Proto: ' + value,), scheme_key='HTTP_X_FORWARDED_PROTO')
            self.assertEqual(expected, environ['wsgi.url_scheme'])

    def test_scheme_of_the_proxy_is_ignored_unless_asked_for(self):
        self.assertEqual('http', self.build(headers=(b'X-Forwarded-Proto: https',))['wsgi.url_scheme'])

    def test_only_trusted_proxies_may_forward(self):
        headers = (b'X-Forwarded-Proto: https', b'X-Forwarded-For: 198.51.100.1', b'Forwarded: for=198.51.100.1')
        options = {'scheme_key': 'HTTP_X_FORWARDED_PROTO', 'trusted_proxies': [ipaddress.ip_network('192.0.2.0/24')]}
        trusted = self.build(headers=headers, **options)
        self.assertEqual(('https', '198.51.100.1'), (trusted['wsgi.url_scheme'], trusted['HTTP_X_FORWARDED_FOR']))
        stranger = self.build(headers=headers, peer=connection('203.0.113.9'), **options)
        self.assertEqual('http', stranger['wsgi.url_scheme'])
        self.assertFalse({'HTTP_X_FORWARDED_PROTO', 'HTTP_X_FORWARDED_FOR', 'HTTP_FORWARDED'} & set(stranger))

    def test_tls(self):
        self.assertEqual('https', self.build(peer=connection(scheme='https'))['wsgi.url_scheme'])
