"""The DAL on MariaDB and MySQL."""
import socket

import sqlalchemy as sa

from glance import exceptions
from glance.db import validation
from glance.db.interface import Condition, ImageQuery
from glance.db.sqlalchemy import models
from tests.db_conformance import images, lists, members, sql, suite
from tests.db_conformance.base import ADMIN, ME, Caller, DatabaseCase, moment


class MySQLCase(sql.SQLCase):
    kind = 'mysql'
    LIMITED_USER = ("CREATE USER {name} IDENTIFIED BY 'limited' WITH MAX_USER_CONNECTIONS 1",
                    'GRANT ALL ON {database}.* TO {name}')
    NO_LIMITED_USER = ('DROP USER {name}',)

    def break_one(self, connection):
        connection._sock.shutdown(socket.SHUT_RDWR)


class Utf8mb3Case(MySQLCase):
    """Tables as upstream made them: three bytes a character, case folded."""

    @classmethod
    def create_tables(cls, engine):
        @sa.event.listens_for(engine, 'before_cursor_execute', retval=True)
        def narrow(connection, cursor, statement, parameters, context, many):
            return statement.replace('CHARSET=utf8mb4', 'CHARSET=utf8mb3'), parameters
        super().create_tables(engine)
        sa.event.remove(engine, 'before_cursor_execute', narrow)


class NarrowTables(DatabaseCase, Utf8mb3Case):
    def test_four_bytes_are_refused(self):
        image = self.create(name='é漢字', properties={'é': '漢字'})
        self.assertEqual(image, self.get(image['id']))
        for values in ({'name': '\U0001f600'}, {'tags': ['\U0001f600']}, {'properties': {'\U0001f600': 'x'}},
                       {'properties': {'x': '\U0001f600'}}, {'locations': [{'url': '\U0001f600'}]}):
            self.assertRaises(exceptions.Invalid, self.create, **values)
        self.assertRaises(exceptions.Invalid, self.update, image['id'], set_properties={'x': '\U0001f600'})
        self.assertRaises(exceptions.Invalid, self.db.member_create, image['id'], '\U0001f600')
        for query in ({'tags': ('\U0001f600',)}, {'properties': (('x', '\U0001f600'),)},
                      {'conditions': (Condition('name', 'eq', '\U0001f600'),)}):
            self.assertRaises(exceptions.InvalidFilter, self.listed, **query)
        self.update(image['id'], remove_tags=['\U0001f600'], remove_properties=['\U0001f600'])
        self.assertEqual([], self.listed(Caller('\U0001f600')))


class Limits(DatabaseCase, MySQLCase):
    def test_a_text_too_long_for_its_column_is_invalid(self):
        for properties in ({'a': 'x' * 65536}, {'a': 'é' * 32768}):
            self.assertRaises(exceptions.Invalid, self.create, properties=properties)
        image = self.create(properties={'a': 'é' * 32767})
        self.assertRaises(exceptions.Invalid, self.update, image['id'], add_locations=[{'url': 'x' * 65536}])
        self.assertRaises(exceptions.Invalid, self.update, image['id'], add_locations=[
            {'url': 'x', 'metadata': {'k': 'x' * 65536}}])
        self.assertEqual(image, self.get(image['id']))

    def test_times_do_not_change_when_they_are_read_again(self):
        image = self.create(created_at=moment(1).replace(microsecond=900000))
        self.assertEqual(moment(1), image['created_at'])
        self.assertEqual(image, self.get(image['id']))
        self.assertEqual(0, self.update(image['id']).microsecond)

    def test_many_long_properties(self):
        properties = {'p%d' % i: 'x' * 60000 for i in range(60)}
        image = self.create(properties=properties)
        self.assertEqual(properties, self.get(image['id'])['properties'])


class Plans(DatabaseCase, MySQLCase):
    """A page reads few rows, wherever it begins."""

    IMAGES = 6000

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        stamps = {'deleted': False, 'status': 'active', 'min_disk': 0, 'min_ram': 0, 'protected': False, 'os_hidden': False}
        with cls.database.engine.writer.begin() as connection:
            connection.execute(models.images.insert(), [
                {'id': '%05d' % i, 'name': 'n%05d' % i, 'owner': 'me' if i % 3 else 'p%d' % (i % 31), 'created_at': moment(i),
                 'updated_at': moment(i), 'visibility': 'public' if i % 10 == 0 else 'private', **stamps}
                for i in range(cls.IMAGES)])
            connection.execute(models.image_properties.insert(), [
                {'image_id': '%05d' % i, 'name': 'k', 'value': str(i % 4), 'created_at': moment(i), 'deleted': False}
                for i in range(cls.IMAGES)])
        with cls.database.engine.reader.connect() as connection:
            connection.execute(sa.text('ANALYZE TABLE images, image_properties, image_members')).all()

    def make_database(self):
        return self.database

    def rows_read(self, caller, query, marker=None):
        sort = validation.full_sort(query.sort)
        if marker is not None:
            marker = self.get(marker)
        statement, parameters = self.db._pages.find(caller, query, sort, marker)
        with self.database.engine.reader.connect() as connection:
            before = self.counters(connection)
            self.assertEqual(query.limit, len(connection.execute(statement, parameters).all()))
            return self.counters(connection) - before

    @staticmethod
    def counters(connection):
        rows = connection.execute(sa.text("SHOW SESSION STATUS LIKE 'Handler_read%'"))
        return sum(int(value) for name, value in rows if name != 'Handler_read_rnd_next')

    def test_pages_read_few_rows(self):
        by_name = {'sort': (('name', 'asc'),)}
        middle, end = '03000', '00100'
        for caller, marker, query in (
                (ME, None, {}), (ADMIN, None, {}), (ME, None, {'visibility': 'public'}), (ADMIN, middle, {}),
                (ADMIN, end, {}), (ME, middle, {}), (ME, end, {}), (ADMIN, None, by_name), (ADMIN, middle, by_name),
                (ADMIN, middle, {'sort': (('name', 'desc'),)}), (ADMIN, end, {'sort': (('name', 'desc'),)}),
                (ME, None, {'hidden': None}), (ADMIN, None, {'properties': (('k', '1'),)}),
                (ADMIN, middle, {'properties': (('k', '1'),)})):
            with self.subTest(caller=caller, marker=marker, query=query):
                query = ImageQuery(**{'limit': 20, 'hidden': False, **query})
                self.assertLessEqual(self.rows_read(caller, query, marker), 50 * 20)

    def test_a_name_is_found_by_its_index(self):
        query = ImageQuery(limit=1, hidden=False, conditions=(Condition('name', 'eq', 'n03000'),))
        self.assertLessEqual(self.rows_read(ADMIN, query), 10)


globals().update(suite.cases(__name__, MySQLCase, (*suite.MIXINS, *sql.MIXINS, *sql.SERVERS)))
globals().update(suite.cases(__name__, Utf8mb3Case, (
    images.Update, members.Members, lists.Visibility, lists.Filters, lists.Pages), 'Narrow'))
