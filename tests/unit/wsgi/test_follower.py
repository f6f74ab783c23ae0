import socket
import unittest

from glance.wsgi.connection import Connection
from glance.wsgi.follower import follower
from glance.wsgi.head import Limits

GET = b'GET /a?b HTTP/1.1\r\nHost: c\r\n\r\n'
POST = b'POST /a HTTP/1.1\r\nHost: c\r\nContent-Length: 3\r\n\r\n'
FOR_THE_HUB = {
    'nothing': b'',
    'a part of a head': GET[:-2],
    'a part of a body': POST + b'xy',
    'an empty line before the head': b'\r\n' + GET,
    'a mistake': b'GET /a HTTP/1.1\r\n\r\n',
    'a long line': b'GET /a HTTP/1.1\r\nHost: c\r\nX: ' + b'y' * 200 + b'\r\n\r\n',
    'a body in chunks': b'POST /a HTTP/1.1\r\nHost: c\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'a body that waits': POST.replace(b'\r\n\r\n', b'\r\nExpect: 100-continue\r\n\r\n') + b'xyz',
}


class FollowerTest(unittest.TestCase):

    def setUp(self):
        ours, self.client = socket.socketpair()
        self.connection = Connection(ours, ('', ''), 5)
        self.connection.requests = 1
        self.addCleanup(self.connection.close)
        self.addCleanup(self.client.close)

    def follower(self, seconds: float = 0):
        return follower(self.connection, seconds, Limits(line=100))

    def test_whole_requests_are_taken_one_by_one(self):
        self.client.sendall(GET + POST + b'xyz' + GET)
        taken = [self.follower() for _ in range(3)]
        self.assertEqual([('GET', '/a', 'b', b''), ('POST', '/a', '', b'xyz'), ('GET', '/a', 'b', b'')],
                         [(head.method, head.path, head.query, body.read()) for head, body in taken])
        self.assertEqual((b'', 4), (self.connection.buffer, self.connection.requests))
        self.assertIsNone(self.follower())

    def test_one_that_comes_a_moment_later(self):
        self.assertIsNone(self.follower())
        self.client.sendall(GET)
        self.assertEqual('GET', self.follower(60)[0].method)

    def test_everything_else_is_left_for_the_hub(self):
        for name, data in FOR_THE_HUB.items():
            with self.subTest(name):
                self.client.sendall(data)
                self.assertIsNone(self.follower())
                self.assertEqual((data, 1), (self.connection.buffer, self.connection.requests))
                self.connection.buffer = b''

    def test_the_end_is_left_for_the_hub(self):
        self.client.close()
        self.assertIsNone(self.follower(60))
        self.assertEqual(b'', self.connection.receive_now(1))
