"""Whether the records answer, asked no more often than needed and waited for no longer than that."""
import threading
import unittest
from unittest import mock

from glance import exceptions
from glance.db.memory import MemoryDatabase
from glance.wsgi.health import Healthcheck, Ping

SECONDS = 60


class Records(MemoryDatabase):
    def __init__(self, outcome=None):
        super().__init__()
        self.outcome, self.asked = outcome, 0

    def ping(self):
        self.asked += 1
        if isinstance(self.outcome, threading.Event):
            self.outcome.wait(SECONDS)
        elif self.outcome:
            raise self.outcome


class PingTest(unittest.TestCase):
    def test_outcomes(self):
        for outcome, sentence in ((None, None), (exceptions.RegistryUnavailable(), exceptions.RegistryUnavailable.message),
                                  (KeyError('k'), 'The records could not be asked whether they answer.')):
            self.assertEqual(sentence, Ping(SECONDS, 0).trouble(Records(outcome)))

    def test_an_answer_counts_for_a_while(self):
        records = Records()
        kept, asking = Ping(SECONDS, SECONDS), Ping(SECONDS, 0)
        for _ in range(5):
            kept.trouble(records)
        self.assertEqual(1, records.asked)
        for _ in range(5):
            asking.trouble(records)
        self.assertEqual(6, records.asked)

    def test_silent_records_are_asked_once_and_not_waited_for(self):
        silence = threading.Event()
        self.addCleanup(silence.set)
        records, ping = Records(silence), Ping(0.01, 0)
        for _ in range(5):
            self.assertEqual('The records did not answer within 0.01 s.', ping.trouble(records))
        self.assertEqual(1, records.asked)


    def test_a_question_that_could_not_be_asked_is_asked_again(self):
        ping = Ping(SECONDS, SECONDS)
        with mock.patch.object(threading.Thread, 'start', side_effect=RuntimeError("can't start new thread")), self.assertRaises(RuntimeError):
            ping.trouble(Records())
        self.assertIsNone(ping.trouble(Records()))


class OptionsTest(unittest.TestCase):
    def test_seconds_that_are_none(self):
        for value in ('x', '-1', 'nan', ''):
            with self.assertRaisesRegex(exceptions.ConfigurationError, 'ping_timeout'):
                Healthcheck(None, {'ping_timeout': value})
