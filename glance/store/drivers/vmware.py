"""Images as files in datastores of a vCenter or an ESX host.

Atomic: a file is written as ``<id>.part.<attempt>`` and renamed when it is complete, never over another. Of several
writers of one image in one datastore one wins; of those in several at the same moment one or none. Durable: as the
datastore is. Integrity: TLS, and the length. Ranges: yes, and where a host knows none the bytes before the span are
skipped, up to 64 MiB. Holes: zeros are stored. Memory: the first MiB of each upload.
"""
import datetime
import logging
import re
import ssl
import threading
import time
import urllib.parse
import uuid
from collections.abc import Iterator
from typing import Any, NamedTuple

import urllib3

from glance import exceptions
from glance.store import location as locations
from glance.store.base import Capability, Location, StoredObject, Writer
from glance.store.drivers import vmware_files
from glance.store.drivers.vmware_files import FileReader, FileServer, Upload
from glance.store.drivers.vmware_soap import Fault, Reference, VimClient, reference, references

LOG = logging.getLogger(__name__)

_CONNECTIONS = 64
_FIRST_BYTES = 1024 * 1024
"""What is gathered before an upload begins: the length of smaller images is known then."""
_UUID = r'[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}'
_NAME = re.compile(_UUID)
_PART = re.compile(r'(?P<image>%s)\.part\.(?P<attempt>%s)' % (_UUID, _UUID))
_PATH = re.compile(r'/folder/(?:[^][/]+/)*' + _UUID)
_MANDATORY = ('vmware_server_host', 'vmware_server_username', 'vmware_server_password')

_FAULTS = {
    'FileNotFound': exceptions.ObjectNotFound, 'FileAlreadyExists': exceptions.ObjectExists,
    'FileLocked': exceptions.ObjectInUse, 'NoPermission': exceptions.StoreForbidden,
    'NoDiskSpace': exceptions.StoreFull,
}


class Datastore(NamedTuple):
    """A datastore as it is configured."""

    datacenter: str
    name: str
    weight: int = 0

    def is_meant_by(self, query: dict[str, str]) -> bool:
        """Whether the query of a URL names it, or leaves it open."""
        return query.get('dsName', self.name) == self.name \
            and query.get('dcPath', self.datacenter).strip('/') == self.datacenter.strip('/')

    def path(self, name: str) -> str:
        """How the API names a file of it."""
        return '[%s] %s' % (self.name, name)

    def target(self, path: str) -> str:
        """How the folder of the server names a file of it."""
        return '/folder/%s?%s' % (urllib.parse.quote(path), urllib.parse.urlencode(
            [('dsName', self.name), ('dcPath', self.datacenter)]))


class _Objects(NamedTuple):
    """The objects of the server behind a datastore."""

    datacenter: Reference
    datastore: Reference
    browser: Reference


class VmwareStore:
    """A ``store.base.Store`` of some datastores of one server.

    :param options: the options of the store as attributes
    :param datastores: in the order of the configuration
    """

    schemes = ('vsphere',)
    capabilities = Capability.READ_RANDOM | Capability.WRITE

    def __init__(self, name: str | None, server: vmware_files.Address, datastores: list[Datastore], options,
                 context: ssl.SSLContext):
        self.name, self.datastores = name, datastores
        self.directory = options.vmware_store_image_dir.strip('/')
        self.details: dict[str, Any] = {
            'datastores': ['%s:%s:%d' % each for each in datastores], 'image_dir': '/' + self.directory}
        self._server = server
        self.url_prefixes = ('vsphere://%s/folder/%s/' % (server, urllib.parse.quote(self.directory)),)
        timeouts = options.store_connect_timeout, options.store_idle_timeout
        # Nothing is connected before the first request, and so not before a fork.
        self._pool = urllib3.HTTPSConnectionPool(
            server.host, server.port, timeout=urllib3.Timeout(*timeouts), maxsize=_CONNECTIONS, ssl_context=context,
            cert_reqs=context.verify_mode, assert_hostname=None if context.check_hostname else False)
        self.api = VimClient(self._pool, options.vmware_server_username, options.vmware_server_password,
                             options.vmware_api_retry_count + 1, options.vmware_task_poll_interval)
        self.files = FileServer(server, context, timeouts, self._pool, self.api)
        self._lock = threading.Lock()
        self._objects: dict[Datastore, _Objects] = {}
        self._alive: set[str] = set()

    @classmethod
    def from_options(cls, options, name: str | None) -> 'VmwareStore':
        """The store that a configuration section describes. Raises ConfigurationError."""
        for option in _MANDATORY:
            if not getattr(options, option):
                raise exceptions.ConfigurationError('[%s] %s is not set; stores of type vmware need it.'
                                                    % (options.section, option))
        server = vmware_files.address(options.vmware_server_host)
        if server is None:
            raise exceptions.ConfigurationError('[%s] vmware_server_host = %s is not of the form host or host:port.'
                                                % (options.section, options.vmware_server_host))
        if not re.fullmatch(r'/?[\w.-]+(?:/[\w.-]+)*/?', options.vmware_store_image_dir) \
                or {'.', '..'} & set(options.vmware_store_image_dir.split('/')):
            raise exceptions.ConfigurationError('[%s] vmware_store_image_dir = %s is not the name of a directory.'
                                                % (options.section, options.vmware_store_image_dir))
        return cls(name, server, _datastores_of(options), options, _context_of(options))

    def writer(self, image_id: str, size: int | None = None, attempt: str | None = None) -> 'VmwareWriter':
        """See ``Store.writer``. Raises Invalid for an id that is no UUID."""
        attempt = str(uuid.uuid4()) if attempt is None else attempt
        for name in (image_id, attempt):
            if not _NAME.fullmatch(name):
                raise exceptions.Invalid('%r is no UUID, and only these are names of images in a VMware store' % name)
        self.check_absent(image_id)
        return VmwareWriter(self, self._datastore_for(size), image_id, attempt, size)

    def open(self, location: Location, offset: int = 0, length: int | None = None) -> FileReader:
        datastore, path = self._parse(location)
        if min(offset, length or 0) < 0:
            raise exceptions.Invalid('An image has no bytes before its first one')
        size = self.files.size(datastore.target(path))
        length = size - offset if length is None else length
        if offset + length > size or length < 0:
            raise exceptions.Invalid('The image has %d bytes; %d bytes from %d are not in it' % (size, length, offset))
        return FileReader(self.files, datastore.target(path), offset, length, size)

    def size(self, location: Location) -> int:
        datastore, path = self._parse(location)
        return self.files.size(datastore.target(path))

    def delete(self, location: Location) -> None:
        self._delete(*self._parse(location))

    def discard(self, image_id: str, attempt: str | None = None, committed: bool = False) -> int:
        freed = 0
        for datastore, name, size, _ in self._search(image_id + '*'):
            part = _PART.fullmatch(name)
            if part and attempt in (None, part['attempt']) and part['attempt'] not in self._living() \
                    or committed and name == image_id:
                self.remove(datastore, name)
                freed += size
        return freed

    def sweep(self, older_than: float = 3600.0) -> list[str]:
        swept = []
        for datastore, name, _, changed in list(self._search('*.part.*')):
            part = _PART.fullmatch(name)
            # The age is all that tells dead writers of other hosts from living ones.
            if part and part['attempt'] not in self._living() and time.time() - changed >= older_than:
                self.remove(datastore, name)
                swept.append(name)
        return swept

    def walk(self) -> Iterator[StoredObject]:
        for datastore, name, size, changed in self._search('*'):
            if _NAME.fullmatch(name):
                yield StoredObject(self.location(datastore, name), size, time.time() - changed, name)

    def close(self) -> None:
        self.api.close()
        self._pool.close()

    # What writers need of their store.

    @property
    def title(self) -> str:
        return 'Store %s' % self.name if self.name else 'The VMware store'

    def location(self, datastore: Datastore, image_id: str) -> Location:
        """Where an image is."""
        url = 'vsphere://%s%s' % (self._server, datastore.target(self.file(image_id)))
        return Location(url, {'store': self.name} if self.name else {})

    def file(self, name: str) -> str:
        """The path of a file in the directory of images."""
        return '%s/%s' % (self.directory, name)

    def check_absent(self, image_id: str, beside: Datastore | None = None) -> None:
        """Raise ObjectExists when a datastore other than ``beside`` holds the image."""
        for datastore in self.datastores:
            if datastore != beside and self.files.exists(datastore.target(self.file(image_id))):
                raise exceptions.ObjectExists()

    def note(self, attempt: str, alive: bool) -> None:
        """Note whether something is written by an attempt."""
        with self._lock:
            (self._alive.add if alive else self._alive.discard)(attempt)

    def publish(self, datastore: Datastore, part: str, image_id: str) -> None:
        """Give a complete file its name. Raises ObjectExists when there is one of that name."""
        datacenter = self._found(datastore).datacenter
        try:
            self.api.move_file(datastore.path(self.file(part)), datastore.path(self.file(image_id)), datacenter)
        except Fault as fault:
            raise _error_of(fault, exceptions.StoreWriteDenied) from fault

    def remove(self, datastore: Datastore, name: str) -> bool:
        """Remove a file of the directory of images; False when there is none."""
        try:
            self._delete(datastore, self.file(name))
        except exceptions.ObjectNotFound:
            return False
        return True

    def _living(self) -> set[str]:
        with self._lock:
            return set(self._alive)

    def _delete(self, datastore: Datastore, path: str) -> None:
        try:
            self.api.delete_file(datastore.path(path), self._found(datastore).datacenter)
        except Fault as fault:
            raise _error_of(fault) from fault

    def _datastore_for(self, size: int | None) -> Datastore:
        """The datastore of the highest weight that has room, among equals the one with the most. Raises StoreFull."""
        objects = {self._found(each).datastore: each for each in self.datastores}
        try:
            found = self.api.properties(list(objects), 'summary.freeSpace')
        except Fault as fault:
            raise _error_of(fault) from fault
        free = {each: int(found[key]['summary.freeSpace'].text or 0) for key, each in objects.items() if found.get(key)}
        fitting = [each for each in self.datastores if free.get(each, -1) >= (size or 0)]
        if not fitting:
            raise exceptions.StoreFull()
        return max(fitting, key=lambda each: (each.weight, free[each]))

    def _found(self, datastore: Datastore) -> _Objects:
        """The objects behind a datastore, looked up once. Raises StoreUnavailable when there is no such datastore."""
        with self._lock:
            known = self._objects.get(datastore)
        if known is None:
            try:
                known = self._look_up(datastore)
            except Fault as fault:
                raise _error_of(fault) from fault
            with self._lock:
                self._objects[datastore] = known
        return known

    def _look_up(self, datastore: Datastore) -> _Objects:
        datacenter = self.api.datacenter(datastore.datacenter)
        if datacenter is None or datacenter.kind != 'Datacenter':
            LOG.error('%s: there is no datacenter %s; correct vmware_datastores.', self.title, datastore.datacenter)
            raise exceptions.StoreUnavailable()
        listed = references(self.api.properties([datacenter], 'datastore')[datacenter]['datastore'])
        for each, found in self.api.properties(listed, 'summary.name', 'browser').items():
            if found['summary.name'].text == datastore.name:
                self._make_directory(datastore, datacenter)
                return _Objects(datacenter, each, reference(found['browser']))
        LOG.error('%s: the datacenter %s has no datastore %s; correct vmware_datastores.', self.title,
                  datastore.datacenter, datastore.name)
        raise exceptions.StoreUnavailable()

    def _make_directory(self, datastore: Datastore, datacenter: Reference) -> None:
        try:
            self.api.make_directory(datastore.path(self.directory), datacenter)
        except Fault as fault:
            # Who may not make it may be allowed to use one that is there.
            if fault.kind not in ('FileAlreadyExists', 'NoPermission'):
                raise

    def _search(self, pattern: str) -> Iterator[tuple[Datastore, str, int, float]]:
        """Files of the directory of images: datastore, name, size in bytes, last change in seconds of the epoch."""
        for datastore in self.datastores:
            try:
                browser = self._found(datastore).browser
                for name, size, changed in self.api.search(browser, datastore.path(self.directory), pattern):
                    moment = datetime.datetime.fromisoformat(changed).timestamp() if changed else time.time()
                    yield datastore, name, size, moment
            except Fault as fault:
                if fault.kind != 'FileNotFound':
                    raise _error_of(fault) from fault

    def _parse(self, location: Location) -> tuple[Datastore, str]:
        """Datastore and path of a location. What old ones leave out, the configuration tells.

        :raises BadLocation: for anything that cannot be one of this store, be it on another host
        """
        url = locations.parse(location.url)
        path = urllib.parse.unquote(url.path)
        query = dict(urllib.parse.parse_qsl(url.query or '', keep_blank_values=True))
        here = vmware_files.address(url.host) in (self._server, self._server._replace(port=vmware_files.HTTPS))
        if here and url.scheme.lower() == 'vsphere' and url.userinfo is None and not set(query) - {'dsName', 'dcPath'} \
                and _PATH.fullmatch(path) and not {'.', '..'} & set(path.split('/')):
            for datastore in self.datastores:
                if datastore.is_meant_by(query):
                    return datastore, path.removeprefix('/folder/')
        raise exceptions.BadLocation('The location is not one of this VMware store')


class VmwareWriter(Writer):
    """A ``store.base.Writer`` of one file."""

    def __init__(self, store: VmwareStore, datastore: Datastore, image_id: str, attempt: str, size: int | None):
        self._store, self._datastore, self._image_id, self._attempt = store, datastore, image_id, attempt
        self._announced = size
        self._part = '%s.part.%s' % (image_id, attempt)
        self._first = bytearray()
        self._length = 0
        self._upload: Upload | None = None
        self._begun = self._perhaps_moved = self._ended = False

    def write(self, data: memoryview) -> None:
        if self._announced is not None and self._length + len(data) > self._announced:
            raise exceptions.SizeMismatch(self._announced, self._length + len(data))
        self._length += len(data)
        if self._upload:
            self._upload.send(data)
            return
        self._first += data
        if len(self._first) >= _FIRST_BYTES:
            self._begin(self._announced)

    def commit(self) -> Location:
        if self._announced not in (None, self._length):
            raise exceptions.SizeMismatch(self._announced, self._length)
        if not self._upload:
            self._begin(self._length)
        self._upload.finish()
        stored = self._store.files.size(self._target(self._part))
        if stored != self._length:
            raise exceptions.StoreError('The store kept %d of %d bytes.' % (stored, self._length))
        self._publish()
        self._end()
        return self._store.location(self._datastore, self._image_id)

    def abort(self) -> None:
        if self._ended:
            return
        if self._upload:
            self._upload.break_off()
        try:
            if self._begun and not self._store.remove(self._datastore, self._part) and self._perhaps_moved:
                self._store.remove(self._datastore, self._image_id)
        except exceptions.StoreError as error:
            LOG.error('%s: the file %s is left behind, to be swept later: %s', self._store.title, self._part, error)
        self._end()

    def _begin(self, size: int | None) -> None:
        self._store.note(self._attempt, True)
        self._begun = True
        self._upload = self._store.files.upload(self._target(self._part), size)
        first, self._first = self._first, bytearray()
        self._upload.send(first)

    def _publish(self) -> None:
        try:
            self._store.publish(self._datastore, self._part, self._image_id)
        except exceptions.StoreUnavailable:
            self._perhaps_moved = True      # the answer may be what was lost
            raise
        self._part = self._image_id         # what abort removes, until it is known that no other datastore has one
        self._store.check_absent(self._image_id, beside=self._datastore)

    def _target(self, name: str) -> str:
        return self._datastore.target(self._store.file(name))

    def _end(self) -> None:
        self._ended = True
        self._first = bytearray()
        self._store.note(self._attempt, False)


def _datastores_of(options) -> list[Datastore]:
    """The datastores of the store. Raises ConfigurationError."""
    entries = options.vmware_datastores or []
    if options.vmware_datastore_name:
        if entries:
            raise exceptions.ConfigurationError('[%s] vmware_datastores and vmware_datastore_name are both set; keep '
                                                'the first.' % options.section)
        return [Datastore(options.vmware_datacenter_path, options.vmware_datastore_name)]
    if not entries:
        raise exceptions.ConfigurationError('[%s] vmware_datastores is not set; stores of type vmware need at least '
                                            'one.' % options.section)
    datastores = []
    for entry in entries:
        found = re.fullmatch(r'([^:]+):([^:]+)(?::\s*([+-]?[0-9]+)\s*)?', entry)
        if not found:
            raise exceptions.ConfigurationError(
                '[%s] vmware_datastores = %s is not of the form datacenter:datastore or datacenter:datastore:weight, '
                'the weight being a whole number.' % (options.section, entry))
        datastores.append(Datastore(found[1].strip(), found[2].strip(), int(found[3] or 0)))
    return datastores


def _context_of(options) -> ssl.SSLContext:
    """Whose certificates are trusted. Raises ConfigurationError for a file that holds none."""
    try:
        context = ssl.create_default_context(cafile=options.vmware_ca_file or None)
    except OSError as error:
        raise exceptions.ConfigurationError('[%s] vmware_ca_file = %s holds no certificates that can be read.'
                                            % (options.section, options.vmware_ca_file)) from error
    if options.vmware_insecure and not options.vmware_ca_file:
        LOG.warning('[%s] vmware_insecure is on: whoever is between this service and the server learns the password '
                    'and can change images. Set vmware_ca_file instead.', options.section)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    return context


def _error_of(fault: Fault, denied: type[exceptions.StoreError] = exceptions.StoreForbidden) -> exceptions.StoreError:
    """What the interface of stores promises for a fault."""
    error = denied if fault.kind == 'NoPermission' else _FAULTS.get(fault.kind, exceptions.StoreUnavailable)
    if error in (exceptions.StoreUnavailable, denied):
        LOG.error('The server of virtual machines refused a call: %s', fault.kind)
    return error()
