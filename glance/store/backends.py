"""The stores of this process: which there are, which one is meant.

Either ``enabled_backends`` names stores (several, also of one type), or ``[glance_store]`` describes unnamed ones, at
most one of each type, which are told apart by scheme.
"""
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from oslo_config import cfg

from glance import exceptions
from glance.conf import store as options
from glance.store import drivers, location, strategies
from glance.store.base import Store
from glance.store.guard import Watch, guarded
from glance.store.unusable import UnusableStore

LOG = logging.getLogger(__name__)

RESERVED_PREFIX = 'os_glance_'
# A directory answers or hangs by itself, and web servers are many: that of one user must not stand for those of others.
_UNGUARDED = ('file', 'http')


@dataclass(frozen=True, slots=True)
class Backend:
    """A configured store: ``name`` is None for an unnamed one."""

    name: str | None
    type: str
    store: Store
    description: str | None = None
    weight: int = 0


class BackendOptions:
    """The options of one backend as attributes; what its section leaves out is looked up in ``[backend_defaults]``."""

    def __init__(self, conf: cfg.ConfigOpts, section: str):
        self._conf, self.section = conf, section
        self._has_defaults = section != options.GROUP

    def __getattr__(self, name: str) -> Any:
        return getattr(self._conf[self._group(name)], name)

    @property
    def conf(self) -> cfg.ConfigOpts:
        """The whole configuration, for what is the same for all stores."""
        return self._conf

    def is_set(self, name: str) -> bool:
        """Whether the operator gave the option a value, be it the default one."""
        return self._set_in(self._group(name), name)

    def _group(self, name: str) -> str:
        if not self._has_defaults or name not in self._conf[options.DEFAULTS_GROUP] or self._set_in(self.section, name):
            return self.section
        return options.DEFAULTS_GROUP if self._set_in(options.DEFAULTS_GROUP, name) else self.section

    def _set_in(self, group: str, name: str) -> bool:
        found = self._conf.get_location(name, group)
        return found is not None and found.location is not cfg.Locations.opt_default


class Backends:
    """The configured stores.

    :param conf: with the options of ``glance.conf`` registered and the files read
    :param reserved: whether the stores for the service's own use are wanted, whose directories are made where missing
    :param watch: is told how remote stores are
    :raises ConfigurationError: naming file, option and value; StoreConfigurationError for options of the store for new
        images. Of other stores it is logged: they are left out, or answer that they are unavailable.
    """

    def __init__(self, conf: cfg.ConfigOpts, reserved: bool = True, watch: Watch | None = None):
        self._with_reserved, self._watch = reserved, watch
        self.multiple = bool(conf.enabled_backends)
        """Whether stores have names."""
        self._backends: dict[str, Backend] = {}
        self._reserved: dict[str, Backend] = {}
        self._strategy = strategies.from_conf(conf)
        try:
            self.default = self._configure_named(conf) if self.multiple else self._configure_unnamed(conf)
            """What ``get`` takes to return the store for new images."""
            self._check_directories()
            self._check_web()
        except BaseException:
            self.close()
            raise

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the enabled stores in the order of the configuration; empty where stores are unnamed."""
        return tuple(self._backends) if self.multiple else ()

    @property
    def enabled(self) -> tuple[Store, ...]:
        """Every enabled store once, reserved ones left out."""
        return tuple({id(backend): backend.store for backend in self._backends.values()}.values())

    @property
    def staging(self) -> Store | None:
        """Where data waits for its import; None without reserved stores."""
        return self._reserved[options.STAGING].store if self._with_reserved else None

    def backend(self, name: str) -> Backend:
        """Describe an enabled store, by name or, where stores are unnamed, by scheme. Raises UnknownStore."""
        try:
            return self._backends[name]
        except KeyError:
            raise exceptions.UnknownStore(name) from None

    def get(self, name: str) -> Store:
        """The store of this name, also a reserved one; where stores are unnamed, of this scheme.

        :raises UnknownStore: when there is none
        """
        if name in self._reserved:
            return self._reserved[name].store
        return self.backend(name).store

    def for_location(self, url: str, metadata: dict[str, Any] | None = None) -> Store:
        """The enabled store that holds an object: the one its metadata names, else the one whose URLs begin like this.

        :raises BadLocation: when no enabled store, or not the named one, has locations of this scheme
        """
        scheme = location.scheme_of(url)
        name = (metadata or {}).get('store') if self.multiple else None
        if isinstance(name, str) and name in self._backends:
            candidates = (self.get(name),)
        else:
            candidates = self.enabled
        candidates = [store for store in candidates if scheme in store.schemes]
        if not candidates:
            raise exceptions.BadLocation('No enabled store has locations of scheme %r' % scheme)
        return max(candidates, key=lambda store: _match_length(store, url))

    def name_for(self, url: str) -> str | None:
        """The name of the store whose own URLs begin like this one; None when there is none, or stores are unnamed."""
        found = max(self.enabled, key=lambda store: _match_length(store, url), default=None)
        return found.name if found is not None and _match_length(found, url) else None

    def name_of(self, url: str, metadata: dict[str, Any]) -> str | None:
        """The name of the enabled store that a location is in: what its metadata says, else what its URL tells."""
        name = metadata.get('store')
        return name if isinstance(name, str) and name in self.names else self.name_for(url)

    def in_reading_order(self, locations: Sequence[strategies.L], prefer: Sequence[str] = ()) -> list[strategies.L]:
        """The locations of an image, the one to read first coming first.

        Stores in ``prefer`` come first, in its order; then those of more weight come before others, then the strategy of
        the operator decides, then the given order.
        """
        ordered = self._strategy(locations)
        if not self.multiple or len(ordered) < 2:
            return ordered
        return sorted(ordered, key=lambda each: self._rank(self.name_of(each.url, each.metadata), prefer))

    def _rank(self, name: str | None, prefer: Sequence[str]) -> tuple[int, int]:
        if name is None:
            return len(prefer), 0
        return prefer.index(name) if name in prefer else len(prefer), -self._backends[name].weight

    def close(self) -> None:
        """Close every store."""
        for backend in self._distinct():
            backend.store.close()

    def _configure_named(self, conf: cfg.ConfigOpts) -> str:
        default, names = conf.glance_store.default_backend, ', '.join(conf.enabled_backends)
        if not default:
            raise exceptions.ConfigurationError('[glance_store] default_backend is not set; set it to one of the names '
                                                'in enabled_backends: %s.' % names)
        if default not in conf.enabled_backends:
            raise exceptions.ConfigurationError('%s: [glance_store] default_backend = %s is none of the names in '
                                                'enabled_backends: %s.'
                                                % (_file_of(conf, options.GROUP, 'default_backend'), default, names))
        for name, kind in conf.enabled_backends.items():
            option = '%s: [DEFAULT] enabled_backends = %s:%s' % (_file_of(conf, None, 'enabled_backends'), name, kind)
            if name.startswith(RESERVED_PREFIX):
                raise exceptions.ConfigurationError('%s: names that begin with %s are reserved for the service; choose '
                                                    'another.' % (option, RESERVED_PREFIX))
            kind = drivers.canonical(kind.strip(), option)
            options.register_backend(conf, name, kind)
            store = self._store(kind, option, conf, name, name, needed=name == default)
            if store is not None:
                self._backends[name] = Backend(name, kind, store, conf[name].store_description, conf[name].weight)
        for name in (options.STAGING, options.TASKS):
            self._reserve(name, name, conf[name].filesystem_store_datadir)
        return default

    def _store(self, kind: str, option: str, conf: cfg.ConfigOpts, section: str, name: str | None, needed: bool
               ) -> Store | None:
        """Make a store. One that cannot be made does not keep others from their work, unless new images go there."""
        try:
            return self._guarded(kind, option, conf, section, name)
        except drivers.DriverUnavailable as error:
            if needed:
                raise
            LOG.warning('%s The store is left out.', error)
            return None
        except exceptions.StoreConfigurationError as error:
            if needed:
                raise
            LOG.error('%s Whoever asks for the store %s is answered that it is not available.', error, name or kind)
            return UnusableStore(name, kind)

    def _guarded(self, kind: str, option: str, conf: cfg.ConfigOpts, section: str, name: str | None) -> Store:
        driver, section_options = drivers.load(kind, option), BackendOptions(conf, section)
        try:
            store = driver.from_options(section_options, name)
        except exceptions.ConfigurationError as error:
            raise exceptions.StoreConfigurationError('%s: %s' % (_file_of(conf, section), error)) from error
        if kind in _UNGUARDED:
            return store
        return guarded(store, section_options.store_attempts, section_options.store_max_transfers, self._watch)

    def _configure_unnamed(self, conf: cfg.ConfigOpts) -> str:
        default = conf.glance_store.default_store
        for kind in conf.glance_store.stores:
            option = '%s: [glance_store] stores = %s' % (_file_of(conf, options.GROUP, 'stores'), kind)
            kind = drivers.canonical(kind.strip(), option)
            store = self._store(kind, option, conf, options.GROUP, None, needed=location.SCHEMES.get(default) == kind)
            if store is not None:
                self._backends.update(dict.fromkeys(store.schemes, Backend(None, kind, store)))
        self._reserve(options.STAGING, None, staging_directory(conf))
        if default not in self._backends:
            raise exceptions.ConfigurationError('%s: [glance_store] default_store = %s is the scheme of none of the stores '
                                                'in [glance_store] stores = %s.'
                                                % (_file_of(conf, options.GROUP, 'default_store'), default,
                                                   ','.join(conf.glance_store.stores)))
        return default

    def _reserve(self, key: str, name: str | None, directory: str) -> None:
        """Add a store for the service's own use."""
        if not self._with_reserved:
            return
        self._reserved[key] = Backend(name, 'file', drivers.load('file', key).in_directory(directory, name))

    def _check_directories(self) -> None:
        """Two file stores in one directory would take each other's objects for their own."""
        owners: dict[str, Backend] = {}
        for backend in self._distinct():
            for prefix in backend.store.url_prefixes if backend.type == 'file' else ():
                path = os.path.realpath(prefix.partition('://')[2])
                owner = owners.setdefault(path, backend)
                if owner is not backend:
                    raise exceptions.StoreConfigurationError('Two stores, %s and %s, share the directory %s.'
                                                             % (_title(owner), _title(backend), path))

    def _check_web(self) -> None:
        """All of the web would be in each of several http stores."""
        names = [backend.name for backend in self._distinct() if backend.type == 'http' and backend.name]
        if len(names) > 1:
            raise exceptions.StoreConfigurationError('[DEFAULT] enabled_backends has %d stores of type http: %s. Keep one of '
                                                     'them.' % (len(names), ', '.join(names)))

    def _distinct(self) -> Iterator[Backend]:
        yield from {id(backend): backend for backend in (*self._backends.values(), *self._reserved.values())}.values()


def title(store: Store) -> str:
    """Return what a store is called: its name, or its scheme where stores are unnamed."""
    return store.name or store.schemes[0]


def staging_directory(conf: cfg.ConfigOpts) -> str:
    """Return the directory of the staging area of this node."""
    if conf.enabled_backends:
        return conf[options.STAGING].filesystem_store_datadir
    return conf.node_staging_uri.removeprefix('file://')


def _title(backend: Backend) -> str:
    return repr(backend.name) if backend.name else 'without a name (images, or node_staging_uri)'


def _file_of(conf: cfg.ConfigOpts, section: str | None, option: str | None = None) -> str:
    """Return the file that sets an option, or any of a section; a word for it when none does."""
    for name in (option,) if option else conf[section]:
        found = conf.get_location(name, section)
        if found is not None and found.location is cfg.Locations.user and found.detail:
            return found.detail
    return 'Configuration'


def _match_length(store: Store, url: str) -> int:
    """How much of the URL is the beginning of all URLs of the store. Old URLs may hold credentials that those do not."""
    bare = location.without_credentials(url)
    return max((len(prefix) for prefix in store.url_prefixes if url.startswith(prefix) or bare.startswith(prefix)), default=0)
