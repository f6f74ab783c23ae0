"""Events through a real RabbitMQ, and what happens when it is not there. ``GLANCE_TEST_RABBITMQ`` says where it is."""

import json
import pathlib
import re
import socket
import subprocess
import sys
import unittest
import urllib.parse
import uuid

from glance.notify import outbox
from glance.notify.notifier import Notifier
from tests.harness.relay import Relay
from tests.integration.print_events import EXCHANGE, URL, Consumer
from tests.unit.layers import fakes

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATIENCE = 60
"""Seconds for what must happen; only a failure waits that long."""

PAYLOAD = {'id': '5d1d8f0c', 'name': 'Übung', 'size': 2 ** 40, 'tags': ['a'], 'properties': {}, 'checksum': None,
           'protected': False}
ENVELOPE = {'message_id', 'publisher_id', 'event_type', 'priority', 'payload', 'timestamp'}


class Base(unittest.TestCase):

    def setUp(self):
        self.topic, self.exchange = f'topic-{uuid.uuid4().hex}', f'exchange-{uuid.uuid4().hex}'

    def consumer(self, exchange=None, topic=None):
        consumer = Consumer(URL, exchange or self.exchange, topic or self.topic)
        self.addCleanup(consumer.drop)
        return consumer

    def notifier(self, driver='messagingv2', url=URL, exchange=None, topics=None, publisher='image.host-1', **options):
        """A notifier configured as an operator would; ``options`` are those of ``[oslo_messaging_notifications]``."""
        sections = {
            'DEFAULT': {'transport_url': url, 'control_exchange': exchange or self.exchange,
                        'default_publisher_id': publisher},
            'oslo_messaging_notifications': {'driver': driver, 'topics': topics or self.topic, **options}}
        if exchange == EXCHANGE:
            del sections['DEFAULT']['control_exchange']  # it is the default
        lines = []
        for name, values in sections.items():
            lines += [f'[{name}]', *(f'{option} = {value}' for option, value in values.items())]
        notifier = Notifier(fakes.make_conf(fakes.temporary_directory(self), '\n'.join(lines) + '\n'))
        self.addCleanup(notifier.close)
        return notifier

    def missed(self, logs):
        """Ids of the events that the log names as missed."""
        return re.findall(r'notification image\.update about (\S+) was not sent', '\n'.join(logs.output))


class DeliveryTest(Base):

    def test_messagingv2(self):
        consumer = self.consumer()
        self.notifier().info('image.create', PAYLOAD, 'i')
        event = consumer.get(PATIENCE)
        self.assertEqual((f'{self.topic}.info', '2.0'), (event.routing_key, event.version))
        self.check_envelope(event.envelope, 'INFO', 'image.create', PAYLOAD)

    def test_messaging(self):
        consumer = self.consumer()
        self.notifier('messaging').info('image.create', PAYLOAD, 'i')
        event = consumer.get(PATIENCE)
        self.assertEqual((f'{self.topic}.info', '1.0'), (event.routing_key, event.version))
        self.check_envelope(event.envelope, 'INFO', 'image.create', PAYLOAD)

    def check_envelope(self, envelope, priority, event_type, payload):
        # The library adds members of its own, which begin with an underscore; a context would be among them.
        self.assertEqual(ENVELOPE, {name for name in envelope if not name.startswith('_')})
        self.assertEqual([], [name for name in envelope if name.startswith('_context')])
        self.assertEqual(('image.host-1', event_type, priority, payload), tuple(
            envelope[name] for name in ('publisher_id', 'event_type', 'priority', 'payload')))
        self.assertEqual(envelope['message_id'], str(uuid.UUID(envelope['message_id'])))
        self.assertRegex(envelope['timestamp'], r'\A[0-9-]{10} [0-9:]{8}\.[0-9]{6}\Z')

    def test_errors_have_a_queue_of_their_own(self):
        consumer = self.consumer()
        self.notifier().error('image.upload', 'The data is too large.', 'i')
        event = consumer.get(PATIENCE)
        self.assertEqual(f'{self.topic}.error', event.routing_key)
        self.check_envelope(event.envelope, 'ERROR', 'image.upload', 'The data is too large.')

    def test_every_topic(self):
        topics = [self.topic, f'topic-{uuid.uuid4().hex}']
        consumers = [self.consumer(topic=topic) for topic in topics]
        notifier = self.notifier(topics=','.join(topics))
        for number in range(20):
            notifier.info('image.update', {'number': number}, 'i')
        for consumer, topic in zip(consumers, topics, strict=True):
            events = [consumer.get(PATIENCE) for _ in range(20)]
            self.assertEqual(list(range(20)), [event.payload['number'] for event in events])
            self.assertEqual({f'{topic}.info'}, {event.routing_key for event in events})

    def test_events_wait_for_a_consumer_that_comes_later(self):
        notifier = self.notifier()
        notifier.info('image.create', PAYLOAD, 'i')
        notifier.close()
        self.assertEqual(PAYLOAD, self.consumer().get(PATIENCE).payload)

    def test_the_exchange_by_default(self):
        consumer = self.consumer(exchange=EXCHANGE)
        self.notifier(exchange=EXCHANGE).info('image.create', PAYLOAD, 'i')
        self.assertEqual(PAYLOAD, consumer.get(PATIENCE).payload)

    def test_a_bus_of_its_own(self):
        consumer = self.consumer()
        notifier = self.notifier(url='rabbit://nobody:nothing@127.0.0.1:1/', transport_url=URL)
        notifier.info('image.create', PAYLOAD, 'i')
        self.assertEqual(PAYLOAD, consumer.get(PATIENCE).payload)

    def test_the_printing_consumer(self):
        notifier = self.notifier()
        self.addCleanup(self.consumer)
        program = [sys.executable, '-m', 'tests.integration.print_events', '--url', URL, '--exchange', self.exchange,
                   '--topic', self.topic, '--count', '2']
        with subprocess.Popen(program, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
            self.addCleanup(process.kill)
            notifier.info('image.create', PAYLOAD, 'i')
            notifier.error('image.upload', 'no', 'i')
            events = [json.loads(line) for line in process.stdout]
        self.assertEqual(0, process.returncode)
        self.assertEqual({('image.create', f'{self.topic}.info'), ('image.upload', f'{self.topic}.error')},
                         {(event['event_type'], event['routing_key']) for event in events})


class BrokerDownTest(Base):

    def test_nothing_listens(self):
        with socket.socket() as unused:
            unused.bind(('127.0.0.1', 0))
            url = f'rabbit://guest:hidden@127.0.0.1:{unused.getsockname()[1]}/'
            notifier = self.notifier(url=url, retry=0)
            with self.assertLogs('', 'WARNING') as logs:
                for number in range(3):
                    notifier.info('image.update', PAYLOAD, f'image-{number}')
                notifier.close()
        self.assertEqual(['image-0', 'image-1', 'image-2'], self.missed(logs))
        text = '\n'.join(logs.output)
        for unwanted in ('hidden', 'Traceback', PAYLOAD['name']):
            self.assertNotIn(unwanted, text)

    def test_wrong_password(self):
        parts = urllib.parse.urlsplit(URL)
        host = parts.netloc.rpartition('@')[2]
        notifier = self.notifier(url=f'rabbit://guest:hidden-{uuid.uuid4().hex}@{host}/', retry=0)
        with self.assertLogs('', 'WARNING') as logs:
            notifier.info('image.update', PAYLOAD, 'image-0')
            notifier.close()
        self.assertEqual(['image-0'], self.missed(logs))
        self.assertNotIn('hidden', '\n'.join(logs.output))

    def test_a_broker_that_never_answers(self):
        with socket.create_server(('127.0.0.1', 0)) as mute:
            notifier = self.notifier(url=f'rabbit://guest:guest@127.0.0.1:{mute.getsockname()[1]}/')
            # The first event is stuck from here on, so that whoever waited for the bus would wait for ever.
            with self.assertLogs(outbox.LOG, 'WARNING') as logs:
                for number in range(outbox.CAPACITY + 1):
                    notifier.info('image.update', PAYLOAD, f'image-{number}')
                    if number == 0:
                        connection, _address = mute.accept()
                        connection.recv(1)
                for number in range(2):
                    notifier.info('image.update', PAYLOAD, f'overflow-{number}')
                self.assertEqual(['overflow-0', 'overflow-1'], self.missed(logs))
                notifier.close()
            connection.close()
        self.assertEqual([f'image-{number}' for number in range(outbox.CAPACITY + 1)], self.missed(logs)[2:])

    def test_a_connection_that_stalls(self):
        consumer = self.consumer()
        relay, url = self.relay()
        notifier = self.notifier(url=url)
        notifier.info('image.update', PAYLOAD, 'before')
        self.assertEqual(PAYLOAD, consumer.get(PATIENCE).payload)
        relay.stall()
        with self.assertLogs(outbox.LOG, 'WARNING') as logs:
            for name in ('first', 'second'):
                notifier.info('image.update', PAYLOAD, name)
            notifier.close()
        self.assertEqual(['first', 'second'], self.missed(logs))

    def test_a_connection_that_breaks_is_made_again(self):
        consumer = self.consumer()
        relay, url = self.relay()
        notifier = self.notifier(url=url)
        for number in range(3):
            notifier.info('image.update', {'number': number}, 'i')
            # An event whose receipt was cut off is sent twice.
            while (event := consumer.get(PATIENCE)).payload['number'] != number:
                self.assertEqual(number - 1, event.payload['number'])
            relay.cut()
            relay.mend()

    def test_a_broker_that_comes_back_in_time(self):
        consumer = self.consumer()
        relay, url = self.relay()
        relay.cut()
        notifier = self.notifier(url=url)
        for number in range(3):
            notifier.info('image.update', {'number': number}, 'i')
        self.assertTrue(relay.refused.wait(PATIENCE))
        relay.mend()
        self.assertEqual([0, 1, 2], [consumer.get(PATIENCE).payload['number'] for _ in range(3)])

    def relay(self) -> tuple[Relay, str]:
        """What stands between the broker and its clients, and the URL at which they find the broker there."""
        parts = urllib.parse.urlsplit(URL)
        relay = Relay(parts.hostname, parts.port or 5672)
        self.addCleanup(relay.close)
        return relay, f'rabbit://{parts.netloc.rpartition("@")[0]}@127.0.0.1:{relay.port}{parts.path}'


if __name__ == '__main__':
    unittest.main()
