"""What a real glance-api tells through a real RabbitMQ, and that it serves when RabbitMQ does not."""

import http.client
import re
import socket
import unittest
import uuid

from tests.harness.server import GlanceServer
from tests.integration.print_events import EXCHANGE, URL, Consumer

PATIENCE = 60
DATA = b'0123456789' * 100
LARGE = 64 << 20
"""Bytes that fit into no socket buffer."""
JSON_PATCH = {'Content-Type': 'application/openstack-images-v2.1-json-patch'}
RENAME = [{'op': 'replace', 'path': '/name', 'value': 'renamed'}]


def start_server(test, topic, url):
    server = GlanceServer(settings={
        'DEFAULT': {'transport_url': url},
        'oslo_messaging_notifications': {'driver': 'messagingv2', 'topics': topic}})
    test.addClassCleanup(server.cleanup)
    return server.start()


class EventsTest(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        topic = f'topic-{uuid.uuid4().hex}'
        cls.consumer = Consumer(URL, EXCHANGE, topic)
        cls.addClassCleanup(cls.consumer.drop)
        cls.server = start_server(cls, topic, URL)
        cls.client = cls.server.client()

    def setUp(self):
        self.told(0)

    def told(self, count):
        """Events until now, ``count`` of them at least, in the order in which they were sent."""
        fence, events, reached = self.client.create_image(name='fence')['id'], [], False
        while not reached or len(events) < count:
            event = self.consumer.get(PATIENCE)
            if event.event_type == 'image.create' and event.payload['id'] == fence:
                reached = True
            else:
                events.append(event)
        return sorted(events, key=lambda event: event.envelope['timestamp'])

    def assert_told(self, *expected):
        """Compare with (priority, event type, status of the image or text); return the payloads."""
        events = self.told(len(expected))
        self.assertEqual(list(expected), [
            (event.envelope['priority'], event.event_type,
             event.payload.get('status') if isinstance(event.payload, dict) else event.payload) for event in events])
        return [event.payload for event in events]

    def active_image(self, data=DATA):
        image = self.client.create_image(data)
        self.told(6)
        return image

    def test_create_change_delete(self):
        image = self.client.create_image(name='first', tags=['t'], os_type='linux')
        payload, = self.assert_told(('INFO', 'image.create', 'queued'))
        self.assertEqual((image['id'], 'first', ['t'], {'os_type': 'linux'}, image['created_at'], False, None), tuple(
            payload[name] for name in ('id', 'name', 'tags', 'properties', 'created_at', 'deleted', 'deleted_at')))
        path = f'/v2/images/{image["id"]}'
        for _ in range(2):
            self.assertEqual(200, self.client.patch(path, RENAME).status_code)
        payload, = self.assert_told(('INFO', 'image.update', 'queued'))
        self.assertEqual('renamed', payload['name'])
        self.assertEqual(204, self.client.delete(path).status_code)
        payload, = self.assert_told(('INFO', 'image.delete', 'deleted'))
        self.assertIs(True, payload['deleted'])
        self.assertIsNotNone(payload['deleted_at'])

    def test_upload(self):
        image = self.client.create_image()
        self.told(1)
        self.assertEqual(204, self.client.upload(image['id'], DATA).status_code)
        payloads = self.assert_told(
            ('INFO', 'image.update', 'saving'), ('INFO', 'image.prepare', 'saving'), ('INFO', 'image.upload', 'active'),
            ('INFO', 'image.activate', 'active'), ('INFO', 'image.update', 'active'))
        shown = self.client.get(f'/v2/images/{image["id"]}').json()
        for payload in payloads[2:]:
            for name in ('size', 'checksum', 'os_hash_algo', 'os_hash_value', 'updated_at'):
                self.assertEqual(shown[name], payload[name])

    def test_rejected_upload(self):
        image = self.client.create_image()
        self.told(1)
        response = self.client.upload(image['id'], DATA, **{'x-openstack-image-size': '5000'})
        self.assertEqual(400, response.status_code)
        text = f'The request announced 5000 bytes of data and delivered {len(DATA)}'
        self.assert_told(('INFO', 'image.update', 'saving'), ('INFO', 'image.prepare', 'saving'),
                         ('ERROR', 'image.upload', text), ('INFO', 'image.update', 'queued'))

    def test_refused_requests(self):
        image = self.active_image()
        path = f'/v2/images/{image["id"]}'
        self.assertEqual(409, self.client.upload(image['id'], DATA).status_code)
        self.assertEqual(404, self.client.delete(f'/v2/images/{uuid.uuid4()}').status_code)
        self.assertEqual(403, self.client.patch(path, [{'op': 'replace', 'path': '/status', 'value': 'x'}]).status_code)
        self.assertEqual(200, self.client.request('HEAD', path + '/file').status_code)
        self.assert_told()

    def test_downloads(self):
        image = self.active_image()
        path = f'/v2/images/{image["id"]}/file'
        for headers, length in (({}, len(DATA)), ({'Range': 'bytes=10-19'}, 10)):
            self.assertEqual(length, len(self.client.get(path, headers=headers).content))
            payload, = self.assert_told(('INFO', 'image.send', None))
            self.assertEqual((image['id'], length), (payload['image_id'], payload['bytes_sent']))

    def test_a_client_that_leaves(self):
        image = self.active_image(bytes(LARGE))
        connection = http.client.HTTPConnection('127.0.0.1', self.server.port, timeout=PATIENCE)
        connection.request('GET', f'/v2/images/{image["id"]}/file')
        connection.sock.recv(1)
        connection.close()
        payload, = self.assert_told(('ERROR', 'image.send', None))
        self.assertTrue(0 < payload['bytes_sent'] < LARGE, payload)

    def test_nothing_internal_leaves(self):
        image = self.active_image()
        self.client.get(f'/v2/images/{image["id"]}/file')
        self.client.delete(f'/v2/images/{image["id"]}')
        text = repr([event.envelope for event in self.told(2)])
        self.assertIn(image['id'], text)
        for secret in ('file://', str(self.server.images), 'os_glance_import_task', 'location', '_context'):
            self.assertNotIn(secret, text)


class NoBrokerTests:
    """Everything works, and the log names each event that was missed."""

    def test_life_of_an_image(self):
        server = start_server(type(self), f'topic-{uuid.uuid4().hex}', self.broker())
        client = server.client()
        image = client.create_image(DATA)
        path = f'/v2/images/{image["id"]}'
        self.assertEqual(200, client.patch(path, RENAME).status_code)
        self.assertEqual(DATA, client.get(path + '/file').content)
        self.assertEqual(204, client.delete(path).status_code)
        server.stop()
        missed = re.findall(rf'notification (\S+) about {image["id"]} was not sent', server.log_text())
        self.assertEqual(['image.create', 'image.update', 'image.prepare', 'image.upload', 'image.activate',
                          'image.update', 'image.update', 'image.send', 'image.delete'], missed)


class NobodyListensTest(NoBrokerTests, unittest.TestCase):

    def broker(self):
        unused = socket.socket()
        self.addCleanup(unused.close)
        unused.bind(('127.0.0.1', 0))
        return f'rabbit://guest:guest@127.0.0.1:{unused.getsockname()[1]}/'


class NobodyAnswersTest(NoBrokerTests, unittest.TestCase):

    def broker(self):
        mute = socket.create_server(('127.0.0.1', 0))
        self.addCleanup(mute.close)
        return f'rabbit://guest:guest@127.0.0.1:{mute.getsockname()[1]}/'


if __name__ == '__main__':
    unittest.main()
