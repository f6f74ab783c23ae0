"""Connections: what is refused, what is retried, what is logged."""
import datetime
import pathlib
import tempfile
import unittest

import sqlalchemy as sa
from oslo_config import cfg
from oslo_db import exception as db_errors

from glance import exceptions
from glance.db.sqlalchemy import dialects, documents
from glance.db.sqlalchemy.database import SQLDatabase


class Configuration(unittest.TestCase):
    def test_urls_that_are_refused(self):
        for url, hint in (('no url', 'not a database URL'), ('oracle://user:hidden@host/x', 'oracle'), ('sqlite://', 'file'),
                          ('sqlite:///:memory:', 'file'), ('mysql+nodriver://user:hidden@host/x', 'nodriver')):
            with self.subTest(url=url), self.assertRaises(exceptions.ConfigurationError) as caught:
                SQLDatabase.from_url(url)
            self.assertIn(hint, str(caught.exception))
            self.assertNotIn('hidden', str(caught.exception))

    def test_a_connection_is_required(self):
        conf = cfg.ConfigOpts()
        conf([], default_config_files=[], default_config_dirs=[])
        self.assertRaisesRegex(exceptions.ConfigurationError, 'connection is not set', SQLDatabase, conf)

    def test_drivers_that_urls_mean(self):
        for url, driver in (('mysql://h/x?charset=utf8', 'mysql+pymysql'), ('mariadb://h/x', 'mysql+pymysql'),
                            ('mariadb+pymysql://h/x', 'mysql+pymysql'), ('postgresql://h/x', 'postgresql+psycopg2')):
            url = SQLDatabase.from_url(url).engine.reader.url
            self.assertEqual((driver, {}), (url.drivername, dict(url.query)))

    def test_nothing_is_connected_before_the_first_use(self):
        database = SQLDatabase.from_url('mysql+pymysql://nobody@host.invalid/x')
        self.assertIsInstance(database.engine.dialect, dialects.MySQL)
        database.close()

    def test_parameters_and_modes(self):
        engine = SQLDatabase.from_url('mysql://h/x', connection_parameters='read_timeout=3', mysql_sql_mode="A'B").engine
        self.assertEqual('3', engine.reader.url.query['read_timeout'])
        statement, = engine.dialect.session({'mysql_sql_mode': "A'B", 'mysql_wsrep_sync_wait': 7})
        self.assertIn("sql_mode = 'AB,STRICT_ALL_TABLES'", statement)
        self.assertIn('wsrep_sync_wait = 7', statement)


class Transactions(unittest.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.engine = SQLDatabase.from_url('sqlite:///%s' % (pathlib.Path(folder.name) / 'x.sqlite')).engine
        self.addCleanup(self.engine.close)
        self.engine.write(lambda connection: connection.execute(sa.text('CREATE TABLE t (n INTEGER)')))

    def rows(self):
        return self.engine.read(lambda connection: connection.scalars(sa.text('SELECT n FROM t ORDER BY n')).all())

    def test_a_failed_transaction_leaves_nothing(self):
        def fail(connection):
            connection.execute(sa.text('INSERT INTO t VALUES (1)'))
            raise exceptions.Conflict()
        self.assertRaises(exceptions.Conflict, self.engine.write, fail)
        self.assertEqual([], self.rows())

    def test_a_deadlock_is_retried_from_the_start(self):
        tries = []

        def work(connection):
            connection.execute(sa.text('INSERT INTO t VALUES (1)'))
            tries.append(1)
            if len(tries) < 3:
                raise db_errors.DBDeadlock()
            return 'done'
        self.assertEqual('done', self.engine.write(work))
        self.assertEqual(([1], 3), (self.rows(), len(tries)))

    def test_other_failures_of_the_database_are_one_error_and_one_line(self):
        secret = sa.text('SELECT :secret FROM missing').bindparams(secret='pass-word')
        with self.assertLogs('glance.db.sqlalchemy.engine', 'ERROR') as logs:
            self.assertRaises(exceptions.DatabaseUnavailable, self.engine.read, lambda c: c.execute(secret))
            self.assertRaises(exceptions.DatabaseUnavailable, self.engine.write, lambda c: c.execute(secret))
        for line in logs.output:
            self.assertIn('missing', line)
            self.assertNotIn('pass-word', line)
            self.assertNotIn('\n', line)

    def test_a_closed_engine_opens_again(self):
        self.engine.close()
        self.assertEqual([], self.rows())


class Documents(unittest.TestCase):
    def test_rows_of_old_releases(self):
        values = dict.fromkeys(documents.COLUMNS) | {'created_at': '2015-01-02 03:04:05', 'visibility': 'shared',
                                                     'owner': 'other', 'deleted': 0, 'protected': 1}
        document = [*values.values(), None, {'12': 'b', '5': 'a', '13': 'a'},
                    {'10': ['two', None, 'active'], '9': ['one', '{"store": "x"}', 'active']}, '1']
        image = documents.read_image(document, 'me')
        self.assertEqual(datetime.datetime(2015, 1, 2, 3, 4, 5), image['updated_at'])
        self.assertEqual(({}, ['a', 'b'], True), (image['properties'], image['tags'], image['is_member']))
        self.assertEqual([(9, 'one', {'store': 'x'}), (10, 'two', {})],
                         [(one['id'], one['url'], one['metadata']) for one in image['locations']])
        self.assertEqual((False, True, False), (image['deleted'], image['protected'], image['os_hidden']))
