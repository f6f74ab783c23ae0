"""The Swift driver with an account for each project: the conformance suite, with many containers and so many requests."""
import functools
import multiprocessing
import uuid

from glance import exceptions
from glance.store.base import Location
from glance.store.drivers.swift_tenants import TenantAccounts, TenantSwiftStore
from tests.store_conformance.suite import StoreConformance
from tests.stores import test_swift_keystone
from tests.stores.test_swift import SEGMENT


class Asked(TenantSwiftStore):
    """A store that one user asks, from whatever thread, and that lists his account."""

    def __init__(self, requester, options):
        super().__init__('swift', options, TenantAccounts.from_options(options, 'Store swift'), SEGMENT, SEGMENT)
        self._requester = requester
        if multiprocessing.parent_process():
            self.parallel = 0

    def writer(self, *arguments):
        self._requester.update_store()
        return super().writer(*arguments)

    def open(self, *arguments):
        self._requester.update_store()
        return super().open(*arguments)

    def delete(self, location):
        self._requester.update_store()
        super().delete(location)

    def walk(self):
        account = self.accounts.default()
        for container in account.list('', self._container):
            for item in account.list(container['name']):
                if '/' not in item['name']:
                    yield from self._stored(account, container['name'], item)


class Conformance(StoreConformance, test_swift_keystone.OnKeystone):
    """Every test in the account of one project, by its user."""

    def setUp(self):
        test_swift_keystone.OnKeystone.setUp(self)
        self.factory = functools.partial(Asked, self.act_as('demo'), self.options(service=False))
        self.store = self.factory()
        self.addCleanup(self.store.close)
        self.addCleanup(self._remove_containers)

    def pieces(self):
        account = self.store.accounts.default()
        return {(container['name'], item['name']) for container in account.list('', self.container)
                for item in account.list(container['name'])}

    def _remove_containers(self):
        account = self.store.accounts.default()
        for container, name in self.pieces():
            account.request('DELETE', container, name)
        for container in account.list('', self.container):
            account.request('DELETE', container['name'])

    def test_url_is_of_the_store(self):
        self.assertTrue(self.put(b'x').url.startswith(self.store.url_prefixes))

    def test_foreign_location(self):
        for url in ('', 'nothing', 'gopher://host/x', 'swift+https://', 'swift+https:///etc/passwd', 'swift://../x',
                    'swift+http://example.com/v1/AUTH_x/c/o', self.swift.replace('http', 'swift+http') + '/v1/../c/o'):
            for operation in (self.store.delete, self.store.open, self.store.size):
                with self.assertRaises(exceptions.BadLocation, msg=url):
                    operation(Location(url))

    def test_sweep_after_a_killed_writer(self):
        self._kill_writer(str(uuid.uuid4()))
        self.assertEqual([], self.store.sweep(0), 'the accounts of all projects cannot be listed')
