"""The client of the registry meets every kind of peer: each ends in an answer or in one error, in time."""
import contextlib
import gzip
import json
import socket
import threading
import time
import unittest

from glance import exceptions
from glance.db.interface import ImageQuery
from glance.db.remote.database import RemoteDatabase
from glance.db.remote.endpoints import Endpoint, Limits
from glance.db.remote.identity import Nobody
from glance.db.remote.registry import Registry
from glance.db.wire.operations import OPERATIONS
from tests.db_conformance.base import ADMIN

SECONDS = 60


def answer(body: object, status: str = '200 OK', head: str = '') -> bytes:
    """An answer as a registry frames it."""
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return b'HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n' % (status.encode(), len(text), head.encode()) + text


def chunked(*pieces: bytes) -> bytes:
    return b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n' + b''.join(
        b'%x\r\n%s\r\n' % (len(piece), piece) for piece in pieces) + b'0\r\n\r\n'


USAGE = [{'_result': {'storage': 5}}]


class Peer:
    """Takes connections on loopback and answers each request with the next of ``answers``; the last is for all that follow.

    An answer is bytes, a tuple of bytes to send before closing, ``None`` to close without one, or a threading.Event to
    wait for before closing.
    """

    def __init__(self, *answers, port=0):
        self.answers, self.requests, self.connections, self.closed = list(answers), [], 0, threading.Event()
        self._listener = socket.create_server(('127.0.0.1', port))
        self.port = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection, contextlib.suppress(OSError):
            while request := self._read(connection):
                with self._lock:
                    self.requests.append(request)
                    reply = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if isinstance(reply, threading.Event):
                    reply.wait(SECONDS)
                    return
                if reply is None or isinstance(reply, tuple):
                    connection.sendall(b''.join(reply or ()))
                    connection.shutdown(socket.SHUT_RDWR)
                    self.closed.set()
                    return
                connection.sendall(reply)

    def _read(self, connection):
        data = b''
        while b'\r\n\r\n' not in data:
            piece = connection.recv(65536)
            if not piece:
                return b''
            data += piece
        head, _, body = data.partition(b'\r\n\r\n')
        length = int(head.lower().partition(b'content-length: ')[2].partition(b'\r\n')[0])
        while len(body) < length:
            body += connection.recv(65536)
        return head + b'\r\n\r\n' + body

    def close(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


class ClientTestCase(unittest.TestCase):
    def peer(self, *answers):
        peer = Peer(*answers)
        self.addCleanup(peer.close)
        return peer

    def database(self, *ports, timeout=SECONDS, retries=2, identity=None, page_size=500, **limits):
        endpoints = [Endpoint('127.0.0.1', port, None, Limits(**limits)) for port in ports]
        database = RemoteDatabase(Registry(endpoints, identity or Nobody(), timeout, retries), page_size)
        self.addCleanup(database.close)
        return database

    def free_port(self):
        with socket.create_server(('127.0.0.1', 0)) as sock:
            return sock.getsockname()[1]

    def assertUnavailable(self, call, *args):
        with self.assertRaises(exceptions.RegistryUnavailable) as caught:
            call(*args)
        self.assertEqual(exceptions.RegistryUnavailable.message, str(caught.exception))


class TestAnswers(ClientTestCase):
    def test_framings(self):
        for reply in (answer(USAGE), chunked(b'[{"_result":', b'{"storage":5}}]'), b'HTTP/1.1 100 Continue\r\n\r\n' + answer(USAGE),
                      answer(USAGE, head='Connection: close\r\n')):
            with self.subTest(reply=reply):
                self.assertEqual({'storage': 5}, self.database(self.peer(reply).port).usage('me'))

    def test_compressed(self):
        usage = json.dumps(USAGE).encode()
        packed, head = gzip.compress(usage), 'Content-Encoding: gzip\r\n'
        self.assertEqual({'storage': 5}, self.database(self.peer(answer(packed, head=head)).port).usage('me'))
        for reply in (answer(usage, head=head), answer(packed[:-1], head=head), answer(packed + b'x', head=head),
                      answer(packed, head='Content-Encoding: br\r\n')):
            self.assertUnavailable(self.database(self.peer(reply).port, retries=0).usage, 'me')

    def test_what_is_told_of_the_time_that_is_left(self):
        for timeout, told in ((SECONDS, True), (0, False)):
            peer = self.peer(answer(USAGE))
            self.database(peer.port, timeout=timeout).usage('me')
            head = peer.requests[0].partition(b'\r\n\r\n')[0]
            self.assertEqual((told, False), (b'X-Glance-Deadline: ' in head, b'Accept-Encoding' in head))

    def test_only_from_another_host_a_compressed_answer_is_wanted(self):
        for host, near in (('127.0.0.1', True), ('::1', True), ('localhost', True), ('192.0.2.1', False), ('db.test', False)):
            self.assertEqual(near, Endpoint(host, 9191, None, Limits()).is_near, host)

    def test_rubbish(self):
        for reply in (
                b'SSH-2.0-OpenSSH_9.2\r\n\r\n', b'\r\n\r\n', b'HTTP/1.1 200 OK\r\n\r\n', b'x' * 70_000, b'HTTP/1.1 abc\r\n\r\n',
                b'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n', b'HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n',
                b'HTTP/1.1 200 OK\r\nnothing\r\n\r\n', b'HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n',
                b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n', answer(b''), answer(b'<html>'), answer(b'\xff'),
                answer({}), answer([]), answer([{}]), answer([None]), answer(USAGE * 2), answer([{'_result': {'storage': 'x'}}]),
                answer([{'_result': []}]), answer([{'_error': 'x'}]), answer([{'_result': {}, '_error': {}}]),
                answer(b'moved', '302 Found', 'Location: http://127.0.0.1/\r\n'), answer(b'', '500 Internal Server Error'),
                (answer(USAGE)[:20],), (answer(USAGE)[:-3],), (chunked(b'[')[:-7],)):
            with self.subTest(reply=reply), self.assertLogs('glance.db.remote', 'ERROR'):
                self.assertUnavailable(self.database(self.peer(reply, None).port, retries=0).usage, 'me')

    def test_errors_are_looked_up_never_loaded(self):
        for name in ('subprocess.Popen', 'SystemExit', 'os.system'):
            reply = answer([{'_error': {'cls': name, 'name': name, 'val': 'true'}}])
            with self.assertRaisesRegex(exceptions.RegistryFailed, '^true$'):
                self.database(self.peer(reply).port).usage('me')

    def test_refusals(self):
        for status, kind in (('400 Bad Request', exceptions.Invalid), ('413 Too Large', exceptions.Invalid),
                             ('401 Unauthorized', exceptions.RegistryUnavailable), ('403 Forbidden', exceptions.RegistryUnavailable),
                             ('404 Not Found', exceptions.RegistryUnavailable)):
            peer = self.peer(answer(b'400 Bad Request\n\nThe sentence.\n\n', status))
            with self.subTest(status=status), self.assertRaises(kind):
                self.database(peer.port).usage('me')
            self.assertEqual(1, len(peer.requests))


class TestRepetition(ClientTestCase):
    def test_reads_are_repeated(self):
        for reply in (None, answer(b'', '502 Bad Gateway'), answer(b'', '503 Unavailable'), b'rubbish\r\n\r\n'):
            peer = self.peer(reply, reply, answer(USAGE))
            self.assertEqual({'storage': 5}, self.database(peer.port).usage('me'))
            self.assertEqual(3, len(peer.requests))

    def test_writes_are_once_the_registry_is_known_to_remember_them(self):
        done = answer([{'_result': None}], head='X-Glance-Request-Key-Ttl: 100\r\n')
        for reply in (None, answer(b'', '503 Unavailable'), b'rubbish\r\n\r\n'):
            peer = self.peer(done, reply, done)
            database = self.database(peer.port)
            for _ in range(2):
                self.assertIsNone(database.member_delete('i', 'm'))
            keys = [request.partition(b'X-Glance-Request-Key: ')[2].partition(b'\r\n')[0] for request in peer.requests]
            self.assertEqual((3, 36), (len(keys), len(keys[0])))
            self.assertEqual((keys[2], True), (keys[1], keys[0] != keys[1]))

    def test_a_write_is_not_repeated_where_it_is_not_remembered(self):
        for ttl in ('0', 'x', '-1', '0.5'):
            peer = self.peer(answer([{'_result': None}], head=f'X-Glance-Request-Key-Ttl: {ttl}\r\n'), None)
            database = self.database(peer.port)
            database.member_delete('i', 'm')
            self.assertUnavailable(database.member_delete, 'i', 'm')
            self.assertEqual(2, len(peer.requests))

    def test_a_write_does_not_go_on_to_a_registry_that_is_not_known_to_remember(self):
        done = answer([{'_result': None}], head='X-Glance-Request-Key-Ttl: 100\r\n')
        other, peer = self.peer(answer([{'_result': None}])), self.peer(done, None)
        database = self.database(other.port, peer.port)
        database.member_delete('i', 'm')
        database.member_delete('i', 'm')
        self.assertUnavailable(database.member_delete, 'i', 'm')
        self.assertEqual((1, 2), (len(other.requests), len(peer.requests)))

    def test_writes_are_not(self):
        for reply in (None, answer(b'', '503 Unavailable'), b'rubbish\r\n\r\n'):
            peer = self.peer(reply, answer([{'_result': None}]))
            self.assertUnavailable(self.database(peer.port).member_delete, 'i', 'm')
            self.assertEqual(1, len(peer.requests))

    def test_what_was_not_sent_is(self):
        dead, peer = self.free_port(), self.peer(answer([{'_result': None}]))
        for _ in range(4):
            self.assertIsNone(self.database(dead, peer.port).member_delete('i', 'm'))
        self.assertEqual(4, len(peer.requests))

    def test_a_connection_that_died_while_idle_is_replaced(self):
        peer = self.peer((answer([{'_result': None}]),), answer([{'_result': None}]))
        database = self.database(peer.port, retries=0)
        for _ in range(3):
            self.assertIsNone(database.member_delete('i', 'm'))
            peer.closed.wait(SECONDS)
        self.assertEqual(2, peer.connections)

    def test_connections_are_kept(self):
        peer = self.peer(answer(USAGE))
        database = self.database(peer.port)
        for _ in range(5):
            database.usage('me')
        self.assertEqual((1, 5), (peer.connections, len(peer.requests)))
        database = self.database(peer.port, kept=0)
        for _ in range(3):
            database.usage('me')
        self.assertEqual(4, peer.connections)

    def test_no_more_connections_than_allowed(self):
        release = threading.Event()
        self.addCleanup(release.set)
        peer = self.peer(release)
        database = self.database(peer.port, timeout=1, retries=0, most=1)
        other = threading.Thread(target=lambda: self.assertUnavailable(database.usage, 'me'))
        other.start()
        self.assertUnavailable(database.usage, 'me')
        other.join(SECONDS)
        self.assertEqual(1, peer.connections)


class TestTime(ClientTestCase):
    def test_a_peer_that_keeps_silent(self):
        release = threading.Event()
        self.addCleanup(release.set)
        peer = self.peer(release)
        database = self.database(peer.port, timeout=0.2)
        for _ in range(3):
            self.assertUnavailable(database.usage, 'me')
        before = len(peer.requests)
        for _ in range(50):                    # it is left alone for a while
            self.assertUnavailable(database.usage, 'me')
        self.assertLess(len(peer.requests) - before, 50)

    def test_a_peer_that_trickles(self):
        class Trickling(Peer):
            def _serve(self, connection):
                with connection, contextlib.suppress(OSError):
                    self._read(connection)
                    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n')
                    while True:
                        connection.sendall(b' ')
                        time.sleep(0.01)
        peer = Trickling(None)
        self.addCleanup(peer.close)
        self.assertUnavailable(self.database(peer.port, timeout=0.3).usage, 'me')

    def test_a_dead_registry_is_left_alone_and_found_again(self):
        port = self.free_port()
        database = self.database(port, retries=0)
        with self.assertLogs('glance.db.remote', 'ERROR') as logs:
            for _ in range(20):
                self.assertUnavailable(database.usage, 'me')
        self.assertEqual(1, sum('does not answer' in line for line in logs.output))
        self.addCleanup(Peer(answer(USAGE), port=port).close)
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(exceptions.RegistryUnavailable):
                self.assertEqual({'storage': 5}, database.usage('me'))
                return
            time.sleep(0.01)
        self.fail('the registry was not found again')


class Renewable(Nobody):
    """Shows another token each time when it is asked to."""

    def __init__(self):
        self.token = None

    def headers(self):
        return {'X-Auth-Token': self.token} if self.token else {}

    def renew(self, refused):
        self.token = 'token-%d' % (0 if self.token is None else int(self.token[6:]) + 1)
        return True


class TestIdentity(ClientTestCase):
    def test_a_token_is_shown_when_it_is_asked_for(self):
        refusal = answer(b'', '401 Unauthorized')
        peer = self.peer(refusal, answer([{'_result': None}]), answer([{'_result': None}]), refusal, answer([{'_result': None}]))
        database = self.database(peer.port, identity=Renewable())
        for _ in range(3):
            database.member_delete('i', 'm')
        shown = [request.partition(b'X-Auth-Token: ')[2].partition(b'\r\n')[0] for request in peer.requests]
        self.assertEqual([b'', b'token-0', b'token-0', b'token-0', b'token-1'], shown)

    def test_who_is_refused_again_gives_up(self):
        peer = self.peer(answer(b'', '401 Unauthorized'))
        self.assertUnavailable(self.database(peer.port, identity=Renewable()).usage, 'me')
        self.assertEqual(2, len(peer.requests))


class TestPages(ClientTestCase):
    def rows(self, *names):
        stamp = {'_type': 'datetime', '_value': '2026-01-01T00:00:00'}
        return answer([{'_result': [{'id': name, 'created_at': stamp} for name in names]}])

    def asked(self, peer):
        return [json.loads(request.partition(b'\r\n\r\n')[2])[0]['kwargs']['query'] for request in peer.requests]

    def test_a_list_in_pages(self):
        peer = self.peer(self.rows('a', 'b'), self.rows('c', 'd'), self.rows('e'))
        found = self.database(peer.port, page_size=2).image_list(ADMIN, ImageQuery())
        self.assertEqual(list('abcde'), [row['id'] for row in found])
        self.assertEqual([{'limit': 2}, {'limit': 2, 'marker': 'b'}, {'limit': 2, 'marker': 'd'}], self.asked(peer))

    def test_a_limit_above_the_size_of_a_page(self):
        peer = self.peer(self.rows('a', 'b'), self.rows('c'))
        found = self.database(peer.port, page_size=2).image_list(ADMIN, ImageQuery(limit=3))
        self.assertEqual(list('abc'), [row['id'] for row in found])
        self.assertEqual([2, 1], [query['limit'] for query in self.asked(peer)])

    def test_the_last_row_vanishes_between_two_pages(self):
        gone = answer([{'_error': {'name': 'InvalidMarker', 'val': 'gone'}}])
        peer = self.peer(self.rows('a', 'b', 'c'), gone, gone, self.rows('c', 'd'))
        found = self.database(peer.port, page_size=3).image_list(ADMIN, ImageQuery())
        self.assertEqual(list('abcd'), [row['id'] for row in found])
        self.assertEqual(['c', 'b', 'a'], [query['marker'] for query in self.asked(peer)[1:]])


class TestReadiness(ClientTestCase):
    """What the node's own health check asks."""

    def info(self, *without):
        return {'_result': {'version': '2.1', 'commands': sorted(OPERATIONS.keys() - set(without)), 'limits': {}}}

    def test_a_registry_that_does_not_know_every_operation(self):
        well = {'_result': None}
        peer = self.peer(answer([well, self.info('usage')]), answer([well, self.info()]), answer([well]))
        database = self.database(peer.port)
        with self.assertRaisesRegex(exceptions.RegistryUnavailable, 'older release.*usage'):
            database.ping()
        for _ in range(2):
            database.ping()
        commands = [[each['command'] for each in json.loads(request.partition(b'\r\n\r\n')[2])] for request in peer.requests]
        self.assertEqual([['ping', 'registry_info'], ['ping', 'registry_info'], ['ping']], commands)

    def test_a_registry_whose_database_is_away(self):
        trouble = {'_error': {'name': 'DatabaseUnavailable', 'val': 'away'}}
        with self.assertRaisesRegex(exceptions.DatabaseUnavailable, 'away'):
            self.database(self.peer(answer([trouble, self.info()])).port).ping()
