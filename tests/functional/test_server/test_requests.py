import contextlib
import email.utils
import http.client
import json
import re
import socket
import time

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.functional.test_server.running import SECONDS, SharedServerTestCase, assert_soon, read_all, read_response

SMUGGLING = {
    'two lengths': b'Content-Length: 6\r\nContent-Length: 5\r\n',
    'length and coding': b'Content-Length: 6\r\nTransfer-Encoding: chunked\r\n',
    'coding with a tab': b'Content-Length: 6\r\nTransfer-Encoding:\tchunked\r\n',
    'coding with a space before the colon': b'Content-Length: 6\r\nTransfer-Encoding : chunked\r\n',
    'folded coding': b'Content-Length: 6\r\nTransfer-Encoding:\r\n chunked\r\n',
    'second coding': b'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n',
    'coding behind a bare line feed': b'X: y\nTransfer-Encoding: chunked\r\n',
    'coding behind a bare carriage return': b'X: y\rTransfer-Encoding: chunked\r\n',
    'list of lengths': b'Content-Length: 6, 6\r\n',
    'signed length': b'Content-Length: +6\r\n',
}


class RequestTest(SharedServerTestCase):
    options = {'workers': 1}

    def test_response_head(self):
        status, body, headers = self.server.get()
        self.assertEqual((200, b'hello', '5', None), (status, body, headers['Content-Length'], headers['Connection']))
        self.assertIsNotNone(email.utils.parsedate_to_datetime(headers['Date']))

    def test_environ(self):
        environ = json.loads(self.server.get('/%65nviron?a=%20', 'FROB', headers={'X-Y': 'z', 'X_Z': 'a'})[1])
        self.assertEqual(('FROB', '/environ', 'a=%20', '/%65nviron?a=%20', 'z', '127.0.0.1'),
                         tuple(environ[key] for key in ('REQUEST_METHOD', 'PATH_INFO', 'QUERY_STRING', 'RAW_URI',
                                                        'HTTP_X_Y', 'REMOTE_ADDR')))
        self.assertNotIn('HTTP_X_Z', environ)
        self.assertNotIn('CONTENT_LENGTH', environ)

    def test_keep_alive(self):
        client = self.server.client()
        with contextlib.closing(client):
            client.connect()
            port = client.sock.getsockname()
            for _ in range(20):
                client.request('POST', '/echo', b'x' * 1000)
                self.assertEqual(b'x' * 1000, client.getresponse().read())
            self.assertEqual(port, client.sock.getsockname())

    def test_close_when_asked(self):
        reply = self.server.talk(b'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'
                                 b'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
        self.assertEqual(1, reply.count(b'HTTP/1.1 200'))
        self.assertIn(b'\r\nConnection: close\r\n', reply)

    def test_http_1_0(self):
        self.assertIn(b'Connection: close', self.server.talk(b'GET / HTTP/1.0\r\n\r\n'))
        self.assertIn(b'Connection: keep-alive', self.server.talk(b'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n'))
        reply = self.server.talk(b'GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
        self.assertTrue(reply.endswith(b'\r\n\r\npiece0;piece1;piece2;'), reply)
        self.assertNotIn(b'chunked', reply)

    def test_pipelining(self):
        reply = self.server.talk(b'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\none'
                                 b'POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'
                                 b'3\r\ntwo\r\n0\r\n\r\n'
                                 b'\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n')
        self.assertEqual([b'one', b'two', b'hello'], re.findall(rb'\r\n\r\n(one|two|hello)', reply))

    def test_head_has_no_body(self):
        for target in ('/', '/stream'):
            reply = self.server.talk(b'HEAD %s HTTP/1.1\r\nHost: a\r\n\r\n' % target.encode())
            self.assertTrue(reply.startswith(b'HTTP/1.1 200') and reply.endswith(b'\r\n\r\n'), reply)
            self.assertEqual(1, reply.count(b'\r\n\r\n'))

    def test_statuses_without_a_body(self):
        reply = self.server.talk(b'GET /no-content HTTP/1.1\r\nHost: a\r\n\r\n'
                                 b'GET /not-modified HTTP/1.1\r\nHost: a\r\n\r\n')
        self.assertEqual(2, reply.count(b'\r\n\r\n'))
        self.assertNotIn(b'Content-Length', reply)
        self.assertNotIn(b'ignored', reply)

    def test_write_callable(self):
        self.assertEqual(b'abcdef', self.server.get('/write')[1])

    def test_errors_of_the_application(self):
        for page in ('/boom', '/split', '/silent'):
            status, body, headers = self.server.get(page)
            self.assertEqual((500, 'close'), (status, headers['Connection']), page)
            self.assertNotIn(b'secret', body)

    def test_no_clean_end_for_what_is_incomplete(self):
        for page in ('/short', '/boom-late'):
            with self.assertRaises((http.client.IncompleteRead, ConnectionError)):
                self.server.get(page)

    def test_excess_is_cut_off(self):
        reply = self.server.talk(b'GET /long HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n')
        self.assertTrue(reply.endswith(b'\r\n\r\nabc'), reply)

    def test_unread_small_body_keeps_the_connection(self):
        reply = self.server.talk(b'POST /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc'
                                 b'POST /refuse HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'
                                 b'3\r\nabc\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n')
        self.assertTrue(reply.endswith(b'hello'), reply)

    def test_answer_to_a_large_unread_body_arrives(self):
        with self.server.connect() as sock:
            sock.sendall(b'POST /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n')
            with contextlib.suppress(ConnectionError):
                for _ in range(40):
                    sock.sendall(bytes(1 << 16))
            self.assertTrue(sock.recv(1000).startswith(b'HTTP/1.1 401'))


class RefusalTest(SharedServerTestCase):
    options = {'workers': 1}

    def test_smuggling(self):
        smuggled = b'0\r\n\r\nGET /pid HTTP/1.1\r\nHost: a\r\n\r\n'
        for name, headers in SMUGGLING.items():
            with self.subTest(name):
                reply = self.server.talk(b'POST /echo HTTP/1.1\r\nHost: a\r\n%s\r\n%s' % (headers, smuggled))
                self.assertEqual(1, reply.count(b'HTTP/1.1 '), reply)
                self.assertRegex(reply, rb'^HTTP/1.1 400 ')
                self.assertIn(b'Connection: close', reply)

    def test_statuses(self):
        for status, data in ((414, b'GET /' + b'a' * 20000), (431, b'GET / HTTP/1.1\r\nA: ' + b'a' * 20000),
                             (431, b'GET / HTTP/1.1\r\n' + b'A: b\r\n' * 300 + b'\r\n'),
                             (505, b'GET / HTTP/2.0\r\n\r\n'), (405, b'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n'),
                             (400, b'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n'), (400, b'\x16\x03\x01\x02\0\n'),
                             (501, b'PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n'),
                             (417, b'PUT / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n')):
            with self.subTest(data[:40]):
                self.assertEqual(str(status).encode(), self.server.talk(data)[9:12])

    @settings(max_examples=150, deadline=None)
    @given(st.one_of(st.binary(max_size=100), st.lists(st.sampled_from([
        b'GET / HTTP/1.1\r\n', b'POST /echo HTTP/1.1\r\n', b'Host: a\r\n', b'Content-Length: 3\r\n', b'\r\n', b'abc',
        b'0\r\n', b'Transfer-Encoding: chunked\r\n', b'3\r\nabc\r\n', b'\n', b'\0', b': ', b' ',
        b'Expect: 100-continue\r\n',
        b'Connection: close\r\n', b'ffffffff\r\n']), max_size=12).map(b''.join)))
    def test_whatever_comes_is_answered_or_closed(self, data):
        reply = self.server.talk(data)
        if reply:
            self.assertRegex(reply, rb'^HTTP/1\.1 (100|200|4..|500|501|505) ')
        self.assertEqual(200, self.server.get()[0])

    def test_worker_has_survived(self):
        before = self.server.get('/pid')[1]
        for headers in SMUGGLING.values():
            self.server.talk(b'POST /echo HTTP/1.1\r\n' + headers + b'\r\n')
        self.assertEqual(before, self.server.get('/pid')[1])


class TimeoutTest(SharedServerTestCase):
    options = {'workers': 1, 'header_timeout': 1, 'keepalive_timeout': 1, 'client_socket_timeout': 1,
               'http_keepalive': True}

    def test_slow_head_gets_408(self):
        with self.server.connect() as sock:
            sock.sendall(b'GET / HTTP/1.1\r\nHo')
            self.assertRegex(read_all(sock), b'^HTTP/1.1 408 ')

    def test_dripping_does_not_prolong_the_time(self):
        with self.server.connect() as sock:
            sock.settimeout(0.1)
            reply, give_up = b'', time.monotonic() + SECONDS
            while not reply and time.monotonic() < give_up:
                with contextlib.suppress(TimeoutError, ConnectionError):
                    sock.send(b'a')
                    reply = sock.recv(1000)
            self.assertRegex(reply, b'^HTTP/1.1 408 ')

    def test_silent_connection_is_closed(self):
        with self.server.connect() as sock:
            self.assertEqual(b'', read_all(sock))

    def test_idle_kept_connection_is_closed_cleanly(self):
        with self.server.connect() as sock:
            sock.sendall(b'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
            self.assertRegex(read_response(sock), b'^HTTP/1.1 200 ')
            self.assertEqual(b'', sock.recv(10))

    def test_stalled_small_body_gets_408(self):
        with self.server.connect() as sock:
            sock.sendall(b'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc')
            self.assertRegex(read_all(sock), b'^HTTP/1.1 408 ')

    def test_stalled_large_body_is_a_disconnect_for_the_application(self):
        note = self.server.folder / 'stalled'
        with self.server.connect() as sock:
            sock.sendall(b'POST /consume?note=%s HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nabc'
                         % str(note).encode())
            read_all(sock)
        self.assertEqual('ClientDisconnected', note.read_text())

    def test_stalled_download_ends(self):
        note = self.server.folder / 'closed'
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect(('127.0.0.1', self.server.port))
            sock.sendall(b'GET /endless?note=%s HTTP/1.1\r\nHost: a\r\n\r\n' % str(note).encode())
            assert_soon(note.exists)


class NoKeepAliveTest(SharedServerTestCase):
    options = {'http_keepalive': False}

    def test_every_response_closes(self):
        reply = self.server.talk(b'GET / HTTP/1.1\r\nHost: a\r\n\r\n' * 2)
        self.assertEqual(1, reply.count(b'HTTP/1.1 200'))
        self.assertIn(b'\r\nConnection: close\r\n', reply)
