"""From the configuration to what is told; the library writes events to the log here (driver ``log``)."""
import json
import pathlib
import subprocess
import sys
import unittest
from unittest import mock

from glance.conf import InvalidOptionValue
from glance.exceptions import ConfigurationError
from glance.notify import messaging, outbox
from glance.notify.notifier import Notifier
from tests.unit.layers import fakes

ROOT = pathlib.Path(__file__).resolve().parents[3]
LIBRARY = 'oslo.messaging.notification'
SECTION = '[oslo_messaging_notifications]\n'

# What the file says, and which of the events below are not told.
EVENTS = ('image.create', 'image.update', 'image.member.create', 'image.member.delete', 'task.run',
          'metadef_tag.create', 'metadef_namespace.delete')
DISABLED = {
    '': (),
    'image': EVENTS[:4],
    'image.create': ('image.create',),
    'image.member': ('image.member.create', 'image.member.delete'),
    'image.member.create': ('image.member.create',),
    'image.member.create, task': ('image.member.create', 'task.run'),
    'metadef_tag,metadef_namespace': EVENTS[5:],
    'imag, image.mem, metadef, image.create.x, update': (),
}

# Prints what a process without a driver has imported, and whether it has a thread, after some events.
IDLE = """
import sys, threading
from tests.unit.layers import fakes
from glance.notify.notifier import Notifier
notifier = Notifier(fakes.make_conf())
notifier.info('image.create', {'id': 'i'}, 'i')
notifier.error('image.upload', 'text', 'i')
notifier.close()
print([name for name in ('oslo_messaging', 'kombu', 'amqp') if name in sys.modules], threading.active_count())
"""
# Prints whether importing the library for a driver changed how sockets and threads work.
PATCHED = """
import socket, sys, threading
before = socket.socket, threading.Thread, threading.get_ident
from tests.unit.layers import fakes
from glance.notify.notifier import Notifier
Notifier(fakes.make_conf(sys.argv[1], '[oslo_messaging_notifications]\\ndriver = messagingv2\\n')).close()
print('oslo_messaging' in sys.modules, before == (socket.socket, threading.Thread, threading.get_ident))
"""


class Base(unittest.TestCase):

    def conf(self, text=''):
        return fakes.make_conf(fakes.temporary_directory(self), text)

    def notifier(self, text):
        notifier = Notifier(self.conf(text))
        self.addCleanup(notifier.close)
        return notifier

    def told(self, notifier, *calls):
        """Envelopes that the library got, after the calls (method, event type, payload)."""
        with self.assertLogs(LIBRARY, 'INFO') as logs:
            for method, event_type, payload in calls:
                getattr(notifier, method)(event_type, payload, 'i')
            notifier.close()
        return [json.loads(record.getMessage()) for record in logs.records]


class EventTest(Base):

    def test_envelopes(self):
        notifier = self.notifier('[DEFAULT]\ndefault_publisher_id = image.here\n' + SECTION + 'driver = log\n')
        info, error = self.told(notifier, ('info', 'image.create', {'id': 'i'}), ('error', 'image.upload', 'a text'))
        for envelope, expected in ((info, ('image.here', 'INFO', 'image.create', {'id': 'i'})),
                                   (error, ('image.here', 'ERROR', 'image.upload', 'a text'))):
            self.assertEqual(expected, tuple(envelope[name] for name in
                                             ('publisher_id', 'priority', 'event_type', 'payload')))
        self.assertNotEqual(info['message_id'], error['message_id'])

    def test_the_publisher_by_default(self):
        envelope, = self.told(self.notifier(SECTION + 'driver = log\n'), ('info', 'image.create', {}))
        self.assertEqual('image.localhost', envelope['publisher_id'])

    def test_disabled_notifications(self):
        for names, silent in DISABLED.items():
            with self.subTest(disabled=names):
                notifier = self.notifier('[DEFAULT]\ndisabled_notifications = %s\n%sdriver = log\n' % (names, SECTION))
                told = self.told(notifier, *[('info', name, {}) for name in EVENTS], ('info', 'last', {}))
                self.assertEqual([name for name in EVENTS if name not in silent],
                                 [envelope['event_type'] for envelope in told[:-1]])

    def test_errors_are_disabled_too(self):
        notifier = self.notifier('[DEFAULT]\ndisabled_notifications = image.upload\n%sdriver = log\n' % SECTION)
        told = self.told(notifier, ('error', 'image.upload', 'x'), ('error', 'image.send', {}))
        self.assertEqual(['image.send'], [envelope['event_type'] for envelope in told])

    def test_a_payload_that_cannot_be_sent_is_missed(self):
        notifier = self.notifier(SECTION + 'driver = log\n')
        with self.assertLogs('', 'WARNING') as logs, mock.patch(
                'oslo_messaging.notify._impl_log.LogDriver.notify', side_effect=ValueError('not fit')):
            notifier.info('image.create', {}, 'the-image')
            notifier.close()
        line, = logs.output
        for word in ('WARNING', outbox.__name__, 'image.create', 'the-image', 'not fit'):
            self.assertIn(word, line)


class DriverTest(Base):

    def run_program(self, program, *arguments):
        return subprocess.run([sys.executable, '-W', 'ignore', '-c', program, *arguments], cwd=ROOT, check=True,
                              capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout.strip()

    def test_without_a_driver_nothing_is_imported_nor_started(self):
        self.assertEqual('[] 1', self.run_program(IDLE))

    def test_with_a_driver_sockets_and_threads_stay_what_they_are(self):
        self.assertEqual('True True', self.run_program(PATCHED, fakes.temporary_directory(self)))

    def test_whether_there_is_a_driver(self):
        for text, connected in (('', False), (SECTION, False), (SECTION + 'driver =\n', False),
                                (SECTION + 'topics = a\n', False), (SECTION + 'driver = log\n', True),
                                (SECTION + 'driver = noop\ndriver = log\n', True)):
            with self.subTest(text=text):
                bus = messaging.connect(self.conf(text))
                self.assertEqual(connected, bus is not None)
                if bus:
                    bus.close()

    def test_what_is_wrong_is_said_at_the_start(self):
        for text, words in (
                (SECTION + 'driver = carrier-pigeon\n', ('driver = carrier-pigeon', 'messagingv2')),
                (SECTION + 'driver = log\ndriver = v2\n', ('driver = v2',)),
                (SECTION + 'driver = log\ntransport_url = rabbit://u:hidden@host:port/\n', ('transport_url', 'rabbit://')),
                (SECTION + 'driver = log\ntransport_url = u:hidden\n', ('transport_url',)),
                ('[DEFAULT]\ntransport_url = pigeon://u:hidden@host/\n' + SECTION + 'driver = log\n', ('transport_url',)),
                (SECTION + 'driver = log\nretry = often\n', ('retry = often', 'glance-api.conf')),
                ('[oslo_messaging_rabbit]\nssl = perhaps\n' + SECTION + 'driver = log\n', ('ssl = perhaps',))):
            with self.subTest(text=text), self.assertRaises(ConfigurationError) as caught:
                Notifier(self.conf(text))
            for word in words:
                self.assertIn(word, str(caught.exception))
            self.assertNotIn('hidden', str(caught.exception))

    def test_wrong_values_are_told_from_wrong_combinations(self):
        self.assertRaises(InvalidOptionValue, Notifier, self.conf(SECTION + 'driver = log\nretry = often\n'))

    def test_attempts_are_bounded(self):
        for value, retries in ((None, messaging.RETRIES), (-1, messaging.RETRIES), (0, 0), (7, 7)):
            text = '' if value is None else 'retry = %d\n' % value
            with self.subTest(retry=value), mock.patch('oslo_messaging.Notifier') as library:
                messaging.connect(self.conf(SECTION + 'driver = log\n' + text)).close()
            self.assertEqual(retries, library.call_args.kwargs['retry'])

    def test_the_exchange_is_the_service_s(self):
        for text, exchange in (('', 'glance'), ('[DEFAULT]\ncontrol_exchange = images\n', 'images')):
            conf = self.conf(text + SECTION + 'driver = log\n')
            messaging.connect(conf).close()
            self.assertEqual(exchange, conf.control_exchange)
