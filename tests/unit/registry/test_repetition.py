"""Writes that come twice are done once."""
import pathlib
import tempfile
import threading
import time
import unittest
import uuid
from unittest import mock

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

    def repetition(self, ttl=100, keys=RequestKeys):
        """What another process would have."""
        repetition = Repetition(keys(self.database.engine, ttl))
        self.addCleanup(repetition.close)
        return repetition

    def write(self):
        """What a command does to the database."""
        self.done.append(self.database.image_create({'status': 'queued'})['id'])

    def once(self, answer=b'[1]', key=None, parts=('2.1', 'user', b'body'), repetition=None, deadline=FOREVER):
        def carry_out():
            self.write()
            return answer
        return (repetition or self.repetition()).once(key or self.key, parts, deadline, carry_out)

    def elsewhere(self, answer):
        thread = threading.Thread(target=self.once, args=(answer,))
        thread.start()
        thread.join(SECONDS)

    def rows(self, table=models.registry_requests):
        return self.database.engine.read(lambda connection: connection.scalar(sa.select(sa.func.count()).select_from(table)))

    def test_a_system_without_room_for_threads_is_no_concern_of_writers(self):
        repetition = self.repetition()
        with mock.patch.object(threading.Thread, 'start', side_effect=RuntimeError("can't start new thread")), \
                self.assertLogs('glance.registry.repetition', 'WARNING'):
            self.assertEqual(b'[1]', self.once(repetition=repetition))
        self.key = str(uuid.uuid4())
        self.assertEqual(b'[2]', self.once(b'[2]', repetition=repetition))
        self.assertEqual(b'[2]', self.once(b'[3]', repetition=repetition))

    def test_the_second_gets_the_answer_of_the_first(self):
        first = self.once(b'[1]' * 10_000)
        self.assertEqual(first, self.once(b'[2]'))
        self.assertEqual(first, self.once(b'[3]'))
        self.assertEqual((1, 1), (len(self.done), self.rows(models.images)))
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
            self.write()
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

    def test_two_that_did_not_see_each_other(self):
        def carry_out():
            self.elsewhere(b'[other]')
            self.write()                # finds the key taken, so that nothing of it stays
        self.assertEqual(b'[other]', self.repetition().once(self.key, ('2.1', 'user', b'body'), FOREVER, carry_out))
        self.assertEqual(1, self.rows(models.images))

    def test_one_that_fails_because_the_other_did_it(self):
        def carry_out():
            self.elsewhere(b'[other]')
            return b'[gone already]'
        self.assertEqual(b'[other]', self.repetition().once(self.key, ('2.1', 'user', b'body'), FOREVER, carry_out))

    def test_what_wrote_nothing_may_be_tried_again(self):
        self.assertEqual(b'[refused]', self.repetition().once(self.key, (), FOREVER, lambda: b'[refused]'))
        self.assertRaises(ZeroDivisionError, self.repetition().once, self.key, (), FOREVER, lambda: 1 // 0)
        self.assertEqual((0, b'[1]', 1), (self.rows(), self.once(), self.rows()))

    def test_an_attempt_that_wrote_and_did_not_end_is_never_repeated(self):
        def carry_out():
            self.write()
            raise ZeroDivisionError
        self.assertRaises(ZeroDivisionError, self.repetition().once, self.key, (), FOREVER, carry_out)
        with self.assertRaises(StillRunning) as caught:
            self.repetition().once(self.key, (), time.monotonic(), self.fail)
        self.assertIsInstance(caught.exception, exceptions.DatabaseUnavailable)

    def test_what_is_over_is_forgotten(self):
        repetition = self.repetition(ttl=-2)
        for _ in range(3):
            self.once(key=str(uuid.uuid4()), repetition=repetition)
        repetition.close()
        repetition = self.repetition()
        self.once(repetition=repetition)
        repetition.close()
        self.assertEqual(1, self.rows())

    def test_many(self):
        repetition, keys = self.repetition(), [str(uuid.uuid4()) for _ in range(120)]
        for number, key in enumerate(keys):
            self.once(b'%d' % number, key=key, repetition=repetition)
        repetition.close()
        for number, key in enumerate(keys):
            self.assertEqual(b'%d' % number, self.once(key=key))

    def test_an_answer_that_cannot_be_kept_is_given_all_the_same(self):
        class Broken(RequestKeys):
            def finish(self, answers):
                raise exceptions.DatabaseUnavailable()
        repetition = self.repetition(keys=Broken)
        with self.assertLogs('glance.registry', 'WARNING'):
            self.assertEqual(b'[1]', self.once(repetition=repetition))
            repetition.close()
        self.assertRaises(StillRunning, self.once, deadline=time.monotonic())
