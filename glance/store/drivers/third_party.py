"""Drivers of others: classes with the interface that the library glance_store defined, run as stores of this service.

They are found by the entry points ``glance_store.drivers``. Such a driver pulls the data of an upload from a file object, so
each upload has a thread that runs ``add``, fed by the Writer.

What is promised is what the driver keeps: whether an object appears as a whole, is durable, and disappears when ``add`` fails
is its own business. Ranges: by the driver where it says READ_RANDOM, else by reading from the beginning. Holes: no. What the
store holds cannot be listed, so that there is no audit, and what a driver leaves behind when it is killed is not found.
"""
import contextlib
import functools
import importlib.metadata
import inspect
import logging
import sys
from collections.abc import Iterator
from typing import Any

from oslo_config import cfg

from glance import exceptions
from glance.conf import store as options
from glance.store import location as urls
from glance.store.base import Capability, Location, Reader, StoredObject, Writer
from glance.store.drivers.feed import Feed

LOG = logging.getLogger(__name__)

ENTRY_POINTS = 'glance_store.drivers'
_SKIPPED = 64 << 20
"""Bytes at the beginning of an object that are read for nothing, at most, where a driver cannot read from the middle."""
# What a driver raises, by the names of its classes, and what that is here.
_ERRORS: dict[str, type[exceptions.GlanceError]] = {
    'NotFound': exceptions.ObjectNotFound, 'Duplicate': exceptions.ObjectExists, 'StorageFull': exceptions.StoreFull,
    'StorageWriteDenied': exceptions.StoreWriteDenied, 'StoreAddDisabled': exceptions.StoreReadOnly,
    'StoreDeleteNotSupported': exceptions.StoreReadOnly, 'StoreAddNotSupported': exceptions.StoreReadOnly,
    'StoreGetNotSupported': exceptions.StoreForbidden, 'StoreRandomGetNotSupported': exceptions.RangeNotSupported,
    'Forbidden': exceptions.StoreForbidden, 'InUseByStore': exceptions.ObjectInUse, 'HasSnapshot': exceptions.ObjectInUse,
    'BadStoreUri': exceptions.BadLocation, 'UnknownScheme': exceptions.BadLocation,
    'RemoteServiceUnavailable': exceptions.StoreUnavailable, 'TimeoutError': exceptions.StoreUnavailable,
    'ConnectionError': exceptions.StoreUnavailable, 'OSError': exceptions.StoreUnavailable,
}


@functools.cache
def installed() -> dict[str, importlib.metadata.EntryPoint]:
    """Return the entry points of drivers that are installed, by name."""
    return {point.name: point for point in importlib.metadata.entry_points(group=ENTRY_POINTS)}


class ThirdPartyDriver:
    """The driver of an entry point: makes stores, as the classes of this project's own drivers do."""

    def __init__(self, kind: str, driver_class: type):
        self._kind, self._class = kind, driver_class

    def from_options(self, section_options: Any, name: str | None) -> 'ThirdPartyStore':
        """The store that a configuration section describes. Raises ConfigurationError."""
        conf, section = section_options.conf, section_options.section
        try:
            self._register(conf, section)
            driver = self._class(conf, backend=name)
            configure = driver.configure
            configure(**({'re_raise_bsc': True} if 're_raise_bsc' in _parameters(configure) else {}))
            schemes = tuple(driver.get_schemes())
        except Exception as error:
            raise exceptions.ConfigurationError('[%s] The driver %s cannot be configured: %s'
                                                % (section, self._class.__name__, error)) from error
        if not schemes:
            raise exceptions.ConfigurationError('[%s] The driver %s has no scheme of URLs.' % (section, self._class.__name__))
        for scheme in schemes:
            urls.SCHEMES.setdefault(scheme.lower(), self._kind)
        return ThirdPartyStore(driver, conf, name, schemes)

    def _register(self, conf: cfg.ConfigOpts, section: str) -> None:
        """Register the driver's options; what only ``[backend_defaults]`` sets is the default in the section."""
        opts = getattr(self._class, 'OPTIONS', None) or []
        conf.register_opts(opts, group=section)
        if section == options.GROUP:
            return
        conf.register_opts(opts, group=options.DEFAULTS_GROUP)
        for option in opts:
            found = conf.get_location(option.dest, options.DEFAULTS_GROUP)
            if found is not None and found.location is not cfg.Locations.opt_default:
                conf.set_default(option.dest, conf[options.DEFAULTS_GROUP][option.dest], group=section)


class ThirdPartyStore:
    """A ``store.base.Store`` that asks a driver of others."""

    details: dict[str, Any] = {}

    def __init__(self, driver: Any, conf: cfg.ConfigOpts, name: str | None, schemes: tuple[str, ...]):
        self.name, self.schemes = name, schemes
        self._driver, self._conf = driver, conf
        bits = int(getattr(driver, '_capabilities', getattr(driver, '_CAPABILITIES', 0)))
        self.capabilities = Capability(bits & int((Capability.READ_RANDOM | Capability.WRITE).value))
        prefix = getattr(driver, 'url_prefix', None)
        self.url_prefixes = (prefix,) if prefix else ()

    def writer(self, image_id: str, size: int | None = None, attempt: str | None = None) -> 'ThirdPartyWriter':
        if not self.capabilities & Capability.WRITE:
            raise exceptions.StoreReadOnly()
        return ThirdPartyWriter(self, self._driver, image_id, size)

    def open(self, location: Location, offset: int = 0, length: int | None = None) -> 'ThirdPartyReader':
        if not self.capabilities & Capability.READ:
            raise exceptions.StoreForbidden('The image store does not give data back.')
        total = None if offset == 0 and length is not None else self.size(location)
        if total is not None and (min(offset, length or 0) < 0 or offset + (length or 0) > total):
            raise exceptions.Invalid('The image has %d bytes; %s bytes from %d are not in it' % (total, length, offset))
        wanted = (total or 0) - offset if length is None else length
        partial = wanted != total
        jumps = Capability.READ_RANDOM in self.capabilities
        if not jumps and offset > _SKIPPED:
            raise exceptions.RangeNotSupported()
        with _translated():
            found = self._driver.get(self._parsed(location), **(
                {'offset': offset, 'chunk_size': wanted} if jumps and partial and wanted else {}))
        content = found[0] if isinstance(found, tuple) else found
        return ThirdPartyReader(content, offset, wanted, 0 if jumps else offset)

    def size(self, location: Location) -> int:
        with _translated():
            return int(self._driver.get_size(self._parsed(location)))

    def delete(self, location: Location) -> None:
        with _translated():
            self._driver.delete(self._parsed(location))

    def discard(self, image_id: str, attempt: str | None = None, committed: bool = False) -> int:
        return 0    # the driver cannot be asked what it left

    def sweep(self, older_than: float = 3600.0) -> list[str]:
        return []

    def walk(self) -> Iterator[StoredObject]:
        raise exceptions.WalkNotSupported()

    def close(self) -> None:
        """Drivers have nothing for this."""

    def _parsed(self, location: Location) -> 'DriverLocation':
        return DriverLocation(self._driver, self._conf, self.name, location.url)


class DriverLocation:
    """A location in the form that drivers know.

    ``store_location`` is of the driver's own class ``StoreLocation``, where it has one, and has parsed the URL.
    """

    def __init__(self, driver: Any, conf: cfg.ConfigOpts, backend: str | None, url: str):
        self.uri, self.image_id, self.store_specs = url, None, {}
        self.store_name = url.partition('://')[0]
        self.store_location = None
        choose = getattr(driver, 'get_store_location_class', None)
        parser = choose() if choose else getattr(sys.modules[type(driver).__module__], 'StoreLocation', None)
        if parser is not None:
            named = {'backend_group': backend} if 'backend_group' in _parameters(parser) else {}
            self.store_location = parser({}, conf, **named)
            self.store_location.parse_uri(url)

    def get_store_uri(self) -> str:
        """The URL."""
        return self.store_location.get_uri() if self.store_location is not None else self.uri

    get_uri = get_store_uri


class ThirdPartyWriter(Writer):
    """A ``store.base.Writer`` whose data a driver takes in a thread of its own."""

    def __init__(self, store: ThirdPartyStore, driver: Any, image_id: str, size: int | None):
        self._store = store
        self._written = 0
        self._feed = Feed(functools.partial(self._add, driver, image_id, size or 0))

    def write(self, data: memoryview) -> None:
        with _translated():
            self._feed.put(bytes(data))
        self._written += len(data)

    def commit(self) -> Location:
        with _translated():
            url, count, *_, metadata = self._feed.end()
        location = Location(url, dict(metadata or {}))
        if self._store.name:
            location.metadata['store'] = self._store.name
        if count != self._written:
            self._remove(location)
            raise exceptions.StoreError('The driver of the image store has taken %d of %d bytes.' % (count, self._written))
        return location

    def abort(self) -> None:
        added = self._feed.break_off()
        if added is not None:
            # The driver took the breach for the end.
            self._remove(Location(added[0]))

    def _remove(self, location: Location) -> None:
        try:
            self._store.delete(location)
        except exceptions.StoreError as error:
            LOG.error('Partial data stays at %s: %s', urls.redact(location.url), error)

    @staticmethod
    def _add(driver: Any, image_id: str, size: int, file: Any) -> tuple:
        # Drivers of the first releases know of no second hash, and would take its name for something else.
        arguments = _parameters(driver.add)
        any_number = any(each.kind is inspect.Parameter.VAR_POSITIONAL for each in arguments.values())
        algorithm = ('sha512',) if 'hashing_algo' in arguments or any_number else ()
        return driver.add(image_id, file, size, *algorithm)


class ThirdPartyReader(Reader):
    """A ``store.base.Reader`` of the pieces that a driver delivers.

    :param skip: bytes at their beginning that are not wanted
    """

    def __init__(self, content: Any, offset: int, length: int, skip: int):
        self.offset, self.length = offset, length
        self._content, self._pieces = content, iter(content)
        self._skip, self._left, self._rest = skip, length, memoryview(b'')

    def readinto(self, buffer: memoryview) -> int:
        if not self._left or not len(buffer):
            return 0
        while not self._rest:
            self._rest = self._next()
        count = min(len(buffer), len(self._rest), self._left)
        buffer[:count] = self._rest[:count]
        self._rest, self._left = self._rest[count:], self._left - count
        return count

    def _next(self) -> memoryview:
        with _translated():
            piece = next(self._pieces, None)
        if piece is None:
            raise exceptions.StoreError('The data in the store ends %d bytes too early.' % self._left)
        skipped = min(self._skip, len(piece))
        self._skip -= skipped
        return memoryview(piece)[skipped:]

    def close(self) -> None:
        self._left, self._rest = 0, memoryview(b'')
        for each in dict.fromkeys((self._pieces, self._content)):
            close = getattr(each, 'close', None)
            if close is not None:
                with contextlib.suppress(Exception):
                    close()


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Raise what a driver raises in the words of this service."""
    try:
        yield
    except exceptions.GlanceError:
        raise
    except Exception as error:
        kind = next((_ERRORS[each.__name__] for each in type(error).__mro__ if each.__name__ in _ERRORS), None)
        if kind is None:
            LOG.exception('A driver of an image store failed.')
            kind = exceptions.StoreError
        raise kind() from error


def _parameters(function: Any) -> dict[str, inspect.Parameter]:
    try:
        return dict(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return {}
