"""Databases of every past release come to this one, on every engine, and no row is lost."""
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import sqlalchemy as sa

from glance.db.sqlalchemy import schema
from glance.db.sqlalchemy.migrations import chain, guarded
from tests.harness.databases import scratch_database
from tests.unit.db_migrations import history

ARTIFACTS = (
    'CREATE TABLE artifacts (id VARCHAR(36) NOT NULL PRIMARY KEY)',
    'CREATE TABLE artifact_blobs (id VARCHAR(36) NOT NULL PRIMARY KEY, artifact_id VARCHAR(36) NOT NULL,'
    ' FOREIGN KEY (artifact_id) REFERENCES artifacts (id))',
    'CREATE TABLE artifact_blob_locations (id VARCHAR(36) NOT NULL PRIMARY KEY, blob_id VARCHAR(36) NOT NULL,'
    ' FOREIGN KEY (blob_id) REFERENCES artifact_blobs (id))',
)


class Databases:
    """Gives a test as many empty databases of one kind as it asks for."""

    KIND: str
    maxDiff = None

    def empty(self) -> str:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        database = scratch_database(self.KIND, Path(folder.name))
        self.addCleanup(database.drop)
        return database.url

    def configuration(self, url: str) -> str:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = Path(folder.name) / 'glance-manage.conf'
        path.write_text(f'[database]\nconnection = {url}\n')
        return str(path)

    def fresh(self) -> dict:
        engine = schema.create_engine(self.empty())
        schema.sync(engine)
        return history.describe(engine)

    def execute(self, engine: sa.Engine, *statements: str) -> None:
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(sa.text(statement))


class Migrations(Databases):
    # One for each thing to be done; the marks themselves mean the same on every engine, and SQLite meets all of them.
    ORIGINS = tuple(history.marker(name) for name in (
        '42', 'ocata01', 'rocky_contract02', '2024_1_contract01', 'interrupted before Train', 'interrupted in Ocata'))

    def test_the_chain_makes_what_a_fresh_database_has(self):
        engine = schema.create_engine(self.empty())
        schema.upgrade(engine)
        self.assertEqual(self.fresh(), history.describe(engine))

    def test_sync_takes_other_releases_to_this_one(self):
        fresh = self.fresh()
        for origin in self.ORIGINS:
            with self.subTest(origin.name):
                engine = history.build(self.empty(), origin)
                before = history.rows(engine)
                self.assertTrue(schema.sync(engine))
                self.assert_arrived(engine, origin, before, fresh)
                self.assertFalse(schema.sync(engine))

    def assert_arrived(self, engine: sa.Engine, origin: history.Marker, before: dict, fresh: dict) -> None:
        self.assertEqual((chain.head('contract'),), schema.revisions(engine))
        self.assertEqual(history.expected_rows(before, origin), history.rows(engine))
        self.assertEqual(fresh, history.describe(engine))

    def test_artifacts_go_away(self):
        engine = history.build(self.empty(), history.marker('44'))
        self.execute(engine, *ARTIFACTS, "INSERT INTO artifacts VALUES ('a')")
        schema.sync(engine)
        self.assertEqual([], [table for table in sa.inspect(engine).get_table_names() if table.startswith('artifact')])


class RollingUpgrades(Migrations):
    def test_three_steps_take_other_releases_to_this_one(self):
        fresh = self.fresh()
        for origin in self.ORIGINS:
            with self.subTest(origin.name):
                engine = history.build(self.empty(), origin)
                before = history.rows(engine)
                schema.expand(engine)
                self.assertGreater(schema.migrate(engine), 0)
                self.assertEqual(0, schema.migrate(engine))
                schema.contract(engine)
                self.assert_arrived(engine, origin, before, fresh)

    def test_three_steps_make_what_a_fresh_database_has(self):
        engine = schema.create_engine(self.empty())
        schema.expand(engine)
        schema.migrate(engine)
        schema.contract(engine)
        self.assertEqual(self.fresh(), history.describe(engine))

    def test_services_of_upstream_can_write_between_the_steps(self):
        """Their statements name the columns of their release only."""
        engine = history.build(self.empty(), history.marker('2024_1_contract01'))
        old = history.reflected(engine, 'images')['images']
        for step in (schema.expand, schema.migrate, schema.contract):
            step(engine)
            with engine.begin() as connection:
                connection.execute(old.insert().values(
                    id=step.__name__, status='queued', created_at=history.OLD, deleted=False, min_disk=0, min_ram=0))
                self.assertEqual('shared', connection.scalar(
                    sa.select(old.c.visibility).where(old.c.id == step.__name__)))


class SQLiteMigrationsTest(RollingUpgrades, unittest.TestCase):
    KIND = 'sqlite'
    ORIGINS = history.MARKERS


class PostgreSQLMigrationsTest(Migrations, unittest.TestCase):
    KIND = 'postgresql'

    def test_an_index_whose_creation_was_interrupted_is_made_again(self):
        engine = schema.create_engine(self.empty())
        schema.upgrade(engine, '2024_1_contract01')
        self.execute(engine, 'CREATE INDEX ix_images_name ON images (name, deleted, created_at, id)',
                     "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_images_name'::regclass")
        schema.sync(engine)
        with engine.connect() as connection:
            self.assertTrue(connection.scalar(sa.text(
                "SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_images_name'::regclass")))


class MySQLMigrationsTest(RollingUpgrades, unittest.TestCase):
    KIND = 'mysql'

    def charsets(self, engine: sa.Engine) -> set[str]:
        with engine.connect() as connection:
            return set(connection.scalars(sa.text(
                'SELECT character_set_name FROM information_schema.columns WHERE table_schema = DATABASE()'
                " AND table_name <> 'alembic_version' AND character_set_name IS NOT NULL")))

    def test_new_databases_hold_all_of_unicode(self):
        engine = schema.create_engine(self.empty())
        schema.sync(engine)
        self.assertEqual({'utf8mb4'}, self.charsets(engine))

    def test_existing_tables_keep_their_character_set_and_new_ones_join_them(self):
        with mock.patch.object(guarded, 'CHARSET', 'utf8mb3'):
            engine = history.build(self.empty(), history.marker('mitaka02'))
        schema.sync(engine)
        self.assertEqual({'utf8mb3'}, self.charsets(engine))

    def test_services_of_newton_and_ocata_can_write_at_the_same_time(self):
        engine = history.build(self.empty(), history.marker('44'))
        old = history.reflected(engine, 'images')['images']
        schema.expand(engine)
        new = history.reflected(engine, 'images')['images']
        common = {'status': 'queued', 'created_at': history.OLD, 'deleted': False, 'min_disk': 0, 'min_ram': 0}
        with engine.begin() as connection:
            connection.execute(old.insert().values(id='old-public', is_public=True, **common))
            connection.execute(old.insert().values(id='old-private', is_public=False, **common))
            connection.execute(new.insert().values(id='new-public', visibility='public', **common))
            connection.execute(new.insert().values(id='new-community', visibility='community', **common))
            self.assertEqual({'old-public': (True, 'public'), 'old-private': (False, 'shared'),
                              'new-public': (True, 'public'), 'new-community': (False, 'community')},
                             self._visibilities(connection, new))
            connection.execute(old.update().where(old.c.id == 'old-public').values(is_public=False))
            connection.execute(new.update().where(new.c.id == 'old-private').values(visibility='public'))
            connection.execute(old.update().where(old.c.id == 'new-community').values(name='x'))
            self.assertEqual({'old-public': (False, 'shared'), 'old-private': (True, 'public'),
                              'new-public': (True, 'public'), 'new-community': (False, 'community')},
                             self._visibilities(connection, new))
        schema.migrate(engine)
        schema.contract(engine)
        with engine.connect() as connection:
            self.assertEqual([], connection.execute(sa.text('SHOW TRIGGERS')).all())

    def _visibilities(self, connection: sa.Connection, images: sa.Table) -> dict[str, tuple[bool, str]]:
        written = sa.or_(images.c.id.like('old-%'), images.c.id.like('new-%'))
        return {row.id: (bool(row.is_public), row.visibility)
                for row in connection.execute(images.select().where(written))}

    def test_offline_there_are_no_triggers(self):
        engine = history.build(self.empty(), history.marker('44'))
        schema.upgrade(engine, 'ocata_expand01')
        with engine.connect() as connection:
            self.assertEqual([], connection.execute(sa.text('SHOW TRIGGERS')).all())
