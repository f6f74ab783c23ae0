"""Drivers: one module per kind of backend, each a class that is a ``store.base.Store``.

A driver is made by ``Driver.from_options(options, name)``, where ``options`` gives the values of its configuration
section as attributes. It may import ``store`` and, when it is made and not before, its backend's library; it never sees
other drivers.
"""
import importlib
from typing import Any, NamedTuple

from glance import exceptions
from glance.store.drivers import third_party


class _Driver(NamedTuple):
    """Where a driver is, the class path that old configurations name it by, and the extra that installs its library."""

    path: str
    alias: str
    extra: str | None = None


_DRIVERS = {
    'file': _Driver('glance.store.drivers.filesystem:FileStore', 'glance.store.filesystem.Store'),
    'http': _Driver('glance.store.drivers.http:HttpStore', 'glance.store.http.Store'),
    'swift': _Driver('glance.store.drivers.swift:SwiftStore', 'glance.store.swift.Store', 'swift'),
    'rbd': _Driver('glance.store.drivers.rbd:RbdStore', 'glance.store.rbd.Store'),
    'cinder': _Driver('glance.store.drivers.cinder:CinderStore', 'glance.store.cinder.Store', 'cinder'),
    'vmware': _Driver('glance.store.drivers.vmware:VmwareStore', 'glance.store.vmware_datastore.Store'),
    's3': _Driver('glance.store.drivers.s3:S3Store', 'glance.store.s3.Store', 's3'),
    'sheepdog': _Driver('glance.store.drivers.sheepdog:SheepdogStore', 'glance.store.sheepdog.Store'),
    'gridfs': _Driver('glance.store.drivers.gridfs:GridfsStore', 'glance.store.gridfs.Store', 'gridfs'),
}
_KINDS = {driver.alias: kind for kind, driver in _DRIVERS.items()}


class DriverUnavailable(exceptions.StoreConfigurationError):
    """The driver of a store, or the library that it needs, is not installed."""


def canonical(kind: str, option: str) -> str:
    """The short name of a type of store, which may be given by its old class path.

    :param option: the option that holds the type, with its value, for the error
    :raises ConfigurationError: for a type that does not exist
    """
    kind = _KINDS.get(kind, kind)
    if kind not in _DRIVERS and kind not in third_party.installed():
        raise exceptions.ConfigurationError('%s: there is no type of store %r; use one of %s.'
                                            % (option, kind, ', '.join(sorted({*_DRIVERS, *third_party.installed()}))))
    return kind


def load(kind: str, option: str) -> Any:
    """Import the driver class of a type given by its short name.

    :raises DriverUnavailable: when it, or its library, is missing; names ``option``, and what to install
    """
    if kind not in _DRIVERS:
        return _load_third_party(kind, option)
    driver = _DRIVERS[kind]
    module, _, name = driver.path.partition(':')
    try:
        return getattr(importlib.import_module(module), name)
    except ImportError as error:
        hint = 'install its library: pip install glance[%s]' % driver.extra if driver.extra else str(error)
        raise DriverUnavailable('%s: stores of type %r are not available in this installation; %s.'
                                % (option, kind, hint)) from error


def _load_third_party(kind: str, option: str) -> third_party.ThirdPartyDriver:
    point = third_party.installed()[kind]
    try:
        return third_party.ThirdPartyDriver(kind, point.load())
    except Exception as error:
        raise DriverUnavailable('%s: the driver %s, which another package provides, cannot be loaded: %s: %s.'
                                % (option, point.value, type(error).__name__, error)) from error
