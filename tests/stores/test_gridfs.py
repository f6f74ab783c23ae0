"""The GridFS driver with the real pymongo, against a substitute for the server: tools/backends/mongodb.sh."""
import contextlib
import datetime
import functools
import os
import unittest
import uuid

import gridfs
import pymongo
from bson import ObjectId

from glance import exceptions
from glance.store.base import Location
from glance.store.drivers import gridfs as driver
from glance.store.drivers.gridfs import CHUNK, GridfsStore
from tests.harness.backend import shared_backend
from tests.harness.store_options import store_options
from tests.store_conformance.suite import MIB, StoreConformance, read_to_end


def make(uri: str, **values) -> GridfsStore:
    return GridfsStore.from_options(store_options('gridfs', mongodb_store_uri=uri, **values), 'gridfs')


class Database:
    """Mixin to a TestCase: a database of its own."""

    def setUp(self):
        name = 'glance-%s' % uuid.uuid4().hex
        server = shared_backend('mongodb')['MONGODB_URI']
        self.uri = '%s/%s?appName=%s' % (server, name, name)     # failures can be ordered for one application only
        self.factory = functools.partial(make, self.uri)
        self.client = pymongo.MongoClient(server)
        self.addCleanup(self.client.close)
        self.database = self.client[name]
        self.addCleanup(self.client.drop_database, name)
        super().setUp()

    def pieces(self):
        return {'file %s' % file['_id'] for file in self.database['fs.files'].find()} \
            | {'chunk %s %d' % (chunk['files_id'], chunk['n']) for chunk in self.database['fs.chunks'].find()}


class Conformance(Database, StoreConformance, unittest.TestCase):
    pass


class Driver(Database, unittest.TestCase):

    def setUp(self):
        super().setUp()
        self.store = self.factory()
        self.addCleanup(self.store.close)
        self.image_id, self.attempt = str(uuid.uuid4()), str(uuid.uuid4())

    def write(self, content, store=None):
        writer = (store or self.store).writer(self.image_id, None, self.attempt)
        writer.write(memoryview(content))
        return writer

    def read(self, location):
        with contextlib.closing(self.store.open(location)) as reader:
            return read_to_end(reader)

    def order_failure(self, *commands, times=1, **how):
        """The server fails the next such commands of the store under test, as test builds of the real one do."""
        self.client.admin.command('configureFailPoint', 'failCommand', mode={'times': times},
                                  data={'failCommands': commands, 'appName': self.database.name, **how})
        self.addCleanup(self.client.admin.command, 'configureFailPoint', 'failCommand', mode='off',
                        data={'appName': self.database.name})

    def test_other_programs_read_what_is_written(self):
        content = os.urandom(5 * CHUNK + 7)
        self.write(content).commit()
        self.assertEqual(content, gridfs.GridFS(self.database).get(self.image_id).read())
        file = self.database['fs.files'].find_one()
        self.assertEqual((self.image_id, len(content), CHUNK), (file['_id'], file['length'], file['chunkSize']))

    def test_what_other_programs_wrote_is_read_and_deleted(self):
        content = os.urandom(700_000)
        gridfs.GridFS(self.database).put(content, _id=self.image_id)     # chunks of 255 KiB, no attempt
        gridfs.GridFS(self.database).put(b'mine', _id=ObjectId())
        location = self.store.location(self.image_id)
        self.assertEqual([location], [found.location for found in self.store.walk()])
        self.assertEqual(content, self.read(location))
        self.assertEqual((0, []), (self.store.discard(self.image_id), self.store.sweep(0)))
        self.store.delete(location)
        self.assertEqual(2, len(self.pieces()), 'what is no image stays')

    def test_second_writer_does_not_touch_the_chunks_of_the_first(self):
        content = os.urandom(9 * MIB)
        first = self.write(content)
        other = self.factory()
        self.addCleanup(other.close)
        second = other.writer(self.image_id)
        with self.assertRaises(exceptions.ObjectExists):
            second.write(memoryview(bytes(5 * MIB)))
        second.abort()
        self.assertEqual(content, self.read(first.commit()))

    def test_empty_object_wins_against_chunks(self):
        first = self.write(bytes(4 * MIB))
        other = self.factory()
        self.addCleanup(other.close)
        location = other.writer(self.image_id).commit()
        with self.assertRaises(exceptions.ObjectExists):
            first.commit()
        dead = self.store
        self.store = self.factory()
        self.addCleanup(self.store.close)
        self.assertEqual([], dead.sweep(0), 'it lives')
        self.assertEqual([self.image_id], self.store.sweep(0))
        first.abort()
        self.assertEqual((b'', {'file %s' % self.image_id}), (self.read(location), self.pieces()))

    def test_leftovers_are_told_by_attempt_and_age(self):
        dead, living = self.factory(), self.store
        self.addCleanup(dead.close)
        writer = self.write(bytes(4 * MIB), dead)
        self.assertEqual(0, living.discard(self.image_id, str(uuid.uuid4())))
        self.assertEqual(0, dead.discard(self.image_id, self.attempt), 'it lives')
        self.assertEqual([], living.sweep(3600))
        self.assertEqual(4 * MIB, living.discard(self.image_id, self.attempt))
        with self.assertRaisesRegex(exceptions.StoreError, 'removed while it was written'):
            writer.commit()
        writer.abort()
        self.assertEqual(set(), self.pieces())

    def test_old_leftovers_are_swept(self):
        old = ObjectId.from_datetime(datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=2))
        self.database['fs.chunks'].insert_one({'_id': old, 'files_id': self.image_id, 'n': 0, 'data': b'x'})
        self.database['fs.chunks'].insert_one({'_id': ObjectId(), 'files_id': ObjectId(), 'n': 0, 'data': b'x'})
        self.assertEqual([], self.store.sweep(3 * 3600))
        self.assertEqual([self.image_id], self.store.sweep(3600))
        self.assertEqual(1, len(self.pieces()), 'what belongs to no image stays')

    def test_discard_of_a_committed_object(self):
        self.write(bytes(MIB)).commit()
        self.assertEqual(0, self.store.discard(self.image_id, self.attempt))
        self.assertEqual(0, self.store.discard(self.image_id, str(uuid.uuid4()), committed=True))
        self.assertEqual(MIB, self.store.discard(self.image_id, self.attempt, committed=True))
        self.assertEqual(set(), self.pieces())

    def test_failures_of_the_server(self):
        for how, error in (({'errorCode': 14031}, exceptions.StoreFull), ({'errorCode': 13}, exceptions.StoreWriteDenied),
                           ({'errorCode': 18}, exceptions.StoreUnavailable), ({'errorCode': 91}, exceptions.StoreUnavailable),
                           ({'closeConnection': True}, exceptions.StoreUnavailable)):
            writer = self.write(bytes(5 * MIB))
            self.order_failure('insert', **how)
            with self.assertRaises(error), self.assertLogs(driver.LOG, 'ERROR') as logs:
                writer.commit()
            self.assertNotIn(self.uri, ''.join(logs.output))
            writer.abort()
            self.assertEqual(set(), self.pieces(), how)
        self.assertEqual(b'space again', self.read(self.write(b'space again').commit()))

    def test_abort_when_the_server_fails(self):
        writer = self.write(bytes(4 * MIB))
        self.order_failure('delete', errorCode=91)
        with self.assertLogs(driver.LOG, 'ERROR'):
            writer.abort()
        self.assertEqual([self.image_id], self.store.sweep(0))
        self.assertEqual(set(), self.pieces())

    def test_denied_reading_and_deleting(self):
        location = self.write(b'content').commit()
        for command, operation in (('find', self.store.open), ('find', self.store.size), ('delete', self.store.delete)):
            self.order_failure(command, errorCode=13)
            with self.assertRaises(exceptions.StoreForbidden), self.assertLogs(driver.LOG, 'ERROR'):
                operation(location)

    def test_missing_chunk_is_no_quiet_end(self):
        location = self.write(bytes(3 * MIB)).commit()
        self.database['fs.chunks'].delete_one({'n': 2})
        with self.assertRaises(exceptions.StoreError), self.assertLogs(driver.LOG, 'ERROR'):
            self.read(location)

    def test_nobody_answers(self):
        store = make('mongodb://glance:S3CR3T@127.0.0.1:1/glance', store_connect_timeout=1)
        self.addCleanup(store.close)
        with self.assertRaises(exceptions.StoreUnavailable) as raised, self.assertLogs(driver.LOG, 'ERROR') as logs:
            store.size(store.location(self.image_id))
        self.assertNotIn('S3CR3T', str(raised.exception) + ''.join(logs.output))

    def test_locations(self):
        location = self.write(b'content').commit()
        self.assertEqual(Location('gridfs://' + self.image_id, {'store': 'gridfs'}), location)
        for url in ('gridfs://%s/', 'gridfs://%s?x', 'gridfs://u:p@%s', 'gridfs:///%s', 'gridfs://%s.part', 'http://%s'):
            with self.assertRaises(exceptions.BadLocation):
                self.store.size(Location(url % self.image_id))
        with self.assertRaises(exceptions.Invalid):
            self.store.writer('../x')


class Options(unittest.TestCase):

    def test_database(self):
        for uri, database, wanted in (('mongodb://h/one', None, 'one'), ('mongodb://h/one', 'two', 'two'),
                                      ('mongodb://h', 'two', 'two'), ('mongodb+srv://u:p@h.example.com/one?w=1', None, 'one')):
            self.assertEqual({'database': wanted}, make(uri, mongodb_store_db=database).details)

    def test_wrong_options(self):
        for uri, database, text in ((None, None, 'mongodb_store_uri is not set'), ('mongodb://h', None, 'names no database'),
                                    ('mongodb://u:S3CR3T@@h/x', None, 'percent-encode'), ('http://h/x', None, 'of the form'),
                                    ('mongodb+srv://h.example.com', None, 'names no database'),
                                    ('mongodb://h', 'a b', 'mongodb_store_db = a b')):
            with self.assertRaisesRegex(exceptions.ConfigurationError, text) as raised:
                make(uri, mongodb_store_db=database)
            self.assertNotIn('S3CR3T', str(raised.exception))
            self.assertIn('[gridfs]', str(raised.exception))
