import socket
import unittest

from hypothesis import given
from hypothesis import strategies as st

from glance.exceptions import ClientDisconnected, Invalid
from glance.wsgi.body import ChunkedBody, LengthBody
from glance.wsgi.connection import Connection

GARBAGE = {
    'no size': b'\r\n\r\n',
    'no number': b'x\r\na\r\n0\r\n\r\n',
    'negative': b'-1\r\na\r\n0\r\n\r\n',
    'prefix': b'0x1\r\na\r\n0\r\n\r\n',
    'underscore': b'1_0\r\n' + b'a' * 16 + b'\r\n0\r\n\r\n',
    'overflow': b'F' * 17 + b'\r\na\r\n0\r\n\r\n',
    'bare line feed': b'1\na\n0\n\n',
    'data longer than its size': b'1\r\nab\r\n0\r\n\r\n',
    'long extension': b'1;' + b'x' * 5000 + b'\r\na\r\n0\r\n\r\n',
    'control character in an extension': b'1;\0\r\na\r\n0\r\n\r\n',
    'large trailer': b'0\r\n' + b'a: b\r\n' * 5000 + b'\r\n',
}


class BodyTestCase(unittest.TestCase):
    """A body over a pair of sockets; ``self.client`` is the other end."""

    def setUp(self):
        ours, self.client = socket.socketpair()
        self.connection = Connection(ours, ('', ''), 5)
        self.addCleanup(self.connection.close)
        self.addCleanup(self.client.close)

    def send(self, data: bytes, buffered: bytes = b'') -> None:
        """All that the client ever sends; ``buffered`` has come with the head."""
        self.connection.buffer = buffered
        self.client.sendall(data)
        self.client.shutdown(socket.SHUT_WR)

    def chunked(self, data: bytes, buffered: bytes = b'') -> ChunkedBody:
        self.send(data, buffered)
        return ChunkedBody(self.connection, False)

    def sized(self, length: int, data: bytes, buffered: bytes = b'') -> LengthBody:
        self.send(data, buffered)
        return LengthBody(self.connection, length, False)


class SizedBodies(BodyTestCase):

    def test_read_all(self):
        body = self.sized(6, b'def', buffered=b'abc')
        self.assertEqual(b'abcdef', body.read())
        self.assertEqual(b'', body.read())
        self.assertTrue(body.finished)

    def test_bytes_behind_the_body_stay(self):
        body = self.sized(2, b'', buffered=b'abGET')
        self.assertEqual(b'ab', body.read(100))
        self.assertEqual(b'GET', self.connection.buffer)

    def test_read_in_pieces(self):
        body = self.sized(5, b'abcde')
        self.assertEqual([b'ab', b'', b'cd', b'e', b''], [body.read(size) for size in (2, 0, 2, 2, 2)])

    def test_readinto_fills_the_callers_buffer(self):
        body = self.sized(5, b'abcde')
        buffer = bytearray(4)
        self.assertEqual(4, body.readinto(memoryview(buffer)))
        self.assertEqual(b'abcd', buffer)
        self.assertEqual(1, body.readinto(memoryview(buffer)))
        self.assertEqual(0, body.readinto(memoryview(buffer)))

    def test_lines(self):
        body = self.sized(9, b'a\nbc\n\nd\ne')
        self.assertEqual(b'a\n', body.readline())
        self.assertEqual(b'b', body.readline(1))
        self.assertEqual(b'c\n', body.read(2))
        self.assertEqual([b'\n', b'd\n', b'e'], list(body))

    def test_readlines_stops_after_the_hint(self):
        body = self.sized(6, b'a\nb\nc\n')
        self.assertEqual([b'a\n', b'b\n'], body.readlines(3))
        self.assertEqual([b'c\n'], body.readlines())

    def test_early_end_is_an_error_and_stays_one(self):
        body = self.sized(5, b'abc')
        self.assertEqual(b'abc', body.read(3))
        for _ in range(2):
            with self.assertRaises(ClientDisconnected):
                body.read(1)

    def test_early_end_is_no_end_of_a_line(self):
        with self.assertRaises(ClientDisconnected):
            list(self.sized(5, b'abc'))

    def test_stalled_client(self):
        self.connection._prepare(1)
        with self.assertRaisesRegex(ClientDisconnected, 'too long'):
            LengthBody(self.connection, 5, False).read()

    def test_continue_is_sent_at_the_first_read_only(self):
        self.client.sendall(b'abc')
        body = LengthBody(self.connection, 3, True)
        self.client.setblocking(False)
        with self.assertRaises(BlockingIOError):
            self.client.recv(100)
        body.read(1)
        body.read(1)
        self.assertEqual(b'HTTP/1.1 100 Continue\r\n\r\n', self.client.recv(100))

    def test_discard(self):
        self.assertTrue(self.sized(5, b'abcde').discard(5, 5))

    def test_discard_of_too_much(self):
        self.assertFalse(self.sized(5, b'abcde').discard(4, 5))

    def test_discard_leaves_a_client_alone_that_waits_for_continue(self):
        self.assertFalse(LengthBody(self.connection, 5, True).discard(10, 5))


class ChunkedBodies(BodyTestCase):

    def test_chunks_extensions_and_trailer(self):
        body = self.chunked(b'3\r\nabc\r\nA ;x="y"\r\n0123456789\r\n0\r\nA: b\r\n\r\n')
        self.assertEqual(b'abc0123456789', body.read())
        self.assertTrue(body.finished)

    def test_what_follows_stays_for_the_next_request(self):
        body = self.chunked(b'\r\n\r\nGET /', buffered=b'1\r\na\r\n0')
        self.assertEqual(b'a', body.read())
        self.assertEqual(b'GET /', self.connection.buffer)

    def test_empty_body(self):
        self.assertEqual(b'', self.chunked(b'0\r\n\r\n').read())

    def test_what_has_arrived_is_not_held_back(self):
        self.client.sendall(b'3\r\nabc\r\n')
        body = ChunkedBody(self.connection, False)
        self.assertEqual(3, body.readinto(bytearray(100)))

    def test_garbage_is_refused_and_stays_refused(self):
        for name, data in GARBAGE.items():
            with self.subTest(name):
                self.setUp()
                body = self.chunked(data)
                for _ in range(2):
                    with self.assertRaises(Invalid):
                        body.read()

    def test_every_cut_is_an_error(self):
        whole = b'3\r\nabc\r\n2;x\r\nde\r\n0\r\nA: b\r\n\r\n'
        for length in range(len(whole)):
            with self.subTest(length):
                self.setUp()
                with self.assertRaises(ClientDisconnected):
                    self.chunked(whole[:length]).read()

    @given(st.lists(st.binary(min_size=1, max_size=300), max_size=8), st.integers(1, 200), st.integers(0, 40))
    def test_any_division_gives_the_same_bytes(self, chunks, step, buffered):
        self.setUp()
        data = b''.join(b'%x\r\n%s\r\n' % (len(chunk), chunk) for chunk in chunks) + b'0\r\n\r\n'
        body = self.chunked(data[buffered:], buffered=data[:buffered])
        self.assertEqual(b''.join(chunks), b''.join(iter(lambda: body.read(step), b'')))
        self.doCleanups()

    @given(st.binary(max_size=100))
    def test_any_bytes_are_read_or_refused(self, data):
        self.setUp()
        try:
            self.assertLess(len(self.chunked(data).read()), len(data))
        except (ClientDisconnected, Invalid):
            pass
        self.doCleanups()
