import tempfile
import unittest
from pathlib import Path

import sqlalchemy as sa

from glance.db.sqlalchemy import models, schema
from glance.db.sqlalchemy.schema import SchemaError, Step
from tests.unit.db_migrations import history


class SchemaTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / 'glance.sqlite'
        self.url = f'sqlite:///{self.path}'
        self.engine = schema.create_engine(self.url)

    def execute(self, *statements: str) -> None:
        with self.engine.begin() as connection:
            for statement in statements:
                connection.execute(sa.text(statement))

    def tables(self) -> set[str]:
        return set(sa.inspect(self.engine).get_table_names())


class EngineTest(unittest.TestCase):
    def assert_refused(self, connection: str | None, *words: str) -> None:
        with self.assertRaises(SchemaError) as caught:
            schema.create_engine(connection)
        for word in ('connection', '[database]', *words):
            self.assertIn(word, str(caught.exception))
        self.assertNotIn('s3cret', str(caught.exception))

    def test_unset(self):
        self.assert_refused(None, 'not set')
        self.assert_refused('', 'not set')

    def test_malformed(self):
        self.assert_refused('glance:s3cret@host', 'not the URL')
        self.assert_refused('mysql+pymysql://glance:s3cret@host:port/glance', 'not the URL')
        self.assert_refused('oldbase://glance:s3cret@host/glance', 'not the URL')

    def test_driver_that_is_not_installed(self):
        self.assert_refused('mysql+cymysql://glance:s3cret@host/glance', 'cymysql')

    def test_nobody_answers(self):
        self.assert_refused('mysql+pymysql://glance:s3cret@127.0.0.1:1/glance', 'cannot be reached', '127.0.0.1:1')

    def test_folder_that_does_not_exist(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assert_refused(f'sqlite:///{folder}/missing/glance.sqlite', f'{folder}/missing', 'does not exist')

    def test_database_in_memory(self):
        self.assert_refused('sqlite://', 'memory')


class StateTest(SchemaTest):
    def test_markers_of_all_releases(self):
        for origin in history.MARKERS:
            with self.subTest(origin.name), tempfile.TemporaryDirectory() as folder:
                engine = history.build(f'sqlite:///{folder}/glance.sqlite', origin)
                self.assertEqual(origin.meaning, schema.revisions(engine))

    def test_empty(self):
        self.assertEqual((), schema.revisions(self.engine))
        self.assertIs(Step.EXPAND, schema.check(self.engine))

    def test_reading_changes_nothing(self):
        history.build(self.url, history.marker('pike01'))
        before = self.path.read_bytes()
        schema.revisions(self.engine)
        schema.check(self.engine)
        self.assertEqual(before, self.path.read_bytes())

    def test_unknown_revision(self):
        schema.sync(self.engine)
        self.execute("UPDATE alembic_version SET version_num = '2027_1_contract01'")
        for action in (schema.revisions, schema.check, schema.sync, schema.expand, schema.stamp):
            with self.assertRaisesRegex(SchemaError, '2027_1_contract01.*v1_contract04'):
                action(self.engine)

    def test_older_than_liberty(self):
        self.execute('CREATE TABLE migrate_version (version INTEGER)', 'INSERT INTO migrate_version VALUES (41)')
        with self.assertRaisesRegex(SchemaError, 'version 41.*Liberty'):
            schema.sync(self.engine)

    def test_number_that_no_release_has_left(self):
        self.execute('CREATE TABLE migrate_version (version INTEGER)', 'INSERT INTO migrate_version VALUES (46)')
        with self.assertRaisesRegex(SchemaError, 'version 46'):
            schema.sync(self.engine)

    def test_tables_without_a_mark_are_left_alone(self):
        schema.sync(self.engine)
        self.execute('DROP TABLE alembic_version')
        with self.assertRaisesRegex(SchemaError, 'images.*version_control'):
            schema.sync(self.engine)
        self.assertIn('images', self.tables())

    def test_rows_without_a_mark_are_left_alone(self):
        schema.sync(self.engine)
        history.insert_rows(self.engine)
        self.execute('DELETE FROM alembic_version')
        with self.assertRaisesRegex(SchemaError, 'version_control'):
            schema.sync(self.engine)
        self.assertEqual(len(history.IMAGES), len(history.rows(self.engine)['images']))

    def test_steps_in_their_order(self):
        engine = history.build(self.url, history.marker('44'))
        self.assertIs(Step.EXPAND, schema.check(engine))
        for action in (schema.migrate, schema.contract):
            with self.assertRaisesRegex(SchemaError, 'db expand'):
                action(engine)
        schema.expand(engine)
        self.assertIs(Step.MIGRATE, schema.check(engine))
        with self.assertRaisesRegex(SchemaError, 'db migrate'):
            schema.contract(engine)
        schema.migrate(engine)
        self.assertIs(Step.CONTRACT, schema.check(engine))
        schema.contract(engine)
        self.assertIsNone(schema.check(engine))

    def test_newest_upstream_release_is_told_apart(self):
        schema.upgrade(self.engine, '2023_1_contract01')
        self.assertFalse(schema.is_upstream(self.engine))
        schema.upgrade(self.engine, '2024_1_contract01')
        self.assertTrue(schema.is_upstream(self.engine))
        schema.expand(self.engine)
        self.assertFalse(schema.is_upstream(self.engine))


class SyncTest(SchemaTest):
    def test_empty_database(self):
        self.assertTrue(schema.sync(self.engine))
        self.assertEqual(('v1_contract04',), schema.revisions(self.engine))
        self.assertEqual({*models.metadata.tables, 'alembic_version'}, self.tables())
        self.assertFalse(schema.sync(self.engine))

    def test_readers_and_a_writer_can_work_at_once_afterwards(self):
        schema.sync(self.engine)
        with self.engine.connect() as connection:
            self.assertEqual('wal', connection.scalar(sa.text('PRAGMA journal_mode')))

    def test_tables_of_others_stay(self):
        self.execute('CREATE TABLE invoices (id INTEGER)')
        schema.sync(self.engine)
        self.assertIn('invoices', self.tables())

    def test_an_interrupted_creation_is_started_over(self):
        schema.sync(self.engine)
        self.execute('DELETE FROM alembic_version', 'DROP INDEX ix_tasks_type', 'DROP TABLE metadef_tags')
        self.assertTrue(schema.sync(self.engine))
        self.assertEqual({*models.metadata.tables, 'alembic_version'}, self.tables())
        self.assertIn('ix_tasks_type', {index['name'] for index in sa.inspect(self.engine).get_indexes('tasks')})

    def test_is_public_is_not_dropped_while_an_image_has_no_visibility(self):
        history.build(self.url, history.marker('interrupted in Ocata'))
        self.execute('CREATE TRIGGER undo AFTER UPDATE ON images BEGIN'
                     ' UPDATE images SET visibility = NULL WHERE id = NEW.id; END')
        with self.assertRaisesRegex(Exception, 'visibility'):
            schema.sync(self.engine)
        self.assertIn('is_public', {column['name'] for column in sa.inspect(self.engine).get_columns('images')})


class UpgradeTest(SchemaTest):
    def test_one_revision_moves_the_rows_on_the_way(self):
        engine = history.build(self.url, history.marker('44'))
        self.assertEqual(('pike_contract01',), schema.upgrade(engine, 'pike_contract01'))
        rows = history.rows(engine)
        self.assertEqual({image: each[2] for image, each in history.IMAGES.items()},
                         {row['id']: row['visibility'] for row in rows['images']})
        self.assertIn('"backend": "fast"', rows['image_locations'][1]['meta_data'])

    def test_never_back(self):
        schema.sync(self.engine)
        self.assertEqual(('v1_contract04',), schema.upgrade(self.engine, 'liberty'))

    def test_names_of_the_linear_time(self):
        self.assertEqual(('pike_contract01',), schema.upgrade(self.engine, 'pike01'))

    def test_unknown_revision(self):
        with self.assertRaisesRegex(SchemaError, 'nonsense.*v1_contract04'):
            schema.upgrade(self.engine, 'nonsense')
        self.assertEqual(set(), self.tables())


class StampTest(SchemaTest):
    def test_nothing_but_the_mark_changes(self):
        self.assertEqual(('liberty',), schema.stamp(self.engine))
        self.assertEqual({'alembic_version'}, self.tables())

    def test_heads_are_one_mark(self):
        self.assertEqual(('v1_contract04',), schema.stamp(self.engine, 'heads'))

    def test_tables_without_a_mark(self):
        schema.upgrade(self.engine, '2024_1_contract01')
        self.execute('DROP TABLE alembic_version')
        self.assertEqual(('2024_1_contract01',), schema.stamp(self.engine, '2024_1_contract01'))
        self.assertTrue(schema.sync(self.engine))

    def test_a_newer_mark_is_replaced_by_force_only(self):
        schema.sync(self.engine)
        with self.assertRaisesRegex(SchemaError, 'v1_contract04.*--force'):
            schema.stamp(self.engine, '2024_1_contract01')
        self.assertEqual(('2024_1_contract01',), schema.stamp(self.engine, '2024_1_contract01', force=True))

    def test_the_number_of_the_older_tool_counts_as_a_mark(self):
        engine = history.build(self.url, history.marker('44'))
        with self.assertRaisesRegex(SchemaError, 'mitaka02.*liberty'):
            schema.stamp(engine, 'liberty')

    def test_an_unknown_mark_is_replaced_by_force_only(self):
        schema.sync(self.engine)
        self.execute("UPDATE alembic_version SET version_num = '2027_1_contract01'")
        self.assertEqual(('2024_1_contract01',), schema.stamp(self.engine, '2024_1_contract01', force=True))

    def test_handing_a_database_back_and_taking_it_over_again(self):
        schema.sync(self.engine)
        before = history.describe(self.engine)
        schema.stamp(self.engine, '2024_1_contract01', force=True)
        self.assertTrue(schema.sync(self.engine))
        self.assertEqual(before, history.describe(self.engine))
