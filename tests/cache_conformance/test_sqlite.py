"""The cache with its books in a SQLite file."""
import os
import sqlite3
import unittest
import uuid

from glance import exceptions
from glance.cache.drivers.base import Entry
from glance.cache.drivers.sqlite import SqliteDriver
from tests.cache_conformance import suite


class SqliteCase(unittest.TestCase):
    def make_driver(self, layout):
        return SqliteDriver(os.path.join(layout.directory, 'cache.db'))


class Damage(suite.CacheConformance, SqliteCase):
    def test_damaged_books_are_begun_anew(self):
        content = self.fill(b'data')
        database = self.directory / 'cache.db'
        for content_of_file in (b'no database at all' * 300, b''):
            for suffix in ('-wal', '-shm'):
                database.with_name('cache.db' + suffix).unlink(missing_ok=True)
            (self.directory / 'cache.db.new').write_bytes(content_of_file)
            os.replace(self.directory / 'cache.db.new', database)
            self.assertEqual([content.image_id], [entry.image_id for entry in self.cache.entries()])
            self.cache.recover()
            self.assertEqual([content.image_id], [entry.image_id for entry in self.cache.driver.entries()])
            self.assertIsNotNone(self.open(content))
        self.assertEqual(b'no database at all', (self.directory / 'cache.db.damaged').read_bytes()[:18])

    def test_books_of_other_releases_are_used_as_they_are(self):
        database = self.directory / 'cache.db'
        self.cache.close()
        database.unlink()
        image_id = str(uuid.uuid4())
        with sqlite3.connect(database) as connection:
            connection.execute('CREATE TABLE cached_images (image_id TEXT PRIMARY KEY, last_accessed REAL DEFAULT 0.0, '
                               'last_modified REAL DEFAULT 0.0, size INTEGER DEFAULT 0, hits INTEGER DEFAULT 0, '
                               'checksum TEXT)')
            connection.execute('INSERT INTO cached_images VALUES (?, 2.5, 1.5, 7, 3, NULL)', (image_id,))
        connection.close()
        driver = SqliteDriver(str(database))
        self.addCleanup(driver.close)
        self.assertEqual([Entry(image_id, 7, 3, 2.5, 1.5)], driver.entries())

    def test_books_that_somebody_holds_are_waited_for_not_too_long(self):
        holder = sqlite3.connect(self.directory / 'cache.db')
        self.addCleanup(holder.close)
        holder.execute('BEGIN EXCLUSIVE')
        # The data is cached even if nobody can write that down now.
        content = self.fill(b'data')
        self.assertRaises(exceptions.CacheUnavailable, self.cache.driver.record, Entry(content.image_id, 4))
        holder.rollback()
        self.cache.recover()
        self.assertEqual([content.image_id], [entry.image_id for entry in self.cache.driver.entries()])


globals().update(suite.cases(__name__, SqliteCase))
