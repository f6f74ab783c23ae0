"""What SQL implementations promise beyond the interface: counts of statements, agreement with the one in memory, recovery."""
import concurrent.futures
import contextlib
import dataclasses
import datetime
import pathlib
import tempfile
import threading
import unittest
import uuid
from unittest import mock

import hypothesis
import sqlalchemy as sa
from hypothesis import strategies as st
from oslo_db import exception as db_errors

from glance import exceptions
from glance.db.interface import RESOURCES, Charge, Condition, ImageChanges, ImageQuery
from glance.db.memory import MemoryDatabase
from glance.db.sqlalchemy import models
from glance.db.sqlalchemy.database import SQLDatabase
from tests.db_conformance.base import ADMIN, ANONYMOUS, ME, OTHER, DatabaseCase, lease, moment
from tests.harness.databases import scratch_database


class SQLCase(unittest.TestCase):
    """One scratch database for the class, emptied for each test. ``kind`` names the engine."""

    kind: str

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        scratch = scratch_database(cls.kind, pathlib.Path(folder.name))
        cls.addClassCleanup(scratch.drop)
        cls.url = scratch.url
        cls.database = SQLDatabase.from_url(scratch.url)
        cls.addClassCleanup(cls.database.close)
        cls.create_tables(cls.database.engine.writer)

    @classmethod
    def create_tables(cls, engine):
        models.metadata.create_all(engine, checkfirst=False)

    def make_database(self):
        with self.database.engine.writer.begin() as connection:
            for table in reversed(models.metadata.sorted_tables):
                connection.execute(table.delete())
        return self.database

    @contextlib.contextmanager
    def statements(self):
        """Collect the statements that are sent to the engine meanwhile."""
        seen = []

        def note(connection, cursor, statement, parameters, context, many):
            if not statement.startswith('BEGIN'):
                seen.append(statement)
        engines = (self.database.engine.reader, self.database.engine.writer)
        for engine in engines:
            sa.event.listen(engine, 'before_cursor_execute', note)
        try:
            yield seen
        finally:
            for engine in engines:
                sa.event.remove(engine, 'before_cursor_execute', note)


class Statements(DatabaseCase):
    """Numbers of statements do not depend on the numbers of images, properties or tags."""

    def full(self, **values):
        return self.create(properties={'p%d' % i: 'v' for i in range(9)}, tags=list('abc'), locations=[{'url': 'u'}], **values)

    def check(self, count, call, *args, **kwargs):
        with self.statements() as seen:
            result = call(*args, **kwargs)
        self.assertEqual(count, len(seen), seen)
        return result

    def test_get(self):
        image = self.full(visibility='shared')
        self.db.member_create(image['id'], 'other')
        for caller in (ADMIN, ME, OTHER):
            self.check(1, self.db.image_get, caller, image['id'])
        self.check(0, self.assertRaises, exceptions.ImageNotFound, self.db.image_get, ME, 'x' * 37)

    def test_list(self):
        images = [self.full(created_at=moment(i), updated_at=moment(i)) for i in range(12)]
        for limit in (1, 5, 100):
            for caller in (ADMIN, ME, OTHER):
                query = ImageQuery(limit=limit, properties=(('p1', 'v'),), tags=('a',), visibility='all')
                self.check(2 if caller != OTHER else 1, self.db.image_list, caller, query)
        self.check(3, self.db.image_list, ME, ImageQuery(limit=5, marker=images[6]['id']))

    def test_create(self):
        self.check(1, self.create)
        self.check(2, self.create, properties={'p%d' % i: 'v' for i in range(50)})
        self.check(4, self.full)
        self.check(3, self.create, locations=[{'url': 'u%d' % i} for i in range(9)])

    def test_update(self):
        image = self.full()
        self.check(1, self.update, image['id'], columns={'name': 'x', 'min_ram': 2})
        self.check(2, self.update, image['id'], set_properties={'q%d' % i: 'v' for i in range(30)})
        self.check(3, self.update, image['id'], set_properties={'q': 'v'}, remove_properties=['p1', 'p2', 'p3'])
        self.check(3, self.update, image['id'], add_tags=['x', 'y', 'z'], remove_tags=['a', 'b'])
        self.check(2, self.update, image['id'], add_locations=[{'url': 'v'}])
        one = lease(image['id'])
        self.check(2, self.db.image_update, image['id'], ImageChanges(), acquire=one)
        self.check(2, self.db.image_update, image['id'], ImageChanges(), release=one.attempt)

    def test_charges(self):
        charge = Charge('me', {'storage': 1}, dict.fromkeys(RESOURCES, 99))
        mine = dataclasses.replace(lease(self.create(status='queued')['id']), owner='me')
        self.check(4, self.db.image_update, mine.image_id, ImageChanges({'status': 'saving'}), 'queued', mine, charge=charge)
        self.check(3, self.db.lease_reserve, mine, 'storage', 1, 2, 99)
        self.check(3, self.db.image_create, {'status': 'queued'}, charge)
        self.check(1, self.db.usage, 'me')

    def test_remove(self):
        self.check(2, self.db.image_remove, self.create()['id'])
        image = self.full()
        self.db.member_create(image['id'], 'm')
        self.db.image_update(image['id'], ImageChanges(), acquire=lease(image['id']))
        self.check(8, self.db.image_remove, image['id'])
        self.check(3, self.db.image_remove, self.create()['id'], 'pending_delete')
        image = self.full()
        self.db.image_remove(image['id'], 'pending_delete')
        self.check(3, self.db.image_scrubbed, image['id'], [location['id'] for location in image['locations']])

    def test_members(self):
        image = self.full()
        self.check(3, self.db.member_create, image['id'], 'm')
        self.check(1, self.db.member_list, image['id'])
        self.check(2, self.db.member_update, image['id'], 'm', 'accepted')
        self.check(2, self.db.member_delete, image['id'], 'm')


class Rows(DatabaseCase):
    """What the tables hold, for releases that share them."""

    def rows(self, table):
        with self.database.engine.reader.connect() as connection:
            return connection.execute(sa.select(table).order_by(table.c.id)).mappings().all()

    def test_rows_are_deleted_exactly_when_they_have_a_time_of_deletion(self):
        image = self.create(properties={'a': '1', 'b': '2'}, tags=['t', 'u'], locations=[{'url': 'u'}, {'url': 'v'}])
        self.db.member_create(image['id'], 'm')
        self.db.member_delete(image['id'], 'm')
        self.db.member_create(image['id'], 'm')
        self.update(image['id'], remove_properties=['a', 'b'], remove_tags=['t'],
                    remove_locations={image['locations'][0]['id']: 'pending_delete'})
        self.update(image['id'], set_properties={'a': '3'}, add_tags=['t'])
        for table in (models.image_properties, models.image_tags, models.image_locations, models.image_members):
            for row in self.rows(table):
                self.assertEqual(row['deleted'], row['deleted_at'] is not None, (table.name, row))
        self.update(image['id'], add_tags=['u', 't'])
        self.assertEqual([('t', True), ('u', False), ('t', False)],
                         [(row['value'], row['deleted']) for row in self.rows(models.image_tags)])
        self.assertEqual(1, len(self.rows(models.image_members)))
        self.assertEqual(2, len(self.rows(models.image_properties)))
        self.assertEqual(['pending_delete', 'active'], [row['status'] for row in self.rows(models.image_locations)])

    def test_data_at_which_another_image_has_its_own_stays(self):
        """Other releases let images share an object; they do not know the column, nor did its migration find it free."""
        url = 'rbd://cluster/pool/object/snap'
        holder, guest = self.create(locations=[{'url': url}]), self.create()
        stamps = {'created_at': moment(0), 'deleted': False, 'status': 'active'}
        with self.database.engine.writer.begin() as connection:
            connection.execute(models.image_locations.insert().values(image_id=guest['id'], value=url, **stamps))
        removal = self.db.image_remove(guest['id'], 'pending_delete')
        self.assertEqual(('deleted', []), (removal.status, removal.locations))
        self.assertEqual(['active', 'deleted'], [row['status'] for row in self.rows(models.image_locations)])
        self.assertTrue(self.db.object_in_use(url, guest['id']))
        with self.database.engine.writer.begin() as connection:
            connection.execute(models.image_locations.update().values(object_hash=None))
        removal = self.db.image_remove(holder['id'], 'pending_delete')
        self.assertEqual(('pending_delete', [url]), (removal.status, [location['url'] for location in removal.locations]))

    def test_removal_stamps_all_rows_alike_and_leaves_the_dead_ones(self):
        image = self.create(properties={'a': '1', 'b': '2'}, tags=['t'], locations=[{'url': 'u'}])
        self.db.member_create(image['id'], 'm')
        self.update(image['id'], remove_properties=['a'])
        with self.database.engine.writer.begin() as connection:
            connection.execute(models.image_properties.update().where(
                models.image_properties.c.name == 'a').values(deleted_at=moment(0)))
        stamp = self.db.image_remove(image['id'], 'pending_delete').deleted_at
        for table in (models.images, models.image_tags, models.image_locations, models.image_members):
            self.assertEqual([(True, stamp)], [(row['deleted'], row['deleted_at']) for row in self.rows(table)])
        self.assertEqual([moment(0), stamp], [row['deleted_at'] for row in self.rows(models.image_properties)])
        self.assertEqual('pending_delete', self.rows(models.image_locations)[0]['status'])

    def test_an_image_that_another_release_removed_comes_back(self):
        """Its children went a moment before its row; what went long before it stays away."""
        image = self.create(properties={'a': '1', 'old': '2'}, tags=['t'], locations=[{'url': 'u'}])
        self.update(image['id'], remove_properties=['old'])
        stamp = self.db.image_remove(image['id'], 'pending_delete').deleted_at
        moments = {'a': stamp - datetime.timedelta(seconds=2), 'old': stamp - datetime.timedelta(seconds=3)}
        with self.database.engine.writer.begin() as connection:
            for name, deleted_at in moments.items():
                connection.execute(models.image_properties.update().where(
                    models.image_properties.c.name == name).values(deleted_at=deleted_at))
            connection.execute(models.image_locations.update().values(deleted_at=stamp - datetime.timedelta(seconds=9)))
        self.db.image_restore(image['id'])
        found = self.get(image['id'])
        self.assertEqual(({'a': '1'}, ['t'], ['u']), (
            found['properties'], found['tags'], [location['url'] for location in found['locations']]))
        for table in (models.images, models.image_properties, models.image_tags, models.image_locations):
            for row in self.rows(table):
                self.assertEqual(row['deleted'], row['deleted_at'] is not None, (table.name, row))

    def test_undoing_a_removal_brings_back_nothing_else(self):
        image = self.create(properties={'a': '1', 'old': '2'}, locations=[{'url': 'u'}, {'url': 'v'}])
        self.update(image['id'], remove_properties=['old'],
                    remove_locations={image['locations'][0]['id']: 'pending_delete'})
        before = self.get(image['id'])
        removal = self.db.image_remove(image['id'], 'pending_delete')
        earlier = {'deleted_at': removal.deleted_at - datetime.timedelta(seconds=1)}
        with self.database.engine.writer.begin() as connection:
            connection.execute(models.image_properties.update().where(
                models.image_properties.c.name == 'old').values(**earlier))
            connection.execute(models.image_locations.update().where(
                models.image_locations.c.value == 'u').values(**earlier))
        self.db.image_restore(image['id'], 'active', removal)
        found = self.get(image['id'])
        self.assertEqual({**before, 'updated_at': found['updated_at']}, found)

    def test_double_memberships_of_other_releases(self):
        image = self.create(visibility='shared', name='n')
        row = {'member': 'other', 'image_id': image['id'], 'can_share': False, 'status': 'accepted',
               'created_at': moment(0), 'updated_at': moment(0), 'deleted': False}
        with self.database.engine.writer.begin() as connection:
            connection.execute(models.image_members.insert(), [row, row])
        self.assertEqual(1, len(self.db.member_list(image['id'])))
        older = self.create(visibility='shared', name='o', created_at=moment(-9))
        self.db.member_create(older['id'], 'other', 'accepted')
        self.assertEqual(['n', 'o'], self.listed(OTHER, limit=2))
        self.db.member_update(image['id'], 'other', 'rejected')
        self.db.member_delete(image['id'], 'other')
        self.assertEqual([], self.db.member_list(image['id']))
        image = self.create(visibility='shared')
        row['image_id'] = image['id']
        with self.database.engine.writer.begin() as connection:
            connection.execute(models.image_members.insert(), [row, row])
        self.db.image_remove(image['id'])
        self.assertEqual([], self.db.member_list(image['id']))


class Vanishing(DatabaseCase):
    def test_a_page_stays_full_when_an_image_vanishes_while_it_is_read(self):
        images = [self.create(name=str(i), created_at=moment(-i)) for i in range(5)]
        changes = [lambda: self.db.image_remove(images[1]['id']),
                   lambda: self.update(images[2]['id'], columns={'owner': 'other', 'visibility': 'private'})]

        def change(connection, cursor, statement, parameters, context, many):
            if 'image_properties' in statement and changes:
                changes.pop(0)()
        reader = self.database.engine.reader
        sa.event.listen(reader, 'before_cursor_execute', change)
        self.addCleanup(sa.event.remove, reader, 'before_cursor_execute', change)
        self.assertEqual(['0', '3', '4'], self.listed(ME, limit=3))
        self.assertEqual([], changes)


class TogetherCase(DatabaseCase):
    def together(self, work):
        return self.database.engine.together(work)

    def ids(self):
        return sorted(image['id'] for image in self.db.image_list(ADMIN, ImageQuery()))


class Together(TogetherCase):
    """Operations in one transaction."""

    def test_all_of_it_is_done(self):
        def work():
            image = self.create(id='one', tags=['a'])
            self.update('one', columns={'name': 'n'}, add_properties={'p': 'v'})
            self.db.member_create('one', 'm')
            self.create(id='two')
            self.assertEqual('n', self.get('one')['name'])
            return image['id'], self.ids()
        self.assertEqual(('one', ['one', 'two']), self.together(work))
        self.assertEqual({'p': 'v'}, self.get('one')['properties'])
        self.assertEqual(['m'], [member['member'] for member in self.db.member_list('one')])

    def test_or_nothing(self):
        self.create(id='one')

        def work():
            self.create(id='two')
            self.update('one', columns={'name': 'n'})
            self.create(id='one')
        self.assertRaises(exceptions.Duplicate, self.together, work)
        self.assertEqual(['one'], self.ids())
        self.assertIsNone(self.get('one')['name'])
        # What follows is on its own again.
        self.create(id='two')
        self.assertEqual(['one', 'two'], self.ids())

    def test_a_failure_of_one_is_its_own(self):
        def work():
            self.create(id='one')
            self.get('absent')
        self.assertRaises(exceptions.ImageNotFound, self.together, work)
        self.assertEqual([], self.ids())

    def test_a_deadlock_begins_it_anew(self):
        tries = []

        def work():
            self.create(id='one')
            tries.append(len(self.ids()))
            if len(tries) < 3:
                self.database.engine.read(self.deadlock)
            return 'done'
        self.assertEqual('done', self.together(work))
        self.assertEqual([1] * 3, tries)
        self.assertEqual(['one'], self.ids())

    @staticmethod
    def deadlock(connection):
        raise db_errors.DBDeadlock()


class TogetherWithOthers(TogetherCase):
    """Operations in one transaction, and what others do meanwhile, where they need not wait."""

    def elsewhere(self, work):
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            return pool.submit(work).result(60)

    def test_each_sees_what_was_committed_before_it(self):
        self.create(id='one')

        def work():
            names = [self.get('one')['name']]
            self.elsewhere(lambda: self.update('one', columns={'name': 'n'}))
            names.append(self.get('one')['name'])
            self.elsewhere(lambda: self.create(id='two'))
            return names, self.ids()
        self.assertEqual(([None, 'n'], ['one', 'two']), self.together(work))

    def test_two_that_wait_for_each_other(self):
        for image_id in ('one', 'two'):
            self.create(id=image_id)
        holding = {'one': threading.Event(), 'two': threading.Event()}
        tries = []

        def change(first, second):
            def work():
                tries.append(first)
                self.update(first, columns={'name': 'n'})
                holding[first].set()
                holding[second].wait(60)
                self.update(second, add_properties={first: 'x'})
            self.together(work)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for done in (pool.submit(change, 'one', 'two'), pool.submit(change, 'two', 'one')):
                done.result(120)
        self.assertGreater(len(tries), 2)
        for image_id, other in (('one', 'two'), ('two', 'one')):
            image = self.get(image_id)
            self.assertEqual(('n', {other: 'x'}), (image['name'], image['properties']))


class Recovery(DatabaseCase):
    """Connections that break are replaced; an answer that was lost is looked up."""

    def break_connections(self):
        """Close the sockets under the idle connections."""
        for engine in (self.database.engine.reader, self.database.engine.writer):
            with engine.connect() as connection:
                with contextlib.suppress(OSError):      # broken already
                    self.break_one(connection.connection.dbapi_connection)

    def test_stale_connections_do_not_show(self):
        image = self.create(name='n')
        self.break_connections()
        self.assertEqual(image, self.get(image['id']))
        self.break_connections()
        self.update(image['id'], columns={'name': 'm'})
        self.assertEqual(['m'], self.listed())
        self.break_connections()
        self.database.engine.together(lambda: self.update(image['id'], columns={'name': 'o'}))
        self.assertEqual(['o'], self.listed())

    def test_a_commit_without_an_answer_is_neither_repeated_nor_reported_as_lost(self):
        image = self.create(id='made before')
        calls = (lambda: self.create(id='made', properties={'a': 'b'}),
                 lambda: self.update(image['id'], columns={'name': 'changed'}, add_locations=[{'url': 'u'}]),
                 lambda: self.db.member_create(image['id'], 'm'),
                 lambda: self.db.member_delete(image['id'], 'm'),
                 lambda: self.db.image_remove('made'),
                 lambda: self.database.engine.together(lambda: (self.db.member_create(image['id'], 'm'), self.listed())))
        for committed in (True, False):
            self.db = self.make_database()
            self.create(id=image['id'])
            for call in calls:
                with self.lost_commit(committed):
                    call()
            self.assertEqual(1, len(self.get(image['id'])['locations']))
            self.assertEqual('changed', self.get(image['id'])['name'])
            self.assertEqual(['changed'], self.listed())

    @contextlib.contextmanager
    def lost_commit(self, committed):
        """Break the connection right after, or right before, the next COMMIT."""
        dialect = self.database.engine.writer.dialect
        do_commit = dialect.do_commit

        def commit_and_break(connection):
            dialect.do_commit = do_commit
            if committed:
                do_commit(connection)
            self.break_one(getattr(connection, 'dbapi_connection', connection))
            connection.cursor().execute('SELECT 1')
            raise AssertionError('the connection was not broken')
        dialect.do_commit = commit_and_break
        try:
            yield
        finally:
            dialect.do_commit = do_commit

    def test_a_connection_is_waited_for_where_the_server_has_none_left(self):
        image = self.create(name='n')
        limited = self.limited()
        held = limited.engine.reader.connect()
        with mock.patch('time.sleep', side_effect=lambda _seconds: held.close()) as waited:
            self.assertEqual(image, limited.image_get(ADMIN, image['id']))
        waited.assert_called_once()
        limited.engine.close()
        held = limited.engine.writer.connect()

        def let_go(_seconds):
            held.invalidate()
            held.close()
        with mock.patch('time.sleep', side_effect=let_go) as waited:
            limited.image_update(image['id'], ImageChanges(columns={'name': 'm'}))
        waited.assert_called()
        self.assertEqual(['m'], self.listed())

    def test_it_is_not_waited_for_for_ever(self):
        limited = self.limited(pool_timeout=0.1)
        with limited.engine.reader.connect(), self.assertLogs('glance.db.sqlalchemy.engine', 'ERROR'):
            self.assertRaises(exceptions.DatabaseUnavailable, limited.image_get, ADMIN, 'x')

    def limited(self, **options):
        """The database by way of a user that may have one connection."""
        name = 'limited_%s' % uuid.uuid4().hex[:12]
        url = sa.make_url(self.url)
        self.administer(*(statement.format(name=name, database=url.database) for statement in self.LIMITED_USER))
        self.addCleanup(self.administer, *(statement.format(name=name) for statement in self.NO_LIMITED_USER))
        database = SQLDatabase.from_url(url.set(username=name, password='limited').render_as_string(hide_password=False), **options)
        self.addCleanup(database.close)
        return database

    def administer(self, *statements):
        with self.database.engine.writer.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def test_a_database_that_is_down_is_unavailable(self):
        down = SQLDatabase.from_url(str(sa.make_url(self.url).set(port=1).render_as_string(hide_password=False)))
        self.addCleanup(down.close)
        with self.assertLogs('glance.db.sqlalchemy.engine', 'ERROR'):
            self.assertRaises(exceptions.DatabaseUnavailable, down.image_get, ADMIN, 'x')
            self.assertRaises(exceptions.DatabaseUnavailable, down.image_create, {'status': 'queued'})

    def test_a_database_without_tables_is_unavailable(self):
        with self.database.engine.writer.begin() as connection:
            connection.execute(sa.schema.DropTable(models.image_leases))
        self.addCleanup(models.image_leases.create, self.database.engine.writer, checkfirst=False)
        with self.assertLogs('glance.db.sqlalchemy.engine', 'ERROR'):
            self.assertRaises(exceptions.DatabaseUnavailable, self.db.lease_list, worker_prefix='x')


names = st.sampled_from((None, 'a', 'b', 'c'))
texts = st.sampled_from(('v', 'V', 'v ', 'w', 'é', 'e', '"', '\\', '%'))
seconds = st.integers(0, 3).map(moment)
callers = st.sampled_from((ADMIN, ANONYMOUS, ME, OTHER))
images = st.fixed_dictionaries({
    'name': names, 'size': st.sampled_from((None, 0, 5, 2 ** 40)), 'status': st.sampled_from(('active', 'queued', 'killed')),
    'owner': st.sampled_from((None, 'me', 'other', 'ME')),
    'visibility': st.sampled_from(('public', 'private', 'shared', 'community')), 'os_hidden': st.booleans(),
    'created_at': seconds, 'updated_at': seconds, 'disk_format': st.sampled_from((None, 'raw')),
    'properties': st.dictionaries(st.sampled_from(('p', 'q')), texts), 'tags': st.lists(texts, max_size=3),
})
members = st.dictionaries(st.sampled_from(('me', 'other')), st.sampled_from(('pending', 'accepted', 'rejected')))
worlds = st.lists(st.tuples(images, members, st.booleans()), max_size=12)
conditions = st.one_of(
    st.builds(Condition, st.just('name'), st.sampled_from(('eq', 'neq')), st.sampled_from((None, 'a', 'A', 'b'))),
    st.builds(Condition, st.just('name'), st.just('in'), st.lists(st.sampled_from('abC'), max_size=3).map(tuple)),
    st.builds(Condition, st.just('size'), st.sampled_from(('eq', 'neq', 'gt', 'gte', 'lt', 'lte')), st.integers(-1, 6)),
    st.builds(Condition, st.sampled_from(('created_at', 'updated_at')),
              st.sampled_from(('eq', 'neq', 'gt', 'gte', 'lt', 'lte')), seconds),
    st.builds(Condition, st.just('owner'), st.just('eq'), st.sampled_from((None, 'me', 'Me'))))
sort_keys = st.sampled_from(('name', 'size', 'created_at', 'updated_at', 'id', 'disk_format', 'status'))
sorts = st.lists(st.tuples(sort_keys, st.sampled_from(('asc', 'desc'))), max_size=3).map(tuple)
queries = st.builds(
    ImageQuery, conditions=st.lists(conditions, max_size=2).map(tuple),
    properties=st.lists(st.tuples(st.sampled_from(('p', 'q', 'P')), texts), max_size=1).map(tuple),
    tags=st.lists(texts, max_size=1).map(tuple),
    visibility=st.sampled_from((None, 'all', 'public', 'private', 'shared', 'community')),
    member_status=st.sampled_from(('accepted', 'pending', 'rejected', 'all')), hidden=st.sampled_from((None, True, False)),
    deleted=st.sampled_from((None, True, False, False)), sort=sorts, limit=st.sampled_from((None, 1, 2, 5)))


class AgainstMemory(DatabaseCase):
    """Random queries on random images give what the plain implementation gives."""

    @hypothesis.settings(max_examples=40, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
    @hypothesis.given(worlds, st.lists(st.tuples(callers, queries), min_size=4, max_size=12))
    def test_lists_agree(self, world, asked):
        databases = self.make_database(), MemoryDatabase()
        for db in databases:
            for number, (values, shared_with, removed) in enumerate(world):
                image_id = db.image_create({**values, 'id': 'image %02d' % number})['id']
                for member, status in shared_with.items():
                    db.member_create(image_id, member, status)
                if removed:
                    db.image_remove(image_id)
        for caller, query in asked:
            sql, memory = (self.all_pages(db, caller, query) for db in databases)
            self.assertEqual(memory, sql, (caller, query))

    def all_pages(self, db, caller, query):
        pages = []
        while len(pages) < 20:
            page = db.image_list(caller, query)
            for image in page:
                if image['deleted']:            # stamped with the time of the test
                    image.update(updated_at=None, deleted_at=None)
            pages.append(page)
            if not query.limit or len(page) < query.limit or any(key == 'updated_at' for key, _ in query.sort):
                break
            query = ImageQuery(**{name: getattr(query, name) for name in ImageQuery.__slots__} | {'marker': page[-1]['id']})
        return pages


MIXINS = (Statements, Rows, Vanishing, Together, AgainstMemory)
SERVERS = (Recovery, TogetherWithOthers)
