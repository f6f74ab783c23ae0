"""Prints the events that RabbitMQ received from the service, one JSON object a line.

    python -m tests.integration.print_events --topic notifications

Prints what waits in the queues of the topic and what comes until it is stopped, or until --count events were printed.
Other consumers of the same queues do not see what was printed here.
"""

import argparse
import contextlib
import json
import os
import sys
from typing import Any, NamedTuple

import kombu

URL = os.environ.get('GLANCE_TEST_RABBITMQ', 'rabbit://guest:guest@127.0.0.1:5672/')
EXCHANGE = 'glance'
PRIORITIES = ('info', 'error')


class Event(NamedTuple):
    """``envelope`` is the message as oslo.messaging made it; ``version`` that of its wrapping: 1.0 has none."""

    routing_key: str
    version: str
    envelope: dict[str, Any]

    @property
    def event_type(self) -> str:
        return self.envelope['event_type']

    @property
    def payload(self) -> Any:
        return self.envelope['payload']


class Consumer:
    """Takes events from the queues of one topic, which are made where they do not exist yet.

    :param url: as in ``transport_url``: ``rabbit://USER:PASSWORD@HOST:PORT/VHOST``
    :param exchange: ``control_exchange`` of the service
    :param topic: one of ``[oslo_messaging_notifications] topics``
    """

    def __init__(self, url: str, exchange: str, topic: str):
        # An empty virtual host is /, to oslo.messaging and to kombu.
        self._connection = kombu.Connection(url.replace('rabbit://', 'amqp://', 1))
        self._exchange = kombu.Exchange(exchange, type='topic', durable=False)
        self._queues = [kombu.Queue(f'{topic}.{priority}', self._exchange, f'{topic}.{priority}', durable=False)
                        for priority in PRIORITIES]
        self._arrived: list[Event] = []
        self._consumer = self._connection.Consumer(self._queues, on_message=self._take)
        self._consumer.consume()

    def _take(self, message: kombu.Message) -> None:
        message.ack()
        content = json.loads(message.body)
        version = content.get('oslo.version', '1.0')
        envelope = json.loads(content['oslo.message']) if 'oslo.message' in content else content
        self._arrived.append(Event(message.delivery_info['routing_key'], version, envelope))

    def get(self, timeout: float | None = None) -> Event:
        """Wait for the next event. Raises TimeoutError when none comes for *timeout* seconds."""
        while not self._arrived:
            self._connection.drain_events(timeout=timeout)
        return self._arrived.pop(0)

    def close(self) -> None:
        """Leave queues and exchange as they are."""
        self._connection.release()

    def drop(self) -> None:
        """Remove the queues, and the exchange unless it is the one of all services."""
        self._consumer.cancel()
        with self._connection.channel() as channel:
            for queue in self._queues:
                queue(channel).delete()
            if self._exchange.name != EXCHANGE:
                self._exchange(channel).delete()
        self.close()


def main() -> None:
    parser = argparse.ArgumentParser(description='Print the events that RabbitMQ received from the service.')
    parser.add_argument('--url', default=URL, help='transport_url of the service (%(default)s)')
    parser.add_argument('--exchange', default=EXCHANGE, help='control_exchange of the service (%(default)s)')
    parser.add_argument('--topic', default='notifications', help='one of the topics (%(default)s)')
    parser.add_argument('--count', type=int, help='stop after so many events')
    options = parser.parse_args()
    consumer = Consumer(options.url, options.exchange, options.topic)
    print('Waiting for events.', file=sys.stderr, flush=True)
    printed = 0
    with contextlib.suppress(KeyboardInterrupt):
        while options.count is None or printed < options.count:
            event = consumer.get()
            print(json.dumps({'routing_key': event.routing_key, **event.envelope}), flush=True)
            printed += 1
    consumer.close()


if __name__ == '__main__':
    main()
