"""In which order locations are read."""
import types
import unittest
from unittest import mock

from glance import exceptions
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


def module(name='reverse', **functions):
    """Return a module as third parties install it."""
    made = types.ModuleType(name)
    functions = {'get_strategy_name': lambda: name, 'init': lambda: None,
                 'get_ordered_locations': lambda locations, uri_key='url': sorted(locations, key=lambda each: each[uri_key], reverse=True),
                 **functions}
    for function, value in functions.items():
        setattr(made, function, value)
    return made


class InstalledTest(unittest.TestCase):
    """Modules of third parties, which entry points name."""

    def install(self, *loaders):
        points = [types.SimpleNamespace(name='point', load=loader) for loader in loaders]
        self.enterContext(mock.patch.object(strategies.importlib.metadata, 'entry_points', lambda group: points))

    def strategy(self, name):
        return strategies.from_conf(types.SimpleNamespace(location_strategy=name))

    def order(self, strategy):
        return [URLS.index(location.url) for location in strategy([Location(url) for url in URLS])]

    def test_it_orders(self):
        begun = []
        self.install(lambda: module(init=lambda: begun.append(True)))
        self.assertEqual(sorted(range(9), key=URLS.__getitem__, reverse=True), self.order(self.strategy('reverse')))
        self.assertEqual([True], begun)

    def test_it_cannot_lose_double_or_change_a_location(self):
        def spoil(locations, uri_key='url'):
            locations[0]['metadata']['spoilt'] = True
            return [locations[2], locations[0], locations[2], {'url': 'invented'}, locations[1]]

        self.install(lambda: module(get_ordered_locations=spoil))
        given = [Location(url, {}) for url in URLS]
        found = self.strategy('reverse')(given)
        self.assertEqual([2, 1, 0, 3, 4, 5, 6, 7, 8], [URLS.index(location.url) for location in found])
        self.assertEqual([{}] * 9, [location.metadata for location in found])

    def test_same_url_twice(self):
        self.install(module)
        given = [Location('a', {'n': '1'}), Location('b'), Location('a', {'n': '2'}), Location('a', {'n': '1'})]
        self.assertEqual([given[1], given[0], given[2], given[3]], self.strategy('reverse')(given))

    def test_when_it_fails_the_order_stays(self):
        self.install(lambda: module(get_ordered_locations=lambda locations, uri_key='url': 1 / 0))
        with self.assertLogs('glance.store.strategies', 'ERROR'):
            self.assertEqual(list(range(9)), self.order(self.strategy('reverse')))

    def test_what_cannot_be_used_stops_the_start(self):
        self.install(module, lambda: 1 / 0, lambda: types.ModuleType('empty'))
        with self.assertLogs('glance.store.strategies', 'WARNING') as logs:
            with self.assertRaisesRegex(exceptions.ConfigurationError, 'location_strategy = other.*location_order, reverse, store_type'):
                self.strategy('other')
        self.assertEqual(2, len(logs.output))
        self.install(lambda: module(init=lambda: 1 / 0))
        with self.assertRaisesRegex(exceptions.ConfigurationError, 'location_strategy = reverse.*ZeroDivisionError'):
            self.strategy('reverse')


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
