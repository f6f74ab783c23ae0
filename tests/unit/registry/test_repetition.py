"""Writes that come twice are done once."""
import pathlib
import tempfile
import threading
import time
import unittest
import uuid

import sqlalchemy as sa

from glance import exceptions
from glance.db.sqlalchemy import models
from glance.db.sqlalchemy.database import SQLDatabase
from glance.db.sqlalchemy.request_keys import RequestKeys
from glance.registry.repetition import Repetition, StillRunning

FOREVER = float('inf')
SECONDS = 60


class RepetitionTest(unittest.TestCase):
    def setUp(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.database = SQLDatabase.from_url('sqlite:///%s' % pathlib.Path(folder, 'db'))
        self.addCleanup(self.database.close)
        models.metadata.create_all(self.database.engine.writer)
        self.key, self.done = str(uuid.uuid4()), []

    def repetition(self, ttl=100):
        """What another process would have."""
        return Repetition(RequestKeys(self.database.engine, ttl))

    def once(self, answer=b'[1]', key=None, parts=('2.1', 'user', b'body'), repetition=None, deadline=FOREVER):
        def carry_out():
            self.done.append(answer)
            return answer
        return (repetition or self.repetition()).once(key or self.key, parts, deadline, carry_out)

    def rows(self):
        return self.database.engine.read(lambda connection: connection.scalar(
            sa.select(sa.func.count()).select_from(models.registry_requests)))

    def test_the_second_gets_the_answer_of_the_first(self):
        first = self.once(b'[1]' * 10_000)
        self.assertEqual(first, self.once(b'[2]'))
        self.assertEqual(first, self.once(b'[3]'))
        self.assertEqual([first], self.done)
        self.assertEqual(b'[4]', self.once(b'[4]', key=str(uuid.uuid4())))

    def test_a_key_belongs_to_one_request_of_one_caller(self):
        self.once()
        for parts in (('2.1', 'other', b'body'), ('2.1', 'user', b'other'), ('2.1', 'userb', b'ody')):
            with self.assertRaisesRegex(exceptions.Invalid, 'another request'):
                self.once(parts=parts)
        for key in ('', 'x', 'A' * 36, self.key.upper() + '\n', self.key + 'f'):
            with self.assertRaisesRegex(exceptions.Invalid, 'UUID'):
                self.repetition().once(key, (), FOREVER, self.fail)
        self.assertEqual(1, len(self.done))

    def test_who_comes_while_the_first_is_running_waits(self):
        running, go_on, found = threading.Event(), threading.Event(), []

        def carry_out():
            running.set()
            go_on.wait(SECONDS)
            return b'[first]'
        first = threading.Thread(target=lambda: self.repetition().once(self.key, (), FOREVER, carry_out))
        second = threading.Thread(target=lambda: found.append(self.repetition().once(self.key, (), FOREVER, self.fail)))
        first.start()
        running.wait(SECONDS)
        second.start()
        self.assertRaises(StillRunning, self.repetition().once, self.key, (), time.monotonic(), self.fail)
        go_on.set()
        first.join(SECONDS)
        second.join(SECONDS)
        self.assertEqual([b'[first]'], found)

    def test_an_attempt_without_end_is_never_repeated(self):
        with self.assertRaises(ZeroDivisionError):
            self.repetition().once(self.key, (), FOREVER, lambda: 1 // 0)
        with self.assertRaises(StillRunning) as caught:
            self.repetition().once(self.key, (), time.monotonic(), self.fail)
        self.assertIsInstance(caught.exception, exceptions.DatabaseUnavailable)

    def test_what_is_over_is_forgotten(self):
        for _ in range(3):
            self.once(key=str(uuid.uuid4()), repetition=self.repetition(ttl=-2))
        self.once()
        self.assertEqual(1, self.rows())

    def test_an_answer_that_cannot_be_kept_is_given_all_the_same(self):
        class Broken(RequestKeys):
            def finish(self, key, attempt, answer):
                raise exceptions.DatabaseUnavailable()
        with self.assertLogs('glance.registry', 'WARNING'):
            self.assertEqual(b'[1]', self.once(repetition=Repetition(Broken(self.database.engine, 100))))
        self.assertRaises(StillRunning, self.once, deadline=time.monotonic())
