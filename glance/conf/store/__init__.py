"""Options of stores: ``[glance_store]``, ``[backend_defaults]``, the sections of reserved and of enabled backends.

The section of a backend has a name of the operator's choice, so its options are registered when ``enabled_backends``
has been read: ``register_backend``.
"""
import copy

from oslo_config import cfg

from glance.conf.store import cinder, file, gridfs, http, rbd, s3, sheepdog, swift, vmware

GROUP = 'glance_store'
DEFAULTS_GROUP = 'backend_defaults'
STAGING = 'os_glance_staging_store'
TASKS = 'os_glance_tasks_store'

_TYPES = ('file', 'http', 'rbd', 'swift', 'cinder', 's3', 'vmware', 'sheepdog', 'gridfs')
_SCHEMES = ('file', 'filesystem', 'http', 'https', 'swift', 'swift+http', 'swift+https', 'swift+config', 'rbd',
            'cinder', 'vsphere', 's3', 's3+http', 's3+https', 'sheepdog', 'gridfs')

_MODE = [
    cfg.ListOpt('stores', default=['file', 'http'],
                deprecated_opts=[cfg.DeprecatedOpt('known_stores', group='DEFAULT')],
                help='Types of stores in use when enabled_backends is not set: any of %s.'
                     % ', '.join(_TYPES)),
    cfg.StrOpt('default_store', default='file', choices=_SCHEMES,
               deprecated_opts=[cfg.DeprecatedOpt('default_store', group='DEFAULT')],
               help='Scheme of the store for new images when enabled_backends is not set. One of the types in "stores" '
                    'has to serve it.'),
    cfg.StrOpt('default_backend',
               help='Identifier of the store for new images. Mandatory when enabled_backends is set, and one of its '
                    'identifiers.'),
    cfg.IntOpt('store_capabilities_update_min_interval', default=0, min=0,
               help='Seconds between two looks at what a store is capable of; 0 looks once, at start.'),
]

_BACKEND = [
    cfg.StrOpt('store_description', help='What users are told about this store.'),
    cfg.IntOpt('weight', default=0, help='Images are read from their store with the highest weight.'),
]

_REMOTE = [
    cfg.IntOpt('store_connect_timeout', default=10, min=1,
               help='Seconds after which a server that cannot be connected to counts as unavailable.'),
    cfg.IntOpt('store_idle_timeout', default=60, min=1,
               help='Seconds after which a server that sends and takes nothing counts as unavailable.'),
    cfg.IntOpt('store_attempts', default=3, min=1,
               help='How often something is tried with a store that cannot be reached, within about ten seconds. A store '
                    'that fails five times in a row is left alone for 15 seconds, in which requests are answered 503.'),
    cfg.IntOpt('store_max_transfers', default=0, min=0,
               help='How many images each worker reads from and writes to a store at a time; what is more is answered 503. '
                    '0 is any number.'),
]

DRIVERS = {
    'file': file.OPTIONS, 'http': http.OPTIONS, 'rbd': rbd.OPTIONS, 's3': s3.OPTIONS, 'swift': swift.OPTIONS,
    'cinder': cinder.OPTIONS, 'vmware': vmware.OPTIONS, 'sheepdog': sheepdog.OPTIONS, 'gridfs': gridfs.OPTIONS,
}
"""The options of each type of store."""


def _formerly_in_default(option: cfg.Opt) -> cfg.Opt:
    """The option, also read from ``[DEFAULT]``, where stores were configured before there was ``[glance_store]``."""
    option = copy.copy(option)
    option.deprecated_opts = [*option.deprecated_opts, cfg.DeprecatedOpt(option.name, group='DEFAULT')]
    return option


def _reserved(name: str) -> list[cfg.Opt]:
    """The options of a store of the service's own, which has a directory of its own."""
    options = copy.deepcopy(file.OPTIONS)
    options[0].default = '/var/lib/glance/%s' % name
    return options


_ALL = _REMOTE + [option for options in DRIVERS.values() for option in options]

OPTIONS = {
    GROUP: _MODE + [_formerly_in_default(option) for option in _ALL],
    DEFAULTS_GROUP: _ALL,
    STAGING: _reserved(STAGING),
    TASKS: _reserved(TASKS),
}


def register(conf: cfg.ConfigOpts) -> None:
    """Register what does not depend on ``enabled_backends``; calling it twice does no harm."""
    for group, options in list_opts():
        conf.register_opts(options, group=group)


def register_backend(conf: cfg.ConfigOpts, name: str, kind: str) -> None:
    """Register the section of an enabled backend of the type ``kind``."""
    conf.register_opts(_BACKEND + _REMOTE + DRIVERS.get(kind, []), group=name)


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Every option with its section, for registration and for the sample file."""
    return list(OPTIONS.items())
