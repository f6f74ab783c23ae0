"""Drivers: one module per kind of backend, each a class that is a ``store.base.Store``.

A driver is made by ``Driver.from_options(options, name)``, where ``options`` gives the values of its configuration
section as attributes. It may import ``store`` and, when it is made and not before, its backend's library; it never sees
other drivers.
"""
import importlib

from glance import exceptions

_CLASSES = {
    'file': 'glance.store.drivers.filesystem:FileStore',
    'http': 'glance.store.drivers.http:HttpStore',
}
_ALIASES = {
    'glance.store.filesystem.Store': 'file',
    'glance.store.http.Store': 'http',
    'glance.store.swift.Store': 'swift',
    'glance.store.rbd.Store': 'rbd',
    'glance.store.cinder.Store': 'cinder',
    'glance.store.vmware_datastore.Store': 'vmware',
    'glance.store.s3.Store': 's3',
    'glance.store.sheepdog.Store': 'sheepdog',
    'glance.store.gridfs.Store': 'gridfs',
}


def canonical(kind: str, option: str) -> str:
    """The short name of a type of store, which may be given by its old class path.

    :param option: the option that holds the type, with its value, for the error
    :raises ConfigurationError: for a type that does not exist
    """
    kind = _ALIASES.get(kind, kind)
    if kind not in _ALIASES.values():
        raise exceptions.ConfigurationError('%s: there is no type of store %r; use one of %s.'
                                            % (option, kind, ', '.join(sorted(set(_ALIASES.values())))))
    return kind


def available(kind: str) -> bool:
    """Whether this installation can serve stores of the type."""
    return kind in _CLASSES


def load(kind: str, option: str) -> type:
    """Import the driver class of a type given by its short name.

    :raises ConfigurationError: when it is not available or its library is missing; names ``option``
    """
    try:
        module, _, name = _CLASSES[kind].partition(':')
        return getattr(importlib.import_module(module), name)
    except (KeyError, ImportError) as error:
        raise exceptions.ConfigurationError('%s: stores of type %r are not available in this installation.'
                                            % (option, kind)) from error
