"""The audit goes on after an interruption, takes little memory, and judges objects by all their names."""
import os
import tempfile
import tracemalloc
import unittest

from glance import exceptions
from glance.db.memory import MemoryDatabase
from glance.scrub.audit import Audit
from glance.scrub.inventory import Inventory, name_of
from glance.store.base import Location, StoredObject
from tests.unit.layers import fakes


class Store:
    name, schemes = 'main', ('file',)

    def __init__(self, names=()):
        self.names, self.walks, self.deleted = list(names), 0, []

    def walk(self):
        self.walks += 1
        for name in self.names:
            yield StoredObject(Location('file:///data/%s' % name), 10, 9999.0, name)

    def delete(self, location):
        self.deleted.append(os.path.basename(location.url))

    def size(self, location):
        if os.path.basename(location.url) not in self.names:
            raise exceptions.ObjectNotFound()
        return 10


class Stores:
    def __init__(self, store):
        self.store = store

    def for_location(self, url, metadata):
        return self.store


class AuditTest(unittest.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, 'state')
        self.database = MemoryDatabase()

    def image(self, name, url='file:///data/%s', **values):
        self.database.image_create({'id': name, 'status': 'active', 'owner': 'me', 'size': 10,
                                    'locations': [{'url': url % name}], **values})

    def audit(self, store, finished=True, **arguments):
        inventory = Inventory(self.path, {'stores': 'x'})
        try:
            return [(each.kind, each.image_id, each.state) for each in Audit(
                self.database, Stores(store), inventory, 3600, **arguments).run({'main': store})]
        finally:
            inventory.close(finished)

    def test_interrupted_and_begun_again(self):
        store = Store('abc')
        self.image('a')
        database, self.database = self.database, fakes.Failing(self.database, location_list=[exceptions.DatabaseUnavailable()])
        with self.assertRaises(exceptions.DatabaseUnavailable):
            self.audit(store, finished=False)
        self.database = database
        self.assertEqual([('orphan', 'b', 'removed'), ('orphan', 'c', 'removed')], self.audit(store, delete=True))
        self.assertEqual((1, ['b', 'c']), (store.walks, store.deleted))
        self.assertFalse(os.path.exists(self.path))

    def test_a_record_that_comes_in_between_saves_the_data(self):
        store = Store('ab')
        self.audit(store, finished=False)
        self.image('b')
        self.assertEqual([('orphan', 'a', 'removed')], self.audit(store, delete=True))

    def test_an_object_may_be_named_by_the_record_of_another_image(self):
        store = Store('ab')
        self.image('a')
        self.image('x', 'file:///data/b%.0s')
        self.assertEqual([], self.audit(store, delete=True))

    def test_other_terms(self):
        Inventory(self.path, {'stores': 'y'}).close(False)
        self.assertRaises(exceptions.ConfigurationError, self.audit, Store())

    def test_a_location_that_cannot_be_decrypted_keeps_all_objects(self):
        self.image('a')
        self.image('c')
        listed = self.database.location_list
        self.database.location_list = lambda *arguments: [
            each if each.image_id == 'c' or each.location.pop('url') is None else each for each in listed(*arguments)]
        self.assertEqual([('orphan', 'b', 'kept')], self.audit(Store('bc'), delete=True))

    def test_many_objects_take_little_memory(self):
        store = Store('%08d' % number for number in range(5000))
        self.image('00000001')
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        inventory = Inventory(None, {})
        number = sum(1 for _ in Audit(self.database, Stores(store), inventory, 3600).run({'main': store}))
        inventory.close(True)
        self.assertEqual(4999, number)
        self.assertLess(tracemalloc.get_traced_memory()[1], 2 * 1024 * 1024)

    def test_an_audit_without_a_file_leaves_none_open(self):
        before = set(os.listdir('/proc/self/fd'))
        Inventory(None, {}).close(False)
        self.assertEqual(set(), set(os.listdir('/proc/self/fd')) - before)

    def test_names(self):
        for one, other in (('file:///a/b', 'filesystem:///a/b'), ('rbd://x/y%2Fz', 'rbd://x/y/z'), ('S3://a/b', 's3://a/b')):
            self.assertEqual(name_of(one), name_of(other))
