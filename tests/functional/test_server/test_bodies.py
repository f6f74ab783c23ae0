import contextlib
import hashlib
import os
import socket

from tests.functional.test_server.running import (
    ServerTestCase,
    SharedServerTestCase,
    assert_soon,
    read_all,
    read_response,
)

CONTENT = os.urandom(1 << 20) * 3 + b'end'


class UploadTest(SharedServerTestCase):

    def check(self, **options):
        status, body, _ = self.server.get('/digest', 'PUT', **options)
        self.assertEqual((200, b'%d %s' % (len(CONTENT), hashlib.sha256(CONTENT).hexdigest().encode())), (status, body))

    def test_with_a_length(self):
        self.check(body=CONTENT)

    def test_in_chunks(self):
        pieces = [CONTENT[at:at + 100_003] for at in range(0, len(CONTENT), 100_003)]
        self.check(body=iter(pieces), encode_chunked=True, headers={'Transfer-Encoding': 'chunked'})

    def test_in_tiny_chunks(self):
        content = CONTENT[:5000]
        reply = self.server.get('/echo', 'PUT', iter([content[at:at + 1] for at in range(5000)]), encode_chunked=True,
                                headers={'Transfer-Encoding': 'chunked'})
        self.assertEqual((200, content), reply[:2])

    def test_continue_is_sent_when_the_body_is_read(self):
        for framing, body in ((b'Content-Length: 3', b'abc'),
                              (b'Transfer-Encoding: chunked', b'3\r\nabc\r\n0\r\n\r\n')):
            with self.server.connect() as sock:
                sock.sendall(b'PUT /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n%s\r\n\r\n' % framing)
                self.assertEqual(b'HTTP/1.1 100 Continue\r\n\r\n', sock.recv(100))
                sock.sendall(body)
                self.assertRegex(read_response(sock), b'(?s)^HTTP/1.1 200 .*abc$')

    def test_no_continue_for_a_refused_request(self):
        with self.server.connect() as sock:
            sock.sendall(b'PUT /refuse HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n')
            reply = read_all(sock)
        self.assertRegex(reply, b'^HTTP/1.1 401 ')
        self.assertEqual(1, reply.count(b'HTTP/1.1'))

    def test_client_gone_in_the_middle(self):
        chunked = b'Transfer-Encoding: chunked\r\n\r\n' + b'186A0\r\n'
        for number, start in enumerate((b'Content-Length: 100000\r\n\r\n', chunked)):
            note = self.server.folder / ('gone-%d' % number)
            with self.server.connect() as sock:
                sock.sendall(b'PUT /consume?note=%s HTTP/1.1\r\nHost: a\r\n%sabc' % (str(note).encode(), start))
            assert_soon(lambda note=note: note.exists() and note.read_text())
            self.assertEqual('ClientDisconnected', note.read_text())

    def test_malformed_chunks(self):
        note = self.server.folder / 'malformed'
        self.server.talk(b'PUT /consume?note=%s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n'
                         b'GET / HTTP/1.1\r\nHost: a\r\n\r\n' % str(note).encode())
        self.assertEqual('Invalid', note.read_text())

    def test_nothing_is_read_behind_malformed_chunks(self):
        note = self.server.folder / 'malformed-too'
        reply = self.server.talk(b'PUT /consume?note=%s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'
                                 b'xyz\r\nGET /pid HTTP/1.1\r\nHost: a\r\n\r\n' % str(note).encode())
        self.assertEqual(1, reply.count(b'HTTP/1.1 '))


class DownloadTest(SharedServerTestCase):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.path = cls.server.folder / 'image'
        cls.path.write_bytes(CONTENT)

    def test_chunked_response(self):
        status, body, headers = self.server.get('/stream?pieces=1000')
        self.assertEqual((200, b''.join(b'piece%d;' % number for number in range(1000)), 'chunked'),
                         (status, body, headers['Transfer-Encoding']))

    def test_whole_file(self):
        status, body, headers = self.server.get('/file?path=%s' % self.path)
        self.assertEqual((200, str(len(CONTENT))), (status, headers['Content-Length']))
        self.assertEqual(hashlib.sha256(CONTENT).digest(), hashlib.sha256(body).digest())

    def test_part_of_a_file(self):
        for offset, length in ((0, 1), (1_000_001, 1_500_000), (len(CONTENT) - 3, 3), (5, 0)):
            body = self.server.get('/file?path=%s&offset=%d&length=%d' % (self.path, offset, length))[1]
            self.assertEqual(CONTENT[offset:offset + length], body)

    def test_head_of_a_file(self):
        status, body, headers = self.server.get('/file?path=%s' % self.path, 'HEAD')
        self.assertEqual((200, b'', str(len(CONTENT))), (status, body, headers['Content-Length']))

    def test_connection_serves_more_after_a_file(self):
        reply = self.server.talk(b'GET /file?path=%s HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n'
                                 % str(self.path).encode())
        self.assertTrue(reply.endswith(b'\r\n\r\nhello'))

    def test_file_that_is_too_short_is_no_clean_end(self):
        reply = self.server.talk(b'GET /file?path=%s&offset=%d&length=100&announce=100 HTTP/1.1\r\nHost: a\r\n\r\n'
                                 b'GET / HTTP/1.1\r\nHost: a\r\n\r\n' % (str(self.path).encode(), len(CONTENT) - 3))
        self.assertNotIn(b'hello', reply)
        assert_soon(lambda: 'ended 97 bytes too early' in self.server.log)

    def test_client_gone_in_the_middle(self):
        note = self.server.folder / 'gone'
        with self.server.connect() as sock:
            sock.sendall(b'GET /endless?note=%s HTTP/1.1\r\nHost: a\r\n\r\n' % str(note).encode())
            sock.recv(100)
        assert_soon(note.exists)

    def test_client_gone_in_the_middle_of_a_file(self):
        descriptors = self.server.process.pid
        before = len(os.listdir('/proc/%d/fd' % descriptors))
        for _ in range(20):
            with self.server.connect() as sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                sock.sendall(b'GET /file?path=%s HTTP/1.1\r\nHost: a\r\n\r\n' % str(self.path).encode())
                sock.recv(10)
        assert_soon(lambda: len(os.listdir('/proc/%d/fd' % descriptors)) <= before)


class StalledDownloadTest(ServerTestCase):

    def test_client_that_takes_nothing_of_a_file(self):
        server = self.start(client_socket_timeout=1)
        path = server.folder / 'image'
        with open(path, 'wb') as file:
            file.truncate(1 << 30)
        with contextlib.closing(socket.socket()) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect(('127.0.0.1', server.port))
            sock.sendall(b'GET /file?path=%s HTTP/1.1\r\nHost: a\r\n\r\n' % str(path).encode())
            assert_soon(lambda: not any(each.path == str(path) for each in _open_files(server)) and _served(server))


def _open_files(server):
    import psutil
    return psutil.Process(server.process.pid).open_files()


def _served(server) -> bool:
    return server.get()[0] == 200
