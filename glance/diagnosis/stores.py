"""Checks of where bytes are kept: stores, the staging area, and the disks under them."""
import itertools
import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

from oslo_config import cfg

from glance.conf import store as options
from glance.diagnosis.result import Finding, failure, fine, warning
from glance.store import drivers
from glance.store.backends import BackendOptions, staging_directory
from glance.store.drivers import directories
from glance.store.location import SCHEMES

_GIB = 1 << 30
_LOW, _EMPTY = 0.1, 0.01


class _Store(NamedTuple):
    """A configured store; ``name`` is None for an unnamed one, ``origin`` the option that names it."""

    name: str | None
    kind: str
    section: str
    origin: str

    @property
    def title(self) -> str:
        return 'Store %s (%s)' % (self.name, self.kind) if self.name else 'Store of type %s' % self.kind


def _configured(conf: cfg.ConfigOpts) -> Iterator[_Store]:
    """The stores that the options name, none of them opened. Raises ConfigurationError."""
    for name, kind in (conf.enabled_backends or {}).items():
        origin = '[DEFAULT] enabled_backends = %s:%s' % (name, kind)
        kind = drivers.canonical(kind.strip(), origin)
        options.register_backend(conf, name, kind)
        yield _Store(name, kind, name, origin)
    if not conf.enabled_backends:
        for kind in conf.glance_store.stores:
            origin = '[glance_store] stores = %s' % kind
            yield _Store(None, drivers.canonical(kind.strip(), origin), options.GROUP, origin)


def default_store(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    """There is a store for new images."""
    found = list(_configured(conf))
    if conf.enabled_backends:
        default = conf.glance_store.default_backend
        if default in conf.enabled_backends:
            yield fine('New images go to the store %s.' % default)
        else:
            yield failure('[glance_store] default_backend = %s is none of the enabled stores; set it to one of: %s.'
                          % (default or '', ', '.join(conf.enabled_backends)))
        return
    default = conf.glance_store.default_store
    if any(SCHEMES.get(default) == store.kind for store in found):
        yield fine('New images go to the store of type %s.' % default)
    else:
        yield failure('[glance_store] default_store = %s belongs to none of the types in stores = %s; add its type there.'
                      % (default, ','.join(conf.glance_store.stores)))


def access(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    """Every store can be used: directories can be written to, other backends can be listed."""
    for store in _configured(conf):
        if store.kind == 'file':
            for directory in directories.configured(BackendOptions(conf, store.section)):
                yield _writable(store.title, directory.path)
            continue
        try:
            yield _listed(conf, store)
        except drivers.DriverUnavailable as error:
            yield failure(str(error))


def _listed(conf: cfg.ConfigOpts, store: _Store) -> Finding:
    driver = drivers.load(store.kind, store.origin).from_options(BackendOptions(conf, store.section), store.name)
    try:
        for _ in itertools.islice(driver.walk(), 1):
            pass
    finally:
        driver.close()
    return fine('%s answers.' % store.title)


def staging(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    """The staging directory is there, and nobody else can put things into it."""
    path = staging_directory(conf)
    if not os.path.isdir(path) or os.path.islink(path):
        what = 'is not a directory of its own' if os.path.lexists(path) else 'does not exist'
        yield warning('The staging directory %s %s. Make it, with owner glance and mode 0700.' % (path, what))
        return
    yield _writable('The staging directory', path)
    mode = stat.S_IMODE(os.stat(path).st_mode)
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        yield warning('The staging directory %s has mode %04o, so that others can change what users stage; give it 0700.'
                      % (path, mode))
    parent = os.path.dirname(os.path.abspath(path))
    if stat.S_IMODE(os.stat(parent).st_mode) & stat.S_IWOTH:
        yield warning('The staging directory %s is in %s, where every user of this host can put things, and which may be '
                      'emptied at any time; set node_staging_uri to a directory of the service.' % (path, parent))


def space(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    """The disks have room."""
    places = {staging_directory(conf): 'staging'}
    for store in _configured(conf):
        if store.kind == 'file':
            places.update((directory.path, 'images')
                          for directory in directories.configured(BackendOptions(conf, store.section)))
    if conf.image_cache_dir:
        places[conf.image_cache_dir] = 'the image cache'
    for path, purpose in places.items():
        if os.path.isdir(path):
            yield _room(path, purpose)


def _room(path: str, purpose: str) -> Finding:
    disk = os.statvfs(path)
    free, share = disk.f_bavail * disk.f_frsize, disk.f_bavail / max(disk.f_blocks, 1)
    text = '%s (%s) has %.1f GiB free, %d%%' % (path, purpose, free / _GIB, 100 * share)
    if disk.f_files and disk.f_favail / disk.f_files < _EMPTY:
        return failure('%s (%s) has hardly any inodes left; remove small files.' % (path, purpose))
    if share < _EMPTY:
        return failure(text + '; uploads are refused. Make room, or add a directory to filesystem_store_datadirs.')
    if share < _LOW and free < 10 * _GIB:
        return warning(text + '; make room before uploads are refused.')
    return fine(text + '.')


def _writable(title: str, path: str) -> Finding:
    """Look at a directory as the one who runs this; only the user of the service sees what the service sees."""
    if not os.path.isdir(path):
        parent = os.path.dirname(path)
        if os.path.isdir(parent) and os.access(parent, os.W_OK | os.X_OK):
            return warning('%s: %s does not exist; the service will try to make it.' % (title, path))
        return failure('%s: %s does not exist. Make it, and give it to the user of the service.' % (title, path))
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        return failure('%s: %s cannot be written to by this user. Run this as the user of the service, or give the '
                       'directory to that user.' % (title, path))
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        return failure('%s: the file system of %s is mounted read-only; mount it for writing.' % (title, path))
    return fine('%s: %s can be written to.' % (title, path))
