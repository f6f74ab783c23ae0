"""The cache with its books in the database of the service."""
import os
import pathlib
import tempfile
import unittest
import uuid

from glance.cache import building
from glance.cache.drivers.base import Entry
from glance.cache.drivers.centralized_db import CentralizedDriver
from glance.cache.drivers.sqlite import SqliteDriver
from glance.db.memory import MemoryDatabase
from glance.db.sqlalchemy import models
from glance.db.sqlalchemy.database import SQLDatabase
from tests.cache_conformance import suite
from tests.unit.layers import fakes

HERE, THERE = 'http://here:9292', 'http://there:9292'


class CentralizedCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.database = SQLDatabase.from_url('sqlite:///%s' % pathlib.Path(folder.name, 'glance.sqlite'))
        cls.addClassCleanup(cls.database.close)
        models.metadata.create_all(cls.database.engine.writer)

    def setUp(self):
        self.database.cache_delete(HERE)
        self.database.cache_delete(THERE)
        super().setUp()

    def make_driver(self, layout):
        return CentralizedDriver(self.database, HERE)


class Nodes(suite.CacheConformance, CentralizedCase):
    def test_nodes_keep_their_books_apart(self):
        content = self.fill(b'data')
        there = CentralizedDriver(self.database, THERE)
        self.assertEqual([], there.entries())
        there.record(Entry(content.image_id, 4, 9, 1700000000.0, 1700000000.0))
        self.assertEqual(0, self.entry(content).hits)
        self.assertEqual(content.checksum, self.entry(content).checksum)
        self.assertEqual([HERE, THERE], there.nodes(content.image_id))
        self.cache.clear()
        self.assertEqual([THERE], there.nodes(content.image_id))
        self.assertEqual(1700000000.0, there.entries()[0].last_accessed)


class Migration(unittest.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = fakes.temporary_directory(self)
        self.database = MemoryDatabase()
        self.conf = fakes.make_conf(self.directory, '[DEFAULT]\nimage_cache_dir = %s\nimage_cache_driver = centralized_db\n'
                                                    'worker_self_reference_url = %s\n' % (self.directory, HERE))
        self.cache = building.build(self.conf, lambda: self.database)
        self.addCleanup(self.cache.close)
        self.former = SqliteDriver(os.path.join(self.directory, 'cache.db'))
        self.addCleanup(self.former.close)

    def test_the_books_move_once(self):
        moved, known = str(uuid.uuid4()), str(uuid.uuid4())
        self.former.record(Entry(moved, 7, 3, 1700000001.0, 1700000000.0))
        self.former.record(Entry(known, 7, 3, 1.0, 1.0))
        self.cache.driver.record(Entry(known, 7, 5, 2.0, 2.0))
        self.assertEqual(1, building.migrate(self.conf, self.cache))
        self.assertEqual([], self.former.entries())
        entries = {entry.image_id: entry for entry in self.cache.driver.entries()}
        self.assertEqual((5, 2.0), (entries[known].hits, entries[known].last_accessed))
        self.assertEqual((7, 3, 1700000001.0, 1700000000.0), (entries[moved].size, entries[moved].hits,
                                                              entries[moved].last_accessed, entries[moved].last_modified))
        self.assertEqual(0, building.migrate(self.conf, self.cache))

    def test_nothing_moves_where_there_is_nothing(self):
        self.former.close()
        os.unlink(self.former.path)
        self.assertEqual(0, building.migrate(self.conf, self.cache))
        self.assertFalse(os.path.exists(self.former.path))


globals().update(suite.cases(__name__, CentralizedCase))
