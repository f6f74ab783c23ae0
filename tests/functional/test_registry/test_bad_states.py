"""A node loses its registry and finds it again: requests are answered all the time, and nothing hangs."""
import concurrent.futures
import threading
import unittest

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
