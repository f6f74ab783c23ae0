"""What is fetched from the queue, from where, and what stays in it."""
import hashlib
import unittest
import uuid

from glance import exceptions, gateway
from glance.cache.core import Cache
from glance.cache.drivers.xattr import XattrDriver
from glance.cache.layout import Layout
from glance.cache.prefetcher import LOCK, Prefetcher
from glance.db.interface import ImageChanges
from tests.unit.layers import fakes

DATA = b'data'


class PrefetcherTest(unittest.TestCase):

    def setUp(self):
        super().setUp()
        self.env = fakes.make_environment(self)
        self.store = self.env.stores.enabled[0]
        layout = Layout(fakes.temporary_directory(self))
        layout.prepare()
        self.cache = Cache(layout, XattrDriver(layout), max_size=2 ** 30, stall_time=60)
        self.addCleanup(self.cache.close)
        self.prefetcher = Prefetcher(self.cache, lambda: gateway.service_images(self.env))

    def queued(self, *contents: bytes | None, status: str = 'active', digest: str | None = None) -> str:
        """Queue an image with a location for each content, None being one where nothing is; return its id."""
        image_id = self.env.database.image_create({
            'status': status, 'owner': fakes.OWNER, 'size': len(DATA), 'os_hash_algo': 'sha256',
            'os_hash_value': digest or hashlib.sha256(DATA).hexdigest()})['id']
        for number, content in enumerate(contents):
            url = self.store.url('%s-%d' % (image_id, number))
            if content is not None:
                self.store.objects[url] = content
            self.env.database.image_update(image_id, ImageChanges(add_locations=[
                {'url': url, 'metadata': {}, 'status': 'active'}]))
        self.cache.queue(image_id)
        return image_id

    def test_the_first_location_that_has_the_data_is_taken(self):
        images = [self.queued(*contents) for contents in ((DATA,), (None, DATA), (b'evil', DATA), (b'short', DATA))]
        outcome = self.prefetcher.run()
        self.assertEqual((sorted(images), []), (sorted(outcome.cached), outcome.failed))
        self.assertEqual([], self.cache.queued())
        for image_id in images:
            with open(self.cache.layout.path(image_id), 'rb') as file:
                self.assertEqual(DATA, file.read())

    def test_one_failure_does_not_keep_others_from_being_fetched(self):
        broken, wrong, waiting, gone = self.queued(None), self.queued(b'evil'), self.queued(status='queued'), str(uuid.uuid4())
        self.cache.queue(gone)
        good = self.queued(DATA)
        outcome = self.prefetcher.run()
        left = sorted((broken, wrong, waiting))
        self.assertEqual(([good], left), (outcome.cached, sorted(outcome.failed)))
        self.assertEqual(left, sorted(self.cache.queued()))
        self.store.fail['open'] = ZeroDivisionError()
        self.assertEqual([], self.prefetcher.run().cached)

    def test_a_single_one_that_is_unknown_stays_queued(self):
        unknown = str(uuid.uuid4())
        self.cache.queue(unknown)
        self.assertFalse(self.prefetcher.fetch(unknown))
        self.assertEqual([unknown], self.cache.queued())

    def test_one_process_at_a_time_takes_the_queue(self):
        image_id = self.queued(DATA)
        with self.cache.layout.lock(LOCK):
            self.assertEqual([], self.prefetcher.run(wait=False).cached)
        self.assertEqual([image_id], self.prefetcher.run(wait=False).cached)

    def test_a_cached_image_is_not_fetched_again(self):
        image_id = self.queued(DATA)
        self.prefetcher.run()
        self.store.fail['open'] = exceptions.StoreUnavailable()
        self.assertTrue(self.prefetcher.fetch(image_id))
