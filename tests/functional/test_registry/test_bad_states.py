"""A node loses its registry and finds it again: requests are answered all the time, and nothing hangs."""
import concurrent.futures
import contextlib
import http.client
import threading
import unittest
import uuid

from tests.functional.api.base import SECONDS, wait_for
from tests.functional.test_registry.test_client import Peer, answer
from tests.harness.server import GlanceServer

SENTENCE = 'The registry of images cannot be reached at the moment; try again later.'


class BadStateTestCase(unittest.TestCase):
    def node(self, **settings):
        server = GlanceServer(registry=True, settings={'DEFAULT': settings})
        self.addCleanup(server.cleanup)
        return server

    def assertUnavailable(self, response):
        self.assertEqual(503, response.status_code, response.text)
        self.assertIn(SENTENCE, response.text)
        self.assertEqual('5', response.headers['Retry-After'])

    def assertRecovers(self, server):
        wait_for('an answer', lambda: server.client().get('/v2/images').status_code == 200)


class TestRegistryAway(BadStateTestCase):
    def test_at_the_start_and_later(self):
        server = self.node()
        server.registry.start()
        server.registry.stop()
        server.move_to_registry()
        server.registry.stop()
        server.launch()
        server.wait_until_ready()
        client = server.client()
        self.assertUnavailable(client.get('/v2/images'))
        self.assertUnavailable(client.post('/v2/images', json={}))
        self.assertIn('answered 503 until then', server.log_text())
        health = client.get('/healthcheck')
        self.assertEqual((503, SENTENCE), (health.status_code, health.text))
        server.registry.launch()
        self.assertRecovers(server)
        wait_for('health', lambda: client.get('/healthcheck').status_code == 200)
        image = client.create_image(b'data')
        server.registry.stop()
        for _ in range(20):
            self.assertUnavailable(client.get(f'/v2/images/{image["id"]}'))
        self.assertUnavailable(client.upload(image['id'], b'x'))
        server.registry.launch()
        self.assertRecovers(server)
        self.assertEqual(b'data', client.get(f'/v2/images/{image["id"]}/file').content)

    def test_restarted_under_load(self):
        server = self.node(registry_client_max_retries=5)
        server.start()
        images = [server.client().create_image() for _ in range(3)]
        stop, statuses = threading.Event(), []

        def load(number):
            client, seen = server.client(), []
            while not stop.is_set():
                seen.append(client.get(f'/v2/images/{images[number % 3]["id"]}').status_code)
                seen.append(client.patch(f'/v2/images/{images[number % 3]["id"]}', [
                    {'op': 'add', 'path': f'/p{number}', 'value': str(len(seen))}]).status_code)
            return seen, client
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            futures = [pool.submit(load, number) for number in range(4)]
            try:
                for _ in range(2):
                    server.registry.stop()
                    server.registry.launch()
                    self.assertRecovers(server)
            finally:
                stop.set()
            for future in futures:
                statuses += future.result(SECONDS)[0]
        self.assertLessEqual(set(statuses), {200, 503})
        self.assertEqual(200, server.client().get('/v2/images').status_code)
        self.assertNotIn('Traceback', server.log_text())

    def test_a_killed_worker_of_the_registry(self):
        server = self.node()
        server.start()
        image = server.client().create_image()
        server.registry.kill_worker()
        self.assertRecovers(server)
        self.assertEqual(200, server.client().get(f'/v2/images/{image["id"]}').status_code)


class TestOtherPeers(BadStateTestCase):
    """In the place of the registry there is something else."""

    def beside(self, *answers, **settings):
        peer = Peer(*answers)
        self.addCleanup(peer.close)
        server = GlanceServer(registry=False, settings={'DEFAULT': {
            'data_api': 'glance.db.registry.api', 'registry_host': '127.0.0.1', 'registry_port': peer.port, **settings}})
        self.addCleanup(server.cleanup)
        server.settings.pop('database')
        server.launch()
        server.wait_until_ready()
        return server

    def test_one_that_is_silent(self):
        release = threading.Event()
        self.addCleanup(release.set)
        server = self.beside(release, registry_client_timeout=1)
        for _ in range(8):
            self.assertUnavailable(server.client().get('/v2/images', timeout=SECONDS))

    def test_one_that_answers_rubbish(self):
        server = self.beside(b'SSH-2.0-x\r\n\r\n', answer(b'<html>'), answer([{}]), answer(b'', '500 Internal Server Error'),
                             answer([{'_error': {'name': 'subprocess.Popen', 'val': 5}}]))
        for _ in range(8):
            self.assertUnavailable(server.client().get('/v2/images'))
        self.assertNotIn('Traceback', server.log_text())


class Relay(Peer):
    """Stands before a registry and, while ``loses`` is set, keeps the next answer to a write for itself."""

    def __init__(self, behind):
        self._behind, self.loses, self.lost = behind, False, 0
        super().__init__()

    def _serve(self, connection):
        with connection, contextlib.suppress(OSError):
            while request := self._read(connection):
                other = http.client.HTTPConnection('127.0.0.1', self._behind.port)
                head, _, body = request.partition(b'\r\n\r\n')
                headers = [line.split(': ', 1) for line in head.decode('latin-1').split('\r\n')[1:]]
                other.request('POST', '/rpc', body, dict(headers))
                response = other.getresponse()
                text = response.read()
                other.close()
                if self.loses and b'X-Glance-Request-Key' in head:
                    self.loses, self.lost = False, self.lost + 1
                    return
                kept = ''.join('%s: %s\r\n' % item for item in response.getheaders() if item[0].startswith('X-Glance'))
                connection.sendall(answer(text, '%d %s' % (response.status, response.reason), kept))


class TestLostAnswers(BadStateTestCase):
    def test_a_write_whose_answer_is_lost_is_done_once(self):
        server = self.node()
        server.move_to_registry()
        relay = Relay(server.registry)
        self.addCleanup(relay.close)
        server.settings['DEFAULT']['registry_port'] = relay.port
        server.launch()
        server.wait_until_ready()
        client, image_id = server.client(), str(uuid.uuid4())

        def losing(method, *arguments, **named):
            lost, relay.loses = relay.lost, True
            response = method(*arguments, **named)
            self.assertEqual((False, lost + 1), (relay.loses, relay.lost))
            return response
        # Done twice, each of these would be refused the second time.
        created = losing(client.post, '/v2/images', json={'id': image_id, 'disk_format': 'raw', 'container_format': 'bare'})
        self.assertEqual((201, image_id), (created.status_code, created.json().get('id')))
        self.assertEqual(204, losing(client.upload, image_id, b'data').status_code)
        path = f'/v2/images/{image_id}'
        self.assertEqual(200, losing(client.post, f'{path}/members', json={'member': 'm'}).status_code)
        self.assertEqual(204, losing(client.delete, f'{path}/members/m').status_code)
        self.assertEqual(b'data', client.get(f'{path}/file').content)
        self.assertEqual(204, losing(client.delete, path).status_code)
        self.assertIn('was here before', server.registry.log_text())
