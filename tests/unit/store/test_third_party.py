"""Drivers of other packages, found by their entry points."""
import hashlib
import os
import sys
import textwrap
import threading

from glance import exceptions
from glance.store import location as urls
from glance.store.base import Capability, Location
from glance.store.drivers import third_party
from glance.store.drivers.feed import Feed, Interrupted
from glance.transfer import pipeline
from glance.transfer.sources import BytesSource
from tests.unit.store.test_backends import BackendsTestCase

DRIVER = """
    import hashlib
    import threading
    from oslo_config import cfg

    class NotFound(Exception): pass
    class StorageFull(Exception): pass
    class BadStoreConfiguration(Exception): pass

    class StoreLocation:
        def __init__(self, store_specs, conf, backend_group=None):
            self.key = None
        def parse_uri(self, uri):
            self.key = uri.partition('://')[2]
        def get_uri(self):
            return 'tiny://' + self.key

    class Store:
        OPTIONS = [cfg.IntOpt('tiny_limit', default=1 << 30), cfg.StrOpt('tiny_color', default='red')]
        _CAPABILITIES = 0b01001111
        objects = {}

        def __init__(self, conf, backend=None):
            self.options, self.backend, self.url_prefix = conf[backend or 'glance_store'], backend, 'tiny://main/'
        def configure(self, re_raise_bsc=False):
            if self.options.tiny_color == 'wrong':
                raise BadStoreConfiguration('tiny_color is wrong')
        def get_schemes(self):
            return ('tiny',)
        def get(self, location, offset=0, chunk_size=None, context=None):
            data = self._find(location)[offset:][:chunk_size]
            return (data[i:i + 7] for i in range(0, len(data), 7)), len(data)
        def get_size(self, location, context=None):
            return len(self._find(location))
        def delete(self, location, context=None):
            self._find(location)
            del self.objects[location.store_location.key]
        def _find(self, location):
            if location.store_location.key not in self.objects:
                raise NotFound(location.get_store_uri())
            return self.objects[location.store_location.key]
        def add(self, image_id, image_file, image_size, hashing_algo, context=None, verifier=None):
            data = b''
            while piece := image_file.read(65536):
                data += piece
                if len(data) > self.options.tiny_limit:
                    raise StorageFull()
            self.objects['main/' + image_id] = data
            return 'tiny://main/' + image_id, len(data), hashlib.md5(data).hexdigest(), '', {'note': 'x'}

    class Classic(Store):
        _CAPABILITIES = 0b00001001      # reads from the beginning only

        def get_schemes(self):
            return ('tinyold',)
        def configure(self):
            pass
        def add(self, image_id, image_file, image_size, context=None, verifier=None):
            assert context is None
            data = b''.join(image_file)
            self.objects['main/' + image_id] = data
            return 'tinyold://main/' + image_id, len(data), hashlib.md5(data).hexdigest(), {}
        def get(self, location):
            return iter([self._find(location)]), 0
"""
TEXT = """
[DEFAULT]
enabled_backends = main:file, small:tiny, old:tiny_classic
[glance_store]
default_backend = main
[main]
filesystem_store_datadir = @/images
[small]
tiny_limit = 3000000
weight = 4
[backend_defaults]
tiny_color = blue
[os_glance_staging_store]
filesystem_store_datadir = @/staging
[os_glance_tasks_store]
filesystem_store_datadir = @/tasks
"""
IMAGE = '0f0e9a34-3d2b-4a57-8a1c-1c9d2e3f4a5b'


class ThirdPartyTest(BackendsTestCase):

    def setUp(self):
        super().setUp()
        with open(os.path.join(self.root, 'tiny_driver.py'), 'w') as file:
            file.write(textwrap.dedent(DRIVER))
        folder = os.path.join(self.root, 'tiny_driver-1.0.dist-info')
        os.mkdir(folder)
        for name, content in (('METADATA', 'Metadata-Version: 2.1\nName: tiny-driver\nVersion: 1.0\n'), (
                'entry_points.txt', '[glance_store.drivers]\ntiny = tiny_driver:Store\ntiny_classic = tiny_driver:Classic\n'
                                    'tiny_broken = tiny_driver:Nothing\n')):
            with open(os.path.join(folder, name), 'w') as file:
                file.write(content)
        sys.path.insert(0, self.root)
        third_party.installed.cache_clear()
        self.addCleanup(self.forget)

    def forget(self):
        sys.path.remove(self.root)
        sys.modules.pop('tiny_driver', None)
        third_party.installed.cache_clear()
        for scheme in ('tiny', 'tinyold'):
            urls.SCHEMES.pop(scheme, None)

    def put(self, store, data, size=None):
        location, result = pipeline.store(BytesSource(data), store, IMAGE, algorithm='sha512', size=size)
        self.assertEqual((len(data), hashlib.md5(data).hexdigest()), (result.size, result.md5))
        return location

    def read(self, store, location, *span):
        reader, content, buffer = store.open(location, *span), b'', memoryview(bytearray(10))
        while count := reader.readinto(buffer):
            content += bytes(buffer[:count])
        self.assertEqual(len(content), reader.length)
        reader.close()
        reader.close()
        return content

    def test_both_generations(self):
        backends = self.backends(TEXT)
        self.assertEqual((('main', 'small', 'old'), 4), (backends.names, backends.backend('small').weight))
        data = os.urandom(2_500_000)
        for name, scheme in (('small', 'tiny'), ('old', 'tinyold')):
            store = backends.get(name)
            for content in (data, b'', b'x' * 1048576):
                location = self.put(store, content, len(content) or None)
                self.assertEqual(('%s://main/%s' % (scheme, IMAGE), name), (location.url, location.metadata['store']))
                self.assertIs(store, backends.for_location(location.url))
                self.assertEqual(len(content), store.size(location))
                self.assertEqual(content, self.read(store, location))
                store.delete(location)
                self.assertRaises(exceptions.ObjectNotFound, store.delete, location)
                self.assertRaises(exceptions.ObjectNotFound, store.open, location)
            location = self.put(store, b'0123456789' * 10)
            for offset, length in ((0, 10), (95, None), (13, 20), (0, None), (99, 1)):
                self.assertEqual((b'0123456789' * 10)[offset:][:length], self.read(store, location, offset, length))
            self.assertRaises(exceptions.Invalid, store.open, location, 95, 10)
            self.assertRaises(exceptions.WalkNotSupported, list, store.walk())
            store.delete(location)
        self.assertEqual('small', backends.name_for('tiny://main/x'))
        self.assertEqual(Capability.READ_RANDOM | Capability.WRITE, backends.get('small').capabilities)

    def test_options(self):
        driver = self.backends(TEXT).get('small').inner._driver
        self.assertEqual((3000000, 'blue'), (driver.options.tiny_limit, driver.options.tiny_color))
        with self.assertLogs('glance.store.backends', 'ERROR') as logs:
            self.backends(TEXT.replace('[small]', '[small]\ntiny_color = wrong'))
        self.assertIn('tiny_color is wrong', logs.output[0])
        with self.assertLogs('glance.store.backends', 'WARNING') as logs:
            self.assertEqual(('main', 'old'), self.backends(TEXT.replace('small:tiny', 'small:tiny_broken')).names)
        self.assertIn('tiny_driver:Nothing', logs.output[0])
        self.assertIn('tiny_classic', self.assert_refused(TEXT.replace('small:tiny', 'small:tinny')))

    def test_what_fails_leaves_nothing(self):
        store = self.backends(TEXT).get('small')
        objects = store.inner._driver.objects
        self.assertRaises(exceptions.StoreFull, self.put, store, bytes(4_000_000))
        self.assertRaises(exceptions.SizeMismatch, self.put, store, bytes(10), 11)
        writer = store.writer(IMAGE)
        writer.write(memoryview(b'abc'))
        writer.abort()
        writer.abort()
        self.assertEqual({}, objects)
        location = Location('tiny://main/short')
        objects['main/short'] = b'abc'
        reader = store.inner.open(location, 0, 5)
        with self.assertRaisesRegex(exceptions.StoreError, '2 bytes too early'):
            while reader.readinto(memoryview(bytearray(10))):
                pass


class FeedTest(BackendsTestCase):

    def test_waits_for_the_reader(self):
        begun, go_on = threading.Event(), threading.Event()

        def take(file):
            begun.set()
            go_on.wait(60)
            return b''.join(file)
        feed = Feed(take)
        begun.wait(60)
        writer = threading.Thread(target=lambda: [feed.put(b'%d' % number) for number in range(9)])
        writer.start()
        go_on.set()
        writer.join(60)
        self.assertEqual(b'012345678', feed.end())
        self.assertIsNone(feed.break_off())

    def test_errors_of_the_reader_reach_the_writer(self):
        def take(file):
            raise KeyError('x')
        feed = Feed(take)
        with self.assertRaises(KeyError):
            for _ in range(10):
                feed.put(b'x')
        self.assertRaises(KeyError, feed.end)
        self.assertIsNone(feed.break_off())

    def test_a_breach_is_no_end(self):
        seen = []

        def take(file):
            try:
                file.read()
            except Interrupted:
                seen.append('interrupted')
                raise
        Feed(take).break_off()
        self.assertEqual(['interrupted'], seen)
