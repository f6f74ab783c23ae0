"""The DAL on SQLite."""
import multiprocessing

import sqlalchemy as sa

from glance.db.interface import ImageChanges
from glance.db.sqlalchemy.database import SQLDatabase
from tests.db_conformance import sql, suite
from tests.db_conformance.base import DatabaseCase


class SQLiteCase(sql.SQLCase):
    kind = 'sqlite'


def write(url, image_id, number):
    """In a child process: change one image many times, with transactions that begin by writing and by reading."""
    db = SQLDatabase.from_url(url)
    for i in range(40):
        db.image_update(image_id, ImageChanges(set_properties={'p%d.%d' % (number, i): 'x'}))
        db.member_create(image_id, '%d.%d' % (number, i))
    db.close()


class Processes(DatabaseCase, SQLiteCase):
    def test_processes_wait_for_each_other(self):
        image_id = self.create()['id']
        context = multiprocessing.get_context('spawn')
        children = [context.Process(target=write, args=(self.url, image_id, number)) for number in range(3)]
        for child in children:
            child.start()
        write(self.url, image_id, 9)
        for child in children:
            child.join(60)
            self.assertEqual(0, child.exitcode)
        self.assertEqual(160, len(self.get(image_id)['properties']))
        self.assertEqual(160, len(self.db.member_list(image_id)))

    def test_settings_of_connections(self):
        for engine in (self.database.engine.reader, self.database.engine.writer):
            with engine.connect() as connection:
                pragmas = {name: connection.scalar(sa.text('PRAGMA ' + name)) for name in (
                    'journal_mode', 'foreign_keys', 'busy_timeout', 'synchronous')}
            self.assertEqual({'journal_mode': 'wal', 'foreign_keys': 1, 'busy_timeout': 30000, 'synchronous': 2}, pragmas)


globals().update(suite.cases(__name__, SQLiteCase, suite.MIXINS + sql.MIXINS))
