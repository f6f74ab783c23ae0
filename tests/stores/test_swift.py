"""The Swift driver, with one account, against a real Swift."""
import functools
import multiprocessing
import os
import pathlib
import tempfile
import unittest
import urllib.parse
import uuid

import swiftclient

from glance import exceptions
from glance.store.base import Location
from glance.store.drivers.swift import MB, SwiftStore
from glance.store.drivers.swift_accounts import Accounts, references_of
from glance.transfer import pipeline, sources
from tests.harness.backend import shared_backend
from tests.harness.relay import Relay
from tests.harness.store_options import store_options
from tests.store_conformance.suite import MIB, StoreConformance, in_threads

SEGMENT = MIB


def login_options(server: dict[str, str], container: str, **values):
    return store_options('swift', **{
        'swift_store_auth_address': server['SWIFT_AUTH'], 'swift_store_user': server['SWIFT_USER'],
        'swift_store_key': server['SWIFT_KEY'], 'swift_store_auth_version': '1', 'swift_store_container': container,
        'swift_store_create_container_on_put': True, **values})


def make(server: dict[str, str], container: str, memory: int = 16 * MIB, large: int = SEGMENT, **values) -> SwiftStore:
    options = login_options(server, container, **values)
    store = SwiftStore('swift', options, Accounts(options, references_of(options), 'Store swift'), SEGMENT, large, memory)
    if multiprocessing.parent_process():
        store.parallel = 0    # this process will be killed: what is under way then would arrive some time later
    return store


class Container:
    """Mixin to a TestCase: containers of its own, all of which begin with the same name."""

    settings = {}

    def setUp(self):
        self.server = shared_backend('swift')
        self.container = 'glance-%s' % uuid.uuid4().hex
        self.factory = functools.partial(make, self.server, self.container, **self.settings)
        self.client = swiftclient.Connection(self.server['SWIFT_AUTH'], self.server['SWIFT_USER'], self.server['SWIFT_KEY'])
        self.addCleanup(self.client.close)
        self.addCleanup(self._remove_containers)
        super().setUp()

    def containers(self):
        return [found['name'] for found in self.client.get_account(prefix=self.container, full_listing=True)[1]]

    def pieces(self):
        return {(container, found['name']) for container in self.containers()
                for found in self.client.get_container(container, full_listing=True)[1]}

    def _remove_containers(self):
        for container, name in self.pieces():
            self.client.delete_object(container, name)
        for container in self.containers():
            self.client.delete_container(container)


class Conformance(Container, StoreConformance, unittest.TestCase):
    """Segments are kept in memory until they have arrived, and sent several at a time."""


class ConformanceOfStreams(Container, StoreConformance, unittest.TestCase):
    """What is more than a little passes through as it comes, in segments or, where its size is known, without."""

    settings = {'memory': 65536, 'large': 2 * MIB}


class Base(Container, unittest.TestCase):

    def setUp(self):
        super().setUp()
        self.store = self.factory()
        self.addCleanup(self.store.close)
        self.image_id, self.attempt = str(uuid.uuid4()), str(uuid.uuid4())

    def other(self, **values):
        store = self.factory(**values)
        self.addCleanup(store.close)
        return store

    def put(self, content, store=None, size=None):
        return pipeline.store(sources.BytesSource(content), store or self.store, self.image_id, algorithm='sha256',
                              size=size, attempt=self.attempt)[0]

    def read(self, location, offset=0, length=None, store=None):
        reader = (store or self.store).open(location, offset, length)
        try:
            return read_all(reader)
        finally:
            reader.close()


def read_all(reader):
    content, buffer = bytearray(), memoryview(bytearray(300_000))
    while count := reader.readinto(buffer):
        content += buffer[:count]
    return bytes(content)


class LargeObjects(Base):

    def test_sizes_around_segments(self):
        for memory in (16 * MIB, 65536):
            store = self.other(memory=memory)
            for length in (SEGMENT - 1, SEGMENT, SEGMENT + 1, 3 * SEGMENT, 3 * SEGMENT + 1):
                for size in (None, length):
                    content = os.urandom(length)
                    location = self.put(content, store, size)
                    self.assertEqual(length, store.size(location))
                    self.assertEqual(content, self.read(location))
                    self.assertEqual(content[SEGMENT - 7:SEGMENT + 1],
                                     self.read(location, SEGMENT - 7, min(8, length - SEGMENT + 7)))
                    store.delete(location)
                    self.assertEqual(set(), self.pieces())

    def test_segments_carry_the_attempt(self):
        self.put(bytes(2 * SEGMENT + 1))
        names = {'%s/%s/%08d' % (self.image_id, self.attempt, number) for number in range(3)} | {self.image_id}
        self.assertEqual({(self.container, name) for name in names}, self.pieces())
        self.assertEqual('true', self.client.head_object(self.container, self.image_id)['x-static-large-object'].lower())

    def test_abort_leaves_no_segments(self):
        for memory in (16 * MIB, 65536):
            writer = self.other(memory=memory).writer(self.image_id)
            writer.write(memoryview(bytes(2 * SEGMENT + 1)))
            writer.abort()
            writer.abort()
            self.assertEqual(set(), self.pieces())

    def test_of_two_writers_in_segments_one_wins(self):
        first, second = self.store.writer(self.image_id), self.other().writer(self.image_id)
        first.write(memoryview(bytes(SEGMENT + 1)))
        second.write(memoryview(b'x' * (SEGMENT + 2)))
        location = second.commit()
        with self.assertRaises(exceptions.ObjectExists):
            first.commit()
        first.abort()
        self.assertEqual(b'x' * (SEGMENT + 2), self.read(location))
        self.assertEqual(3, len(self.pieces()))

    def test_what_a_dead_writer_left_is_discarded_by_its_attempt(self):
        dead = self.other()
        writer = dead.writer(self.image_id, None, self.attempt)
        writer.write(memoryview(bytes(2 * SEGMENT + 1)))
        writer._segments[0].result(), writer._segments[1].result()
        self.assertEqual(0, self.store.discard(self.image_id, str(uuid.uuid4())))
        self.assertEqual(0, dead.discard(self.image_id, self.attempt), 'it lives')
        self.assertEqual([], self.store.sweep(3600))
        self.assertEqual([], dead.sweep(0), 'it lives')
        self.assertEqual(2 * SEGMENT, self.store.discard(self.image_id, self.attempt))
        with self.assertRaises(exceptions.StoreError), self.assertLogs('glance.store.drivers', 'ERROR'):
            writer.commit()
        writer.abort()
        self.assertEqual(set(), self.pieces())

    def test_committed_object_keeps_its_segments(self):
        location = self.put(bytes(2 * SEGMENT))
        before = self.pieces()
        self.assertEqual(0, self.store.discard(self.image_id))
        self.assertEqual(0, self.store.discard(self.image_id, self.attempt))
        self.assertEqual([], self.store.sweep(0))
        self.assertEqual(before, self.pieces())
        self.assertEqual([(location, 2 * SEGMENT)], [(found.location, found.size) for found in self.store.walk()])
        self.assertEqual(2 * SEGMENT, self.store.discard(self.image_id, committed=True))
        self.assertEqual(set(), self.pieces())

    def test_cluster_without_static_large_objects(self):
        store = self.other()
        store.accounts.default().__dict__['abilities'] = {}
        content = os.urandom(2 * SEGMENT + 1)
        location = self.put(content, store)
        self.assertIn('x-object-manifest', self.client.head_object(self.container, self.image_id))
        self.assertEqual((content, len(content)), (self.read(location), self.store.size(location)))
        self.assertEqual(0, self.store.discard(self.image_id))
        self.store.delete(location)
        self.assertEqual(set(), self.pieces())

    def test_old_dynamic_large_object(self):
        self.client.put_container(self.container)
        for number in (1, 2):
            self.client.put_object(self.container, '%s-%05d' % (self.image_id, number), b'%d' % number * 1000)
        self.client.put_object(self.container, self.image_id + '.neighbour', b'')
        self.client.put_object(self.container, self.image_id, b'', headers={
            'X-Object-Manifest': '%s/%s-' % (self.container, self.image_id)})
        location = Location('swift+config://ref1/%s/%s' % (self.container, self.image_id))
        self.assertEqual(b'1' * 1000 + b'2' * 1000, self.read(location))
        self.assertEqual(b'12', self.read(location, 999, 2))
        self.store.delete(location)
        self.assertEqual({(self.container, self.image_id + '.neighbour')}, self.pieces())

    def test_manifest_with_the_prefix_of_others_deletes_only_itself(self):
        self.client.put_container(self.container)
        self.client.put_object(self.container, 'other', b'content')
        self.client.put_object(self.container, self.image_id, b'', headers={'X-Object-Manifest': self.container + '/o'})
        self.store.delete(Location('swift+config://ref1/%s/%s' % (self.container, self.image_id)))
        self.assertEqual({(self.container, 'other')}, self.pieces())

    def test_unknown_size_has_growing_segments_and_known_size_few(self):
        account = self.store.accounts.default()
        account.__dict__['abilities'] = {'slo': {'max_manifest_segments': 10}}
        content = os.urandom(7 * SEGMENT)
        self.assertEqual(content, self.read(self.put(content)))
        sizes = [found['bytes'] for found in self.client.get_container(self.container, prefix=self.image_id + '/')[1]]
        self.assertEqual([SEGMENT, SEGMENT, 2 * SEGMENT, 2 * SEGMENT, SEGMENT], sizes)
        writer = self.store.writer(str(uuid.uuid4()), 5000 * SEGMENT)
        self.assertEqual(500 * SEGMENT, writer._segment_size)

    def test_wrong_size(self):
        for memory in (16 * MIB, 65536):
            store = self.other(memory=memory, large=10 * MIB)
            for content in (bytes(3 * MIB), bytes(3 * MIB - 2)):
                writer = store.writer(self.image_id, 3 * MIB - 1)
                with self.assertRaises(exceptions.SizeMismatch):
                    writer.write(memoryview(content))
                    writer.commit()
                writer.abort()
                self.assertEqual(set(), self.pieces())


class Locations(Base):

    def test_written_ones_hold_no_credentials(self):
        location = self.put(b'content')
        self.assertEqual(Location('swift+config://ref1/%s/%s' % (self.container, self.image_id), {'store': 'swift'}), location)

    def test_old_ones(self):
        self.put(b'content')
        address = self.server['SWIFT_AUTH'].partition('://')[2]
        account = self.client.get_auth()[0].partition('://')[2]
        path = '%s/%s' % (self.container, self.image_id)
        rotated = 'swift+http://glance%%3Aglance:old%%3Akey@%s/%s' % (address, path)
        for url in ('swift+http://glance%%3Aglance:glancepw@%s/%s' % (address, path),
                    'swift+http://glance:glance:glancepw@%s/%s' % (address, path), rotated,
                    'swift+http://%s/%s' % (account, path)):
            self.assertEqual(b'content', self.read(Location(url)), url)
        # The user of another account logs in with what the location holds.
        other = self.other(swift_store_user=self.server['SWIFT_OTHER_USER'], swift_store_key=self.server['SWIFT_OTHER_KEY'])
        self.assertEqual(b'content', self.read(Location(
            'swift+http://glance%%3Aglance:glancepw@%s/%s' % (address, path)), store=other))
        with self.assertRaises(exceptions.StoreUnavailable), self.assertLogs('glance.store.drivers', 'ERROR') as logs:
            self.read(Location(rotated), store=other)
        self.assertNotIn('old', '\n'.join(logs.output))

    def test_foreign_ones(self):
        for url in ('swift+config://other/c/o', 'swift+config://ref1/c/d/o', 'swift+config://ref1/c/..', 'swift://u@h/c/o',
                    'swift://h/c/o?x', 'swift+http://example.com/v1/AUTH_glance/c/o', 'swift+config://u:k@ref1/c/o',
                    'swift+http://u:k@http://h/c/o'):
            with self.assertRaises(exceptions.BadLocation, msg=url):
                self.store.open(Location(url))

    def test_containers_by_seed(self):
        image_id = '0a1b2c3d-4e5f-4a6b-8c7d-0123456789ab'
        for seed, name in ((0, ''), (1, '_0'), (8, '_0a1b2c3d'), (9, '_0a1b2c3d-4'), (32, '_' + image_id)):
            store = self.factory(swift_store_multiple_containers_seed=seed)
            self.assertEqual(self.container + name, store.container_of(image_id))
            self.assertTrue(store.location(None, store.container_of(image_id), image_id).url.startswith(store.url_prefixes))


class Failures(Base):

    def relayed(self, **values):
        """A store that reaches Swift through a relay, and that."""
        parts = urllib.parse.urlsplit(self.server['SWIFT_AUTH'])
        relay = Relay(parts.hostname, parts.port)
        self.addCleanup(relay.close)
        account = urllib.parse.urlsplit(self.client.get_auth()[0]).path
        store = self.other(swift_store_endpoint='http://127.0.0.1:%d%s' % (relay.port, account), **values)
        store.accounts.default().ensure_container(self.container, True)
        return store, relay

    def test_server_goes_away_in_the_middle_of_an_upload(self):
        for memory in (16 * MIB, 65536):
            for size in (None, 6 * MIB):
                store, relay = self.relayed(memory=memory, large=7 * MIB)
                writer = store.writer(self.image_id, size, self.attempt)
                writer.write(memoryview(bytes(2 * MIB + 5)))
                [segment.result() for segment in writer._segments[:2]]
                relay.cut()
                with self.assertLogs('glance.store.drivers'):
                    with self.assertRaises(exceptions.StoreUnavailable):
                        for _ in range(4):
                            writer.write(memoryview(bytes(MIB - 2)))
                        writer.write(memoryview(bytes(3)))
                        writer.commit()
                    writer.abort()
                self.store.discard(self.image_id, self.attempt)
                self.assertEqual(set(), self.pieces(), (memory, size))

    def test_segment_that_did_not_arrive_is_sent_again(self):
        store, relay = self.relayed()
        writer = store.writer(self.image_id, None, self.attempt)
        writer.write(memoryview(b'a' * (2 * SEGMENT)))
        [segment.result() for segment in writer._segments[:1]]
        relay.lose_answer()
        with self.assertLogs('glance.store.drivers', 'WARNING'):
            writer.write(memoryview(b'b' * SEGMENT))
            location = writer.commit()
        self.assertEqual(b'a' * (2 * SEGMENT) + b'b' * SEGMENT, self.read(location))
        self.assertEqual(4, len(self.pieces()))

    def test_answer_to_a_commit_that_got_lost(self):
        for content in (b'small', bytes(2 * SEGMENT)):
            store, relay = self.relayed()
            writer = store.writer(self.image_id, None, self.attempt)
            writer.write(memoryview(content))
            relay.lose_answer()
            location = writer.commit()
            self.assertEqual(content, self.read(location))
            self.store.delete(location)

    def test_body_that_breaks_off_is_taken_up_again(self):
        content = os.urandom(4 * MIB)
        location = self.put(content)
        store, relay = self.relayed(swift_store_retry_get_count=1)
        relay.lose_answer(after=MIB)
        with self.assertLogs('glance.store.drivers', 'WARNING') as logs:
            self.assertEqual(content[1000:], self.read(location, 1000, store=store))
        self.assertEqual(1, len(logs.output))

    def test_body_of_an_object_that_was_replaced_is_not_mixed(self):
        location = self.put(os.urandom(3 * MIB))
        store, relay = self.relayed(swift_store_retry_get_count=3)
        relay.lose_answer(after=MIB)
        reader = store.open(location)
        self.addCleanup(reader.close)
        self.client.put_object(self.container, self.image_id, bytes(3 * MIB))
        with self.assertRaises(exceptions.StoreError), self.assertLogs('glance.store.drivers', 'WARNING'):
            read_all(reader)

    def test_download_that_breaks_off_is_no_short_image(self):
        location = self.put(os.urandom(4 * MIB))
        store, relay = self.relayed()
        relay.lose_answer(after=MIB)
        with self.assertRaises(exceptions.StoreUnavailable), self.assertLogs('glance.store.drivers', 'ERROR'):
            self.read(location, store=store)

    def test_token_is_renewed_once(self):
        location = self.put(b'content')
        session = self.store.accounts.default().session
        session.auth.auth_ref.auth_token = 'AUTH_tkrevoked'
        self.assertEqual(b'content', self.read(location))
        for memory, content in ((16 * MIB, b'more'), (0, b'much more')):
            store, self.image_id = self.other(memory=memory), str(uuid.uuid4())
            writer = store.writer(self.image_id)
            store.accounts.default().session.auth.auth_ref.auth_token = 'AUTH_tkrevoked'
            writer.write(memoryview(content))
            self.assertEqual(content, self.read(writer.commit()))

    def test_missing_container(self):
        store = self.other(swift_store_create_container_on_put=False)
        self.assertEqual(([], []), (list(store.walk()), store.sweep(0)))
        with self.assertRaises(exceptions.StoreUnavailable), self.assertLogs('glance.store.drivers', 'ERROR') as logs:
            store.writer(self.image_id)
        self.assertIn('swift_store_create_container_on_put', logs.output[0])
        self.assertEqual([], self.containers())

    def test_wrong_credentials(self):
        store = self.other(swift_store_key='S3CR3T')
        location = self.put(b'content')
        with self.assertLogs(level='DEBUG') as logs:
            for operation in (lambda: store.open(location), lambda: store.size(location), lambda: store.delete(location),
                              lambda: store.writer(self.image_id), lambda: store.sweep()):
                with self.assertRaises(exceptions.StoreUnavailable) as raised:
                    operation()
                self.assertNotIn('S3CR3T', str(raised.exception))
        self.assertNotIn('S3CR3T', '\n'.join(logs.output))
        self.assertNotIn('S3CR3T', repr((store._options.swift_store_user, store.accounts._references)))

    def test_nobody_answers(self):
        store = self.other(swift_store_auth_address='http://127.0.0.1:1/auth/v1.0')
        with self.assertRaises(exceptions.StoreUnavailable), self.assertLogs('glance.store.drivers', 'ERROR'):
            store.size(Location('swift+config://ref1/c/o'))

    def test_more_than_an_object_may_have(self):
        writer = self.other(large=6 * 1024 ** 3).writer(self.image_id, 6 * 1024 ** 3 - 1)
        with self.assertRaises(exceptions.StoreFull), self.assertLogs('glance.store.drivers', 'ERROR'):
            writer.write(memoryview(bytes(17 * MIB)))
        writer.abort()
        self.assertEqual(set(), self.pieces())

    def test_read_only_account(self):
        store = self.other()
        container = self.container
        self.client.put_container(container)
        other = swiftclient.Connection(self.server['SWIFT_AUTH'], self.server['SWIFT_OTHER_USER'],
                                       self.server['SWIFT_OTHER_KEY'])
        self.addCleanup(other.close)
        stranger = self.other(swift_store_user=self.server['SWIFT_OTHER_USER'], swift_store_key=self.server['SWIFT_OTHER_KEY'],
                              swift_store_endpoint=self.client.get_auth()[0])
        with self.assertRaises(exceptions.StoreWriteDenied), self.assertLogs('glance.store.drivers', 'ERROR'):
            stranger.writer(self.image_id)
        with self.assertRaises(exceptions.StoreForbidden), self.assertLogs('glance.store.drivers', 'ERROR'):
            stranger.size(store.location(None, container, self.image_id))

    def test_many_at_once(self):
        content = os.urandom(2 * SEGMENT + 1)

        def transfer():
            location = pipeline.store(sources.BytesSource(content), self.store, str(uuid.uuid4()), algorithm='sha256')[0]
            self.assertEqual(content, self.read(location))
        in_threads([transfer] * 8)
        self.assertEqual(8, len(list(self.store.walk())))


class Configuration(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name) / 'glance-swift.conf'

    def check_refused(self, *words, **values):
        with self.assertRaises(exceptions.ConfigurationError) as raised:
            SwiftStore.from_options(store_options('swift', **values), 'fast')
        for word in ('[swift]', *words):
            self.assertIn(word, str(raised.exception))
        self.assertNotIn('S3CR3T', str(raised.exception))

    def test_wrong_options(self):
        good = {'swift_store_auth_address': 'http://k/v3', 'swift_store_user': 'p:u', 'swift_store_key': 'S3CR3T'}
        SwiftStore.from_options(store_options('swift', **good), 'fast')
        self.check_refused('swift_store_auth_address')
        self.check_refused('swift_store_user', swift_store_auth_address='http://k/v3')
        self.check_refused('swift_store_user', 'project:user', **{**good, 'swift_store_user': 'u'})
        self.check_refused('swift_store_auth_version', '4', **good, swift_store_auth_version='4')
        self.check_refused('application_credential_secret', **good, swift_store_application_credential_id='x')
        self.check_refused('swift_store_container', 'a/b', **good, swift_store_container='a/b')
        self.check_refused('swift_upload_buffer_dir', '/nowhere', **good, swift_buffer_on_upload=True,
                           swift_upload_buffer_dir='/nowhere')
        self.check_refused('swift_store_config_file', swift_store_config_file='/nowhere')

    def test_file_of_accounts(self):
        self.path.write_text('[ref1]\nauth_address = http://k/v3\nuser = "p:u"\nkey = \'S3%CR3T\'\n'
                             '[half]\nuser = p:u\n[torn]\nauth_address = "http://k\nuser = p:u\nkey = S3CR3T\n'
                             '[token]\nauth_address = http://k/v3\napplication_credential_id = i\n'
                             'application_credential_secret = s\nproject_name = p\n')
        with self.assertLogs('glance.store.drivers', 'ERROR') as logs:
            references = references_of(store_options('swift', swift_store_config_file=str(self.path)))
        self.assertEqual({'ref1', 'token'}, set(references))
        self.assertEqual(('p:u', 'S3%CR3T'), (references['ref1'].user, references['ref1'].key))
        self.assertNotIn('CR3T', '\n'.join(logs.output))
        with self.assertLogs('glance.store.drivers', 'ERROR'):
            self.check_refused('default_swift_reference = half', swift_store_config_file=str(self.path),
                               default_swift_reference='half')
        self.path.write_text('[ref1\nkey = S3CR3T')
        self.check_refused('swift_store_config_file', swift_store_config_file=str(self.path))

    def test_sample(self):
        path = pathlib.Path(__file__).resolve().parents[2] / 'etc' / 'glance' / 'glance-swift.conf.sample'
        self.path.write_text(path.read_text().replace('#[', '[').replace('\n#auth', '\nauth').replace(
            '\n#application', '\napplication').replace('\n#user =', '\nuser =').replace('\n#key', '\nkey'))
        references = references_of(store_options('swift', swift_store_config_file=str(self.path)))
        self.assertEqual({'ref1', 'ref2', 'ref3'}, set(references))
        self.assertEqual(('service:glance', 'secret'), (references['ref1'].user, references['ref1'].key))

    def test_details(self):
        store = SwiftStore.from_options(store_options('swift', swift_store_auth_address='http://k/v3', swift_store_user='p:u',
                                                     swift_store_key='S3CR3T'), None)
        self.assertEqual({'container': 'glance', 'large_object_size': 5120 * MB, 'large_object_chunk_size': 200 * MB},
                         store.details)
