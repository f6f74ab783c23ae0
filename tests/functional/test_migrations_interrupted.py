"""Whoever is killed while a database changes leaves one that the next run completes; two runs at once do not meet."""
import gc
import os
import signal
import subprocess
import sys
import unittest
from collections.abc import Callable

import sqlalchemy as sa

from glance.db.sqlalchemy import schema
from glance.db.sqlalchemy.migrations import lock
from tests.functional.test_migrations import Databases
from tests.unit.db_migrations import history

CHANGES = ('CREATE', 'ALTER', 'DROP', 'INSERT', 'UPDATE', 'DELETE')

# Ends as by kill -9 after as many changes to the database as its second argument says.
SYNC_AND_DIE = f"""
import os, signal, sys
import sqlalchemy as sa
from glance.db.sqlalchemy import schema
engine = schema.create_engine(sys.argv[1])
left = int(sys.argv[2])
@sa.event.listens_for(engine, 'after_cursor_execute')
def die(connection, cursor, statement, *rest):
    global left
    left -= statement.strip().startswith({CHANGES})
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
schema.sync(engine)
"""


class Killed(BaseException):
    """Stands for the end of the process: nothing that cleans up after errors may catch it."""


def run_with_kills(url: str, action: Callable[[sa.Engine], object], every: int = 1) -> int:
    """Repeat ``action`` until it ends, and kill it after each change (each n-th) that no earlier run had come to.

    :returns: the number of kills
    """
    seen, kills = set(), 0
    while True:
        engine = schema.create_engine(url)

        @sa.event.listens_for(engine, 'after_cursor_execute')
        def kill(_connection, _cursor, statement, parameters, *_rest):
            change = (statement, str(parameters))
            if statement.strip().startswith(CHANGES) and change not in seen:
                seen.add(change)
                if len(seen) % every == 0:
                    raise Killed

        try:
            action(engine)
        except (Killed, sa.exc.PendingRollbackError):   # the latter where alembic wants to clean up after the former
            kills += 1
        else:
            return kills
        gc.collect()   # closes the connections that a traceback holds, as the end of a process does


class Interruptions(Databases):
    WAYS = (((schema.sync,), 6),)   # steps, kill after each n-th change

    def test_an_upgrade_killed_again_and_again_arrives(self):
        for steps, every in self.WAYS:
            with self.subTest([step.__name__ for step in steps]):
                url, origin = self.empty(), history.marker('44')
                before = history.rows(history.build(url, origin))
                kills = sum(run_with_kills(url, step, every) for step in steps)
                self.assertGreater(kills * every, 40)
                engine = schema.create_engine(url)
                self.assertIsNone(schema.check(engine))
                self.assertEqual(history.expected_rows(before, origin), history.rows(engine))
                self.assertEqual(self.fresh(), history.describe(engine))

    def test_a_creation_killed_again_and_again_arrives(self):
        for create in (schema.sync, schema.upgrade):
            with self.subTest(create.__name__):
                url = self.empty()
                self.assertGreater(run_with_kills(url, create, every=13), 3)
                self.assertEqual(self.fresh(), history.describe(schema.create_engine(url)))

    def test_a_process_that_is_killed(self):
        url, origin = self.empty(), history.marker('44')
        before = history.rows(history.build(url, origin))
        for changes in (4, 12, 30):
            process = subprocess.run([sys.executable, '-c', SYNC_AND_DIE, url, str(changes)], timeout=120,
                                     env=os.environ | {'PYTHONPATH': os.pathsep.join(sys.path)}, check=False)
            self.assertEqual(-signal.SIGKILL, process.returncode)
        engine = schema.create_engine(url)
        self.assertTrue(schema.sync(engine))
        self.assertEqual(history.expected_rows(before, origin), history.rows(engine))

    def test_two_at_once_wait_for_each_other(self):
        url, origin = self.empty(), history.marker('44')
        engine = history.build(url, origin)
        before = history.rows(engine)
        command = [sys.executable, '-m', 'glance.cmd.manage', '--config-file', self.configuration(url), 'db', 'sync']
        with lock.exclusive(engine):
            processes = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                          env=os.environ | {'PYTHONPATH': os.pathsep.join(sys.path)})
                         for _ in range(2)]
            for process in processes:
                self.addCleanup(process.wait)
                self.addCleanup(process.kill)
                self.assertTrue(any(lock.WAITING in line for line in process.stderr))
            self.assertEqual(origin.meaning, schema.revisions(engine))
        outputs = [process.communicate(timeout=120)[0] for process in processes]
        self.assertEqual([0, 0], [process.returncode for process in processes])
        self.assertEqual(['Database is synced successfully.\n', 'Database is up to date. No migrations needed.\n'],
                         sorted(outputs))
        self.assertEqual(history.expected_rows(before, origin), history.rows(engine))


class SQLiteInterruptionsTest(Interruptions, unittest.TestCase):
    KIND = 'sqlite'
    WAYS = (*Interruptions.WAYS, ((schema.expand, schema.migrate, schema.contract), 5))


class MySQLInterruptionsTest(Interruptions, unittest.TestCase):
    """The one that takes no change back when it is killed: here the last one is more often another."""

    KIND = 'mysql'
    WAYS = (((schema.sync,), 3),)


class PostgreSQLInterruptionsTest(Interruptions, unittest.TestCase):
    KIND = 'postgresql'
