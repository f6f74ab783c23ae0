import unittest

from hypothesis import given, settings
from hypothesis import strategies as st

from glance.wsgi import head
from glance.wsgi.head import HeadError, Limits

REFUSED = {
    'empty request line': (b'\r\nHost: a', '400'),
    'one word': (b'GET', '400'),
    'four words': (b'GET / HTTP/1.1 x\r\nHost: a', '400'),
    'two spaces': (b'GET  / HTTP/1.1\r\nHost: a', '400'),
    'tab for space': (b'GET\t/\tHTTP/1.1\r\nHost: a', '400'),
    'bad method': (b'G(T / HTTP/1.1\r\nHost: a', '400'),
    'lower-case version': (b'GET / http/1.1\r\nHost: a', '400'),
    'version 2': (b'PRI * HTTP/2.0', '505'),
    'version 0.9': (b'GET / HTTP/0.9', '505'),
    'no such version': (b'GET / HTTP/11', '400'),
    'NUL in the target': (b'GET /\0 HTTP/1.1\r\nHost: a', '400'),
    'asterisk': (b'OPTIONS * HTTP/1.1\r\nHost: a', '400'),
    'authority': (b'GET a:80 HTTP/1.1\r\nHost: a', '400'),
    'other scheme': (b'GET ftp://a/ HTTP/1.1\r\nHost: a', '400'),
    'user in the target': (b'GET http://u@a/ HTTP/1.1\r\nHost: a', '400'),
    'CONNECT': (b'CONNECT a:80 HTTP/1.1\r\nHost: a', '405'),
    'no Host': (b'GET / HTTP/1.1', '400'),
    'two Hosts': (b'GET / HTTP/1.1\r\nHost: a\r\nHost: a', '400'),
    'blank in Host': (b'GET / HTTP/1.1\r\nHost: a b', '400'),
    'path in Host': (b'GET / HTTP/1.1\r\nHost: a/b', '400'),
    'no colon': (b'GET / HTTP/1.1\r\nHost: a\r\nfoo', '400'),
    'empty name': (b'GET / HTTP/1.1\r\nHost: a\r\n: x', '400'),
    'space before the colon': (b'GET / HTTP/1.1\r\nHost: a\r\nfoo : x', '400'),
    'folded line': (b'GET / HTTP/1.1\r\nHost: a\r\nfoo: x\r\n y', '400'),
    'folded line with a colon': (b'GET / HTTP/1.1\r\nHost: a\r\nfoo: x\r\n y: z', '400'),
    'bare CR in a value': (b'GET / HTTP/1.1\r\nHost: a\r\nfoo: x\ry', '400'),
    'bare LF in a value': (b'GET / HTTP/1.1\r\nHost: a\r\nfoo: x\ny: z', '400'),
    'NUL in a value': (b'GET / HTTP/1.1\r\nHost: a\r\nfoo: x\0', '400'),
    'DEL in a value': (b'GET / HTTP/1.1\r\nHost: a\r\nfoo: x\x7f', '400'),
    'latin letter in a name': (b'GET / HTTP/1.1\r\nHost: a\r\nf\xf6o: x', '400'),
    'negative length': (b'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: -1', '400'),
    'signed length': (b'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: +1', '400'),
    'hexadecimal length': (b'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1', '400'),
    'empty length': (b'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length:', '400'),
    'list of lengths': (b'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5', '400'),
    'other digits in the length': (b'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: \xb2', '400'),
    'huge length': (b'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ' + b'9' * 30, '400'),
    'two equal lengths': (b'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\ncontent-length: 5', '400'),
    'length and coding': (b'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked', '400'),
    'coding and length': (b'PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 0', '400'),
    'two codings': (b'PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked', '400'),
    'coding in HTTP/1.0': (b'PUT / HTTP/1.0\r\nTransfer-Encoding: chunked', '400'),
    'unknown coding': (b'PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked', '501'),
    'identity': (b'PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity', '501'),
    'disguised coding': (b'PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked', '400'),
    'unknown expectation': (b'PUT / HTTP/1.1\r\nHost: a\r\nExpect: tea', '417'),
    'long request line': (b'GET /' + b'a' * 16384 + b' HTTP/1.1\r\nHost: a', '414'),
    'long header': (b'GET / HTTP/1.1\r\nHost: a\r\nfoo: ' + b'a' * 16384, '431'),
    'many headers': (b'GET / HTTP/1.1\r\nHost: a' + b'\r\nfoo: x' * 200, '431'),
    'large head': (b'GET / HTTP/1.1\r\nHost: a' + (b'\r\nfoo: ' + b'a' * 16000) * 17, '431'),
}


class RefusedHeads(unittest.TestCase):

    def test_each_is_refused_with_its_status(self):
        for name, (data, status) in REFUSED.items():
            with self.subTest(name), self.assertRaises(HeadError) as caught:
                head.parse(data)
            self.assertEqual(status, caught.exception.status[:3], name)

    @given(st.binary(max_size=200))
    def test_any_bytes_parse_or_are_refused(self, data):
        try:
            parsed = head.parse(data)
        except HeadError as error:
            self.assertRegex(error.status, '^[45]')
        else:
            self.assertTrue(data.startswith(parsed.method.encode() + b' '))

    @settings(max_examples=300)
    @given(st.lists(st.sampled_from([
        b'GET ', b'/', b' HTTP/1.1', b'\r\n', b'\n', b'\r', b'Host: a', b'Content-Length: 3',
        b'Transfer-Encoding: chunked',
        b' ', b':', b'\0', b'_', b'http://', b'%00', b'\xff', b'Expect: 100-continue']), max_size=12))
    def test_pieces_of_requests_never_give_two_framings(self, pieces):
        try:
            parsed = head.parse(b''.join(pieces))
        except HeadError:
            return
        self.assertFalse(parsed.chunked and parsed.content_length is not None)


class AcceptedHeads(unittest.TestCase):

    def parse(self, *lines: bytes) -> head.Head:
        return head.parse(b'\r\n'.join(lines))

    def test_request_line(self):
        parsed = self.parse(b'FROB /a%20b?c=d?e HTTP/1.1', b'Host: a')
        self.assertEqual(('FROB', '/a%20b?c=d?e', '/a%20b', 'c=d?e', 'HTTP/1.1'),
                         (parsed.method, parsed.target, parsed.path, parsed.query, parsed.protocol))

    def test_no_version_is_http_1_0(self):
        parsed = self.parse(b'GET /')
        self.assertEqual('HTTP/1.0', parsed.protocol)
        self.assertFalse(parsed.keep_alive)

    def test_later_minor_version_is_http_1_1(self):
        self.assertEqual('HTTP/1.1', self.parse(b'GET / HTTP/1.2', b'Host: a').protocol)

    def test_absolute_target_wins_over_host(self):
        parsed = self.parse(b'GET http://b:81/x?y HTTP/1.1', b'Host: a')
        self.assertEqual(('/x', 'y', 'b:81'), (parsed.path, parsed.query, parsed.headers['HTTP_HOST']))

    def test_absolute_target_without_path(self):
        parsed = self.parse(b'GET http://b?y HTTP/1.1', b'Host: a')
        self.assertEqual(('/', 'y'), (parsed.path, parsed.query))

    def test_headers_become_environ_keys(self):
        parsed = self.parse(b'GET / HTTP/1.1', b'Host: a', b'X-Auth-Token: \t t o \t', b'Content-Type: text/x')
        self.assertEqual({'HTTP_HOST': 'a', 'HTTP_X_AUTH_TOKEN': 't o', 'CONTENT_TYPE': 'text/x'}, parsed.headers)

    def test_repeated_headers_are_joined(self):
        parsed = self.parse(b'GET / HTTP/1.1', b'Host: a', b'A: 1', b'a: 2', b'Cookie: x', b'Cookie: y')
        self.assertEqual(('1,2', 'x; y'), (parsed.headers['HTTP_A'], parsed.headers['HTTP_COOKIE']))

    def test_underscore_cannot_pose_as_a_hyphen(self):
        parsed = self.parse(b'GET / HTTP/1.1', b'Host: a', b'X_Roles: admin', b'X-Roles: reader',
                            b'Content_Length: 7')
        self.assertEqual({'HTTP_HOST': 'a', 'HTTP_X_ROLES': 'reader'}, parsed.headers)
        self.assertIsNone(parsed.content_length)

    def test_bytes_above_ascii_are_latin_1(self):
        parsed = self.parse(b'GET /\xc3\xa4 HTTP/1.1', b'Host: a', b'A: \xc3\xa4')
        self.assertEqual(('/\xc3\xa4', '\xc3\xa4'), (parsed.path, parsed.headers['HTTP_A']))

    def test_framing(self):
        self.assertEqual(12, self.parse(b'PUT / HTTP/1.1', b'Host: a', b'Content-Length: 012').content_length)
        self.assertTrue(self.parse(b'PUT / HTTP/1.1', b'Host: a', b'Transfer-Encoding: Chunked').chunked)

    def test_keep_alive(self):
        for expected, protocol, connection in ((True, b'1.1', None), (False, b'1.1', b'TE, Close'),
                                               (True, b'1.1', b'upgrade'), (False, b'1.0', None),
                                               (True, b'1.0', b'Keep-Alive'), (False, b'1.0', b'keep-alive, close')):
            lines = [b'GET / HTTP/' + protocol, b'Host: a'] + ([b'Connection: ' + connection] if connection else [])
            with self.subTest(protocol=protocol, connection=connection):
                self.assertEqual(expected, self.parse(*lines).keep_alive)

    def test_expectation(self):
        self.assertTrue(self.parse(b'PUT / HTTP/1.1', b'Host: a', b'Expect: 100-Continue').expects_continue)
        self.assertFalse(self.parse(b'PUT / HTTP/1.0', b'Expect: 100-continue').expects_continue)

    def test_exactly_200_headers(self):
        self.assertEqual('GET', head.parse(b'GET / HTTP/1.1\r\nHost: a' + b'\r\nfoo: x' * 199).method)

    def test_zero_means_no_limit_of_a_line(self):
        parsed = head.parse(b'GET / HTTP/1.1\r\nHost: a\r\nfoo: ' + b'a' * 100_000, Limits(line=0))
        self.assertEqual(100_000, len(parsed.headers['HTTP_FOO']))


class UnfinishedHeads(unittest.TestCase):

    def check(self, data: bytes, checked: int = 0) -> None:
        head.check_unfinished(data, checked, Limits(line=100))

    def test_a_good_beginning(self):
        self.check(b'GET / HTTP/1.1\r\nHost: a\r')

    def test_bare_line_feed(self):
        with self.assertRaises(HeadError):
            self.check(b'GET / HTTP/1.1\n')

    def test_line_feed_that_arrives_alone(self):
        self.check(b'GET / HTTP/1.1\r\n', checked=15)
        with self.assertRaises(HeadError):
            self.check(b'GET / HTTP/1.1\n', checked=14)

    def test_lines_that_grow_too_long(self):
        for status, data in (('414', b'a' * 101), ('431', b'GET / HTTP/1.1\r\n' + b'a' * 101),
                             ('431', b'a: b\r\n' * 300)):
            with self.subTest(status), self.assertRaises(HeadError) as caught:
                self.check(data)
            self.assertEqual(status, caught.exception.status[:3])
