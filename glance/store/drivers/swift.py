"""Images as objects of a Swift cluster: in containers of one account, or each in the account of who uploads it.

Atomic: an object appears when its last byte, or the manifest of its segments, has arrived; of several writers of one
image one wins. Durable: as the cluster says. Integrity: every object and segment is compared with its MD5. Ranges: yes.
Holes: zeros are stored. Memory: the first 16 MiB of each upload; segments up to that size, or kept in files by
swift_buffer_on_upload, are sent four at a time and again when they did not arrive, larger ones pass through as they come.
"""
import concurrent.futures
import datetime
import os
import re
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from typing import Any

from glance import exceptions
from glance.store.base import Capability, Location, StoredObject
from glance.store.drivers import swift_locations
from glance.store.drivers.swift_accounts import Accounts, references_of
from glance.store.drivers.swift_client import Account
from glance.store.drivers.swift_objects import ATTEMPT, SwiftReader, SwiftWriter

MB = 1000 * 1024
_IN_MEMORY = 16 * 1024 * 1024
_PARALLEL = 4
_LOCKS = 32
_UUID = r'[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}'
_NAME = re.compile(_UUID)
_SEGMENT = re.compile(r'(?P<image>%s)/(?P<attempt>%s)/[0-9]{8}' % (_UUID, _UUID))


class SwiftStore:
    """A ``store.base.Store`` of one account.

    :param options: the options of the store as attributes
    :param segment_size: bytes in a segment, except the last
    :param large_object_size: bytes from which an object has segments
    :param memory: bytes of an upload that are kept in memory until they have arrived
    """

    capabilities = Capability.READ_RANDOM | Capability.WRITE
    schemes: tuple[str, ...] = swift_locations.SCHEMES
    parallel = _PARALLEL

    def __init__(self, name: str | None, options, accounts: Accounts, segment_size: int, large_object_size: int,
                 memory: int = _IN_MEMORY):
        self.name, self.accounts = name, accounts
        self.segment_size, self.large_object_size, self.memory = segment_size, large_object_size, memory
        self.title = title_of(name)
        self.buffer_folder = options.swift_upload_buffer_dir if options.swift_buffer_on_upload else None
        self.details = {'container': options.swift_store_container, 'large_object_size': large_object_size,
                        'large_object_chunk_size': segment_size}
        self._options = options
        self._container, self._seed = options.swift_store_container, options.swift_store_multiple_containers_seed
        self.url_prefixes = self._url_prefixes()
        self._lock = threading.Lock()
        self._executor: concurrent.futures.ThreadPoolExecutor | None = None
        self.segments_at_a_time = threading.BoundedSemaphore(_PARALLEL)
        self._alive: set[str] = set()
        self._committing = [threading.Lock() for _ in range(_LOCKS)]

    @classmethod
    def from_options(cls, options, name: str | None) -> 'SwiftStore':
        """The store that a configuration section describes. Raises ConfigurationError."""
        check_options(options)
        sizes = options.swift_store_large_object_chunk_size * MB, options.swift_store_large_object_size * MB
        if options.swift_store_multi_tenant:
            from glance.store.drivers.swift_tenants import TenantAccounts, TenantSwiftStore
            return TenantSwiftStore(name, options, TenantAccounts.from_options(options, title_of(name)), *sizes)
        return cls(name, options, Accounts(options, references_of(options), title_of(name)), *sizes)

    def writer(self, image_id: str, size: int | None = None, attempt: str | None = None) -> SwiftWriter:
        """See ``Store.writer``. Raises Invalid for an id that is no UUID."""
        attempt = str(uuid.uuid4()) if attempt is None else attempt
        for name in (image_id, attempt):
            if not _NAME.fullmatch(name):
                raise exceptions.Invalid('%r is no UUID, and only these are names of images in a Swift store' % name)
        account, container = self.account_for_upload(size), self.container_of(image_id)
        try:
            for needed in {container, self.segment_container(container)}:
                account.ensure_container(needed, self.creates_containers)
            if account.request('HEAD', container, image_id, expected=(404,)).status_code != 404:
                raise exceptions.ObjectExists()
            return SwiftWriter(self, account, container, image_id, attempt, size)
        except BaseException:
            account.release()
            raise

    def open(self, location: Location, offset: int = 0, length: int | None = None) -> SwiftReader:
        account, place = self._find(location)
        return SwiftReader.open(account, place.container, place.name, offset, length,
                                self._options.swift_store_retry_get_count)

    def size(self, location: Location) -> int:
        account, place = self._find(location)
        return int(account.request('HEAD', place.container, place.name).headers['Content-Length'])

    def delete(self, location: Location) -> None:
        account, place = self._find(location)
        self.remove(account, place.container, place.name)

    def discard(self, image_id: str, attempt: str | None = None, committed: bool = False) -> int:
        account, container = self.accounts.default(), self.container_of(image_id)
        freed = self.remove_segments(account, image_id, attempt)
        if committed:
            answer = account.request('HEAD', container, image_id, expected=(404,))
            if answer.status_code != 404:
                self.remove(account, container, image_id)
                freed += int(answer.headers['Content-Length'])
        return freed

    def sweep(self, older_than: float = 3600.0) -> list[str]:
        # The age is all that tells dead writers of other hosts from living ones.
        account, ages = self.accounts.default(), dict[tuple[str, str], float]()
        for container in {self.segment_container(each) for each in self._containers(account)}:
            for item in account.list(container):
                if found := _SEGMENT.fullmatch(item['name']):
                    key = found['image'], found['attempt']
                    ages[key] = min(_age(item), ages.get(key, float('inf')))
        return ['/'.join(key) for key, age in ages.items() if age >= older_than and self.remove_segments(account, *key)]

    def walk(self) -> Iterator[StoredObject]:
        account = self.accounts.default()
        for container in self._containers(account):
            for item in account.list(container):
                if _NAME.fullmatch(item['name']):
                    yield from self._stored(account, container, item)

    def close(self) -> None:
        with self._lock:
            executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown()
        self.accounts.close()

    # What is different with an account for each project.

    @property
    def creates_containers(self) -> bool:
        """Whether a container that is missing is made."""
        return self._options.swift_store_create_container_on_put

    def account_for_upload(self, size: int | None) -> Account:
        """The account for a new image of ``size`` bytes."""
        return self.accounts.default()

    def container_of(self, image_id: str) -> str:
        """The container of a new image."""
        if not self._seed:
            return self._container
        end = digits = 0
        while digits < self._seed:
            digits += image_id[end] != '-'
            end += 1
        return '%s_%s' % (self._container, image_id[:end])

    def segment_container(self, container: str) -> str:
        """The container of the segments of images in a container."""
        return self._options.swift_store_segment_container or container

    def location(self, account: Account, container: str, image_id: str) -> Location:
        """Where an image is."""
        url = swift_locations.by_reference(self._options.default_swift_reference, container, image_id)
        return Location(url, {'store': self.name} if self.name else {})

    def abandoned(self, account: Account, container: str) -> None:
        """Take note that a writer left nothing in a container."""

    def _url_prefixes(self) -> tuple[str, ...]:
        base = 'swift+config://%s/%s' % (self._options.default_swift_reference, self._container)
        return (base + '/', base + '_') if self._seed else (base + '/',)

    # What writers need of their store.

    @property
    def executor(self) -> concurrent.futures.ThreadPoolExecutor:
        """The threads that send segments and delete them."""
        with self._lock:
            if self._executor is None:
                self._executor = concurrent.futures.ThreadPoolExecutor(_PARALLEL, 'swift-segment')
            return self._executor

    def begun(self, attempt: str) -> None:
        """Take note that an attempt leaves segments, which are not to be discarded."""
        self._alive.add(attempt)

    def ended(self, attempt: str) -> None:
        """Take note that the writer of an attempt has ended."""
        self._alive.discard(attempt)

    def committing(self, image_id: str) -> threading.Lock:
        """A lock that writers of one image hold in turn while they publish it."""
        return self._committing[hash(image_id) % len(self._committing)]

    def attempt_of(self, account: Account, container: str, image_id: str) -> str | None:
        """The attempt that wrote an object; None when there is none, or an old one."""
        return account.request('HEAD', container, image_id, expected=(404,)).headers.get(ATTEMPT)

    def remove_segments(self, account: Account, image_id: str, attempt: str | None, own: bool = False) -> int:
        """Remove the segments of an image that belong to no object and no living writer; return their bytes.

        :param attempt: None for those of any attempt
        :param own: whether it is the writer itself that asks
        """
        container = self.container_of(image_id)
        segments = self.segment_container(container)
        found = [item for item in account.list(segments, '%s/%s' % (image_id, attempt + '/' if attempt else ''))
                 if _SEGMENT.fullmatch(item['name'])]
        if not found:
            return 0
        spared = {self.attempt_of(account, container, image_id)} | (set() if own else self._alive)
        found = [item for item in found if item['name'].split('/')[1] not in spared]
        self._delete_all(account, segments, [item['name'] for item in found])
        return sum(item['bytes'] for item in found)

    def remove(self, account: Account, container: str, name: str) -> None:
        """Remove an object with its segments. Raises ObjectNotFound."""
        headers = account.request('HEAD', container, name).headers
        if headers.get('X-Static-Large-Object', '').lower() == 'true':
            _delete_static(account, container, name)
            return
        # An image that is written in another way since has a prefix of another form, which other objects may share.
        segments, _, prefix = headers.get('X-Object-Manifest', '').partition('/')
        if prefix.startswith((name + '-', name + '/')):
            self._delete_all(account, segments, (item['name'] for item in account.list(segments, prefix)))
        account.request('DELETE', container, name)

    def _delete_all(self, account: Account, container: str, names: Iterable[str]) -> None:
        """Delete objects, several at a time; what is gone already is no matter."""
        list(self.executor.map(lambda name: account.request('DELETE', container, name, expected=(404,)), names))

    def _containers(self, account: Account) -> list[str]:
        """The containers that hold images."""
        if not self._seed:
            return [self._container]
        family = re.compile(r'%s(_[0-9a-f-]+)?' % re.escape(self._container))
        return [item['name'] for item in account.list('', self._container) if family.fullmatch(item['name'])]

    def _stored(self, account: Account, container: str, item: dict[str, Any]) -> Iterator[StoredObject]:
        """Describe an object that was listed, unless it is gone by now. Lists do not tell the size of large ones."""
        size = item['bytes']
        if 'slo_etag' in item or not size:
            answer = account.request('HEAD', container, item['name'], expected=(404,))
            if answer.status_code == 404:
                return
            size = int(answer.headers['Content-Length'])
        yield StoredObject(self.location(account, container, item['name']), size, _age(item), item['name'])

    def _find(self, location: Location) -> tuple[Account, swift_locations.Place]:
        place = swift_locations.parse(location.url)
        return self.accounts.at(place), place


def title_of(name: str | None) -> str:
    """What a store is called in the log."""
    return 'Store %s' % name if name else 'The Swift store'


def check_options(options) -> None:
    """Raise ConfigurationError for values that cannot be used, whatever the accounts."""
    for option in ('swift_store_container', 'swift_store_segment_container'):
        value = getattr(options, option)
        if value is not None and (not value or '/' in value) or value is None and option == 'swift_store_container':
            raise exceptions.ConfigurationError('[%s] %s = %s is not the name of a container.'
                                                % (options.section, option, value))
    folder = options.swift_upload_buffer_dir
    if options.swift_buffer_on_upload and not (folder and os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK)):
        raise exceptions.ConfigurationError('[%s] swift_upload_buffer_dir = %s is not a directory that can be written to, '
                                            'which swift_buffer_on_upload needs.' % (options.section, folder))


def _delete_static(account: Account, container: str, name: str) -> None:
    answer = account.request('DELETE', container, name, params={'multipart-manifest': 'delete'},
                             headers={'Accept': 'application/json'})
    # The status of the answer was sent before anything was deleted.
    result = answer.json()
    if result.get('Errors') or not str(result.get('Response Status', '')).startswith(('200', '404')):
        raise exceptions.StoreUnavailable()


def _age(item: dict[str, Any]) -> float:
    """Seconds since an object of a list was written."""
    moment = datetime.datetime.fromisoformat(item['last_modified']).replace(tzinfo=datetime.UTC)
    return time.time() - moment.timestamp()
