import tempfile
import unittest
from pathlib import Path
from unittest import mock

import sqlalchemy as sa

from glance.db.sqlalchemy import schema
from glance.db.sqlalchemy.migrations.data_migrations import (
    batches,
    ocata_migrate01_community_images,
    train_migrate01_backend_to_store,
    v1_migrate01_live_rows,
    v1_migrate03_held_objects,
)
from tests.unit.db_migrations import history


class DataMigrationTest(unittest.TestCase):
    """Small batches, so that a handful of rows makes several of them."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.url = f'sqlite:///{Path(folder.name) / "glance.sqlite"}'
        patch = mock.patch.object(batches, 'BATCH', 2)
        patch.start()
        self.addCleanup(patch.stop)

    def database(self, *revisions: str) -> sa.Engine:
        engine = schema.create_engine(self.url)
        for revision in revisions:
            schema.upgrade(engine, revision)
        history.insert_rows(engine)
        return engine

    def values(self, engine: sa.Engine, statement: str) -> list:
        with engine.connect() as connection:
            return list(connection.scalars(sa.text(statement)))

    def assert_done(self, migration, engine: sa.Engine) -> None:
        self.assertFalse(migration.has_migrations(engine))
        before = history.rows(engine)
        self.assertEqual(0, migration.migrate(engine))
        self.assertEqual(before, history.rows(engine))


class CommunityImagesTest(DataMigrationTest):
    def test_visibility_follows_from_is_public_and_members(self):
        engine = self.database('mitaka02', 'ocata_expand01')
        self.assertTrue(ocata_migrate01_community_images.has_migrations(engine))
        self.assertEqual(len(history.IMAGES), ocata_migrate01_community_images.migrate(engine))
        self.assertEqual({image: visibility for image, (_, _, visibility) in history.IMAGES.items()},
                         {row['id']: row['visibility'] for row in history.rows(engine)['images']})
        self.assert_done(ocata_migrate01_community_images, engine)

    def test_a_visibility_that_somebody_has_set_stays(self):
        engine = self.database('mitaka02', 'ocata_expand01')
        with engine.begin() as connection:
            connection.execute(sa.text("UPDATE images SET visibility = 'community'"))
        self.assert_done(ocata_migrate01_community_images, engine)

    def test_an_interrupted_run_is_completed(self):
        engine = self.database('mitaka02', 'ocata_expand01')
        pages = batches.batches(engine, ocata_migrate01_community_images.WITHOUT_VISIBILITY,
                                ocata_migrate01_community_images.images.c.id)
        with mock.patch.object(ocata_migrate01_community_images, 'batches', return_value=iter([next(pages)])):
            ocata_migrate01_community_images.migrate(engine)
        next(pages)
        pages.close()
        self.assertEqual(3, len(self.values(engine, 'SELECT id FROM images WHERE visibility IS NULL')))
        self.assertEqual(3, ocata_migrate01_community_images.migrate(engine))
        self.assertEqual(['shared'], self.values(engine, "SELECT visibility FROM images WHERE id = 'shared'"))

    def test_nothing_to_do_where_is_public_is_gone(self):
        self.assertFalse(ocata_migrate01_community_images.has_migrations(self.database('ocata_contract01')))


class BackendToStoreTest(DataMigrationTest):
    def test_only_the_key_of_the_store_is_renamed(self):
        engine = self.database('rocky_contract02')
        self.assertTrue(train_migrate01_backend_to_store.has_migrations(engine))
        self.assertEqual(1, train_migrate01_backend_to_store.migrate(engine))
        found = {row['value']: row['meta_data'] for row in history.rows(engine)['image_locations']}
        self.assertEqual({**history.LOCATIONS, 'file:///old': '{"store": "fast", "note": "backend"}',
                          history.LOCATION_OF_TWO: '{}'}, found)
        self.assert_done(train_migrate01_backend_to_store, engine)


class LiveRowsTest(DataMigrationTest):
    def test_live_rows_lose_their_deletion_and_their_doubles(self):
        engine = self.database('2024_1_contract01', 'v1_expand04')
        before = history.rows(engine)
        self.assertTrue(v1_migrate01_live_rows.has_migrations(engine))
        self.assertEqual(1 + 2 + 1, v1_migrate01_live_rows.migrate(engine))
        expected = history.expected_rows(before, history.marker('2024_1_contract01'))
        expected['image_locations'] = before['image_locations']
        self.assertEqual(expected, history.rows(engine))
        self.assert_done(v1_migrate01_live_rows, engine)

    def test_each_trouble_alone_is_noticed(self):
        engine = self.database('2024_1_contract01', 'v1_expand04')
        v1_migrate01_live_rows.migrate(engine)
        troubles = [f"UPDATE {table} SET deleted_at = '2015-10-15 12:00:00.000000', deleted = 0"
                    for table in history.SOFT_DELETED_TABLES]
        troubles += [f'INSERT INTO {table} ({columns}) SELECT {columns} FROM {table} WHERE deleted = 0 LIMIT 1'
                     for table, columns in (
                         ('image_members', 'image_id, member, can_share, status, created_at, deleted'),
                         ('image_tags', 'image_id, value, created_at, deleted'))]
        for trouble in troubles:
            with self.subTest(trouble):
                with engine.begin() as connection:
                    connection.execute(sa.text(trouble))
                self.assertTrue(v1_migrate01_live_rows.has_migrations(engine))
                self.assertGreater(v1_migrate01_live_rows.migrate(engine), 0)
                self.assertFalse(v1_migrate01_live_rows.has_migrations(engine))


class HeldObjectsTest(DataMigrationTest):
    def test_the_oldest_location_holds_the_object(self):
        engine = self.database('v1_contract01', 'v1_expand04')
        with engine.begin() as connection:
            connection.execute(sa.text("INSERT INTO image_locations (image_id, value, status, created_at, deleted) VALUES "
                                       "('public', 'gcm1:x:y', 'active', '2024-01-01', 0), ('public', 'rbd://a', 'deleted', '2024-01-01', 1), "
                                       "('public', 'RBD://%61', 'pending_delete', '2024-01-01', 1), ('public', 'rbd://a', 'active', '2024-01-01', 0)"))
        self.assertTrue(v1_migrate03_held_objects.has_migrations(engine))
        self.assertEqual(8 + 1 + 1, v1_migrate03_held_objects.migrate(engine))
        held = self.values(engine, 'SELECT value FROM image_locations WHERE object_hash IS NOT NULL ORDER BY id')
        self.assertEqual([*(url for url in history.LOCATIONS if url.startswith('file')), history.LOCATION_OF_TWO, 'RBD://%61'], held)
        self.assert_done(v1_migrate03_held_objects, engine)


class BatchesTest(DataMigrationTest):
    def test_every_row_once_however_many_there_are(self):
        engine = self.database('2024_1_contract01', 'v1_expand04')
        table = sa.table('numbers', sa.column('id'))
        with engine.begin() as connection:
            connection.execute(sa.text('CREATE TABLE numbers (id INTEGER PRIMARY KEY)'))
        for count in range(6):
            with engine.begin() as connection:
                connection.execute(table.delete())
                connection.execute(table.insert(), [{'id': number} for number in range(count)]) if count else None
            found = [row.id for _, rows in batches.batches(engine, sa.select(table.c.id), table.c.id) for row in rows]
            self.assertEqual(list(range(count)), found)

    def test_an_error_undoes_its_batch_and_keeps_the_ones_before(self):
        engine = self.database('2024_1_contract01', 'v1_expand04')
        images = sa.table('images', sa.column('id'), sa.column('name'))
        with self.assertRaises(ZeroDivisionError):
            for number, (connection, rows) in enumerate(batches.batches(engine, sa.select(images.c.id), images.c.id)):
                connection.execute(images.update().where(images.c.id.in_([row.id for row in rows]))
                                   .values(name='changed'))
                1 / (1 - number)
        self.assertEqual(2, len(self.values(engine, "SELECT id FROM images WHERE name = 'changed'")))
