"""In which order locations are read."""
import unittest

from glance.store import strategies
from glance.store.base import Location
from glance.store.location import without_credentials
from tests.unit.store.test_backends import BackendsTestCase

URLS = ('rbd://a/b/c/d', 'HTTP://x/1', 'file:///a', 'https://x/2', 'swift+config://a/b/c', 's3+https://x/y', 'filesystem:///b',
        'gridfs://x', 'unknown://x')


def order(*preference):
    given = [Location(url) for url in URLS]
    found = [location.url for location in strategies.by_store_type(preference)(given)]
    return [URLS.index(url) for url in found]


class StoreTypeTest(unittest.TestCase):

    def test_preferred_types_come_first(self):
        self.assertEqual([1, 3, 2, 6, 0, 4, 5, 7, 8], order('http', 'file'))
        self.assertEqual([4, 5, 7, 0, 1, 2, 3, 6, 8], order('swift', 's3', ' GRIDFS '))

    def test_no_preference(self):
        self.assertEqual(list(range(9)), order())
        self.assertEqual(list(range(9)), order('cinder', 'nonsense'))

    def test_first_mention_counts(self):
        self.assertEqual(order('file', 'http'), order('file', 'http', 'file'))


class ReadingOrderTest(BackendsTestCase):
    named = """[DEFAULT]
enabled_backends = light:file,heavy:file,web:http
%s
[glance_store]
default_backend = light
[light]
filesystem_store_datadir = @/light
[heavy]
filesystem_store_datadir = @/heavy
weight = 10
[os_glance_staging_store]
filesystem_store_datadir = @/staging
[os_glance_tasks_store]
filesystem_store_datadir = @/tasks
[store_type_location_strategy]
store_type_preference = http
"""

    def ordered(self, backends, *locations):
        return [location.url for location in backends.in_reading_order([Location(*location) for location in locations])]

    def test_weights(self):
        backends = self.backends(self.named % '')
        light, heavy, web = 'file://%s/light/x' % self.root, 'file://%s/heavy/x' % self.root, 'http://x/'
        self.assertEqual([heavy, light, web], self.ordered(backends, (light,), (web,), (heavy,)))
        self.assertEqual([heavy, web, light], self.ordered(backends, (web, {'store': 'web'}), (heavy, {'store': 'gone'}), (light,)))
        self.assertEqual([light, heavy], self.ordered(backends, (heavy, {'store': 'light'}), (light, {'store': 'heavy'})))
        self.assertEqual(['x://y'], self.ordered(backends, ('x://y',)))

    def test_strategy_among_equals(self):
        backends = self.backends(self.named % 'location_strategy = store_type')
        light, heavy, web = 'file://%s/light/x' % self.root, 'file://%s/heavy/x' % self.root, 'http://x/'
        self.assertEqual([heavy, web, light], self.ordered(backends, (light,), (web,), (heavy,)))

    def test_name_for(self):
        backends = self.backends(self.named % '')
        self.assertEqual(('light', 'heavy', 'web', None, None), tuple(map(backends.name_for, (
            'file://%s/light/x' % self.root, 'filesystem://%s/heavy/x' % self.root, 'https://x/', 'file:///elsewhere/x', 'rbd://x'))))


class CredentialsTest(unittest.TestCase):

    def test_urls_that_clients_see(self):
        for url, shown in (('http://u:p@host/a?b=c', 'http://host/a?b=c'), ('s3://k:se/cret@host/b/o', 's3://host/b/o'),
                           ('file:///a@b', 'file:///a@b'), ('rbd://a/b/c/d', 'rbd://a/b/c/d'), ('x://u:p@h', 'x://***@h')):
            self.assertEqual(shown, without_credentials(url))
