"""The S3 driver against a server that checks signatures: the S3 interface of Swift."""
import contextlib
import functools
import os
import unittest
import uuid

from glance import exceptions
from glance.store.base import Location
from glance.store.drivers import s3_client
from glance.store.drivers.s3 import S3Store
from glance.transfer import pipeline, sources
from tests.harness.backend import shared_backend
from tests.harness.store_options import store_options
from tests.store_conformance.suite import MIB, StoreConformance, in_threads

PART = 5 * MIB


def make_options(server: dict[str, str], bucket: str, **values):
    return store_options('s3', **{
        's3_store_host': server['S3_HOST'], 's3_store_access_key': server['S3_ACCESS_KEY'],
        's3_store_secret_key': server['S3_SECRET_KEY'], 's3_store_bucket': bucket,
        's3_store_create_bucket_on_put': True, 's3_store_bucket_url_format': 'path', **values})


def make(server: dict[str, str], bucket: str, **values) -> S3Store:
    return S3Store('s3', make_options(server, bucket, **values), PART)


class Bucket:
    """Mixin to a TestCase: a bucket of its own on the server of a backend."""

    server = 'swift'

    def setUp(self):
        self.described = shared_backend(self.server)
        self.bucket = 'glance-%s' % uuid.uuid4().hex
        self.factory = functools.partial(make, self.described, self.bucket)
        self.client = s3_client.connect(make_options(self.described, self.bucket), 1)
        self.addCleanup(self.client.close)
        self.client.create_bucket(Bucket=self.bucket)
        self.addCleanup(self._remove_bucket)
        super().setUp()

    def _remove_bucket(self):
        for piece in self.pieces():
            kind, _, name = piece.partition(' ')
            key, _, upload = name.partition(' ')
            if kind == 'upload':
                self.client.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload)
            else:
                self.client.delete_object(Bucket=self.bucket, Key=key)
        self.client.delete_bucket(Bucket=self.bucket)

    def pieces(self):
        objects = self.client.list_objects_v2(Bucket=self.bucket).get('Contents', ())
        uploads = self.client.list_multipart_uploads(Bucket=self.bucket).get('Uploads', ())
        return {'object %s' % found['Key'] for found in objects} \
            | {'upload %s %s' % (found['Key'], found['UploadId']) for found in uploads}


class ConformanceOnSwift(Bucket, StoreConformance, unittest.TestCase):

    def test_race_of_commits(self):
        """The S3 interface of Swift ignores conditions on writing: of writers that commit at once, each may think it won.

        What is stored is one of the objects as a whole nevertheless.
        """
        contents = [b'%d' % number * 1000 for number in range(4)]
        writers = [self.factory().writer(self.image_id) for _ in contents]
        for writer, content in zip(writers, contents, strict=True):
            writer.write(memoryview(content))

        def commit(writer):
            with contextlib.suppress(exceptions.ObjectExists):
                writer.commit()

        in_threads([functools.partial(commit, writer) for writer in writers])
        self.assertIn(self.get(self.store.location(self.image_id)), contents)


class Parts(Bucket, unittest.TestCase):

    def setUp(self):
        super().setUp()
        self.store = self.factory()
        self.addCleanup(self.store.close)
        self.image_id, self.attempt = str(uuid.uuid4()), str(uuid.uuid4())

    def read(self, location, offset=0, length=None):
        reader = self.store.open(location, offset, length)
        try:
            content, buffer = bytearray(), memoryview(bytearray(MIB))
            while count := reader.readinto(buffer):
                content += buffer[:count]
            return bytes(content)
        finally:
            reader.close()

    def write(self, content):
        writer = self.store.writer(self.image_id, None, self.attempt)
        writer.write(memoryview(content))
        return writer

    def test_sizes_around_parts(self):
        for length in (PART - 1, PART, PART + 1, 3 * PART, 3 * PART + 1):
            for size in (None, length):
                content = os.urandom(length)
                location, result = pipeline.store(sources.BytesSource(content), self.store, str(uuid.uuid4()),
                                                  algorithm='sha256', size=size)
                self.assertEqual(length, result.size)
                self.assertEqual(content, self.read(location))
                self.assertEqual(content[PART - 7:PART + 1], self.read(location, PART - 7, min(8, length - PART + 7)))
                self.store.delete(location)
        self.assertEqual(set(), self.pieces())

    def test_abort_leaves_no_parts(self):
        writer = self.write(os.urandom(2 * PART + 1))
        self.assertEqual(2, len(self.pieces()))
        writer.abort()
        writer.abort()
        self.assertEqual(set(), self.pieces())

    def test_of_two_writers_in_parts_one_wins(self):
        first, other = self.write(bytes(PART + 1)), self.factory()
        self.addCleanup(other.close)
        second = other.writer(self.image_id)
        second.write(memoryview(b'x' * (PART + 2)))
        location = second.commit()
        with self.assertRaises(exceptions.ObjectExists):
            first.commit()
        first.abort()
        self.assertEqual(PART + 2, self.store.size(location))
        self.assertEqual({'object %s' % self.image_id}, self.pieces())

    def test_what_a_dead_writer_left_is_discarded_by_its_attempt(self):
        dead = self.factory()
        self.addCleanup(dead.close)
        writer = dead.writer(self.image_id, None, self.attempt)
        writer.write(memoryview(bytes(2 * PART + 1)))
        [part.result() for part in writer._parts]
        self.assertEqual(0, self.store.discard(self.image_id, str(uuid.uuid4())))
        self.assertEqual(0, dead.discard(self.image_id, self.attempt), 'it lives')
        self.assertEqual(2 * PART, self.store.discard(self.image_id, self.attempt))
        self.assertEqual(set(), self.pieces())
        with self.assertRaises(exceptions.StoreError):
            writer.commit()
        writer.abort()
        self.assertEqual(set(), self.pieces())

    def test_sweep_goes_by_age(self):
        dead = self.factory()
        self.addCleanup(dead.close)
        writer = dead.writer(self.image_id, None, self.attempt)
        writer.write(memoryview(bytes(PART + 1)))
        [part.result() for part in writer._parts]
        self.assertEqual([], self.store.sweep(3600))
        self.assertEqual([], dead.sweep(0), 'it lives')
        self.assertEqual([self.image_id], self.store.sweep(0))
        self.assertEqual(set(), self.pieces())

    def test_body_that_breaks_off_is_taken_up_again(self):
        content = os.urandom(3 * MIB)
        location = self.write(content).commit()
        reader = self.store.open(location, 1000, 2 * MIB)
        self.addCleanup(reader.close)
        buffer = memoryview(bytearray(3 * MIB))
        count = reader.readinto(buffer[:MIB])
        reader._body.close()
        while more := reader.readinto(buffer[count:]):
            count += more
        self.assertEqual(content[1000:1000 + 2 * MIB], bytes(buffer[:count]))

    def test_body_of_an_object_that_was_replaced_is_not_mixed(self):
        location = self.write(os.urandom(2 * MIB)).commit()
        reader = self.store.open(location)
        self.addCleanup(reader.close)
        self.client.put_object(Bucket=self.bucket, Key=self.image_id, Body=bytes(2 * MIB))
        reader.readinto(memoryview(bytearray(100)))
        reader._body.close()
        with self.assertRaises(exceptions.StoreError):
            while reader.readinto(memoryview(bytearray(MIB))):
                pass

    def test_missing_bucket(self):
        for create, error in ((True, None), (False, exceptions.StoreUnavailable)):
            bucket = 'glance-%s' % uuid.uuid4().hex
            store = make(self.described, bucket, s3_store_create_bucket_on_put=create)
            self.addCleanup(store.close)
            self.assertEqual(([], []), (list(store.walk()), store.sweep(0)))
            writer = store.writer(self.image_id)
            writer.write(memoryview(b'x'))
            if error:
                with self.assertRaises(error), self.assertLogs('glance.store.drivers.s3_client', 'ERROR'):
                    writer.commit()
                writer.abort()
            else:
                store.delete(writer.commit())
                self.client.delete_bucket(Bucket=bucket)

    def test_wrong_credentials(self):
        store = make(self.described, self.bucket, s3_store_secret_key='S3CR3T')
        self.addCleanup(store.close)
        location = self.write(b'content').commit()
        with self.assertLogs('glance.store.drivers.s3_client', 'ERROR') as logs:
            for operation in (lambda: store.open(location), lambda: store.size(location), lambda: store.delete(location),
                              lambda: store.writer(str(uuid.uuid4()))):
                with self.assertRaises(exceptions.StoreError) as raised:
                    operation()
                self.assertNotIn('S3CR3T', str(raised.exception))
        self.assertNotIn('S3CR3T', '\n'.join(logs.output))
        self.assertEqual(b'content', self.read(location))

    def test_nobody_answers(self):
        store = make({**self.described, 'S3_HOST': 'http://127.0.0.1:1'}, self.bucket)
        self.addCleanup(store.close)
        with self.assertRaises(exceptions.StoreUnavailable), self.assertLogs('glance.store.drivers.s3_client', 'ERROR'):
            store.size(self.store.location(self.image_id))

    def test_old_locations(self):
        location = self.write(b'content').commit()
        path = location.url.partition('://')[2]
        for url in ('s3://AKID:se/cret@%s', 's3+http://%s', 's3+https://%s', 'S3://old-name.example.com:99/%s'):
            old = Location(url % (path if 'old-name' not in url else path.partition('/')[2]))
            self.assertEqual(b'content', self.read(old), url)
