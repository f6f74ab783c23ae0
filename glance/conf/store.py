"""Options of stores: ``[glance_store]``, ``[backend_defaults]``, the sections of reserved and of enabled backends.

The section of a backend has a name of the operator's choice, so its options are registered when ``enabled_backends``
has been read: ``register_backend``.
"""
import copy

from oslo_config import cfg

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

_FILE = [
    cfg.StrOpt('filesystem_store_datadir', default='/var/lib/glance/images',
               help='Directory in which images are kept. It is created if its parent permits. No two stores may share '
                    'a directory. Mutually exclusive with filesystem_store_datadirs.'),
    cfg.MultiStrOpt('filesystem_store_datadirs',
                    help='Directory in which images are kept, with a priority: /srv/images:100. The option may be '
                         'repeated. A new image goes to the directory of the highest priority that has room for it, '
                         'among equals to the one with the most free space. The priority is 0 when left out.'),
    cfg.StrOpt('filesystem_store_metadata_file',
               help='JSON file with an object, or a list of objects, that have the strings "id" and "mountpoint". The '
                    'object whose mountpoint holds an image is given to clients who see the locations of the image, so '
                    'that they can read it directly.'),
    cfg.IntOpt('filesystem_store_file_perm', default=0,
               help='Permissions of image files in octal digits, for example 640. 0 leaves them to the umask, never '
                    'more than 640.'),
    cfg.IntOpt('filesystem_store_chunk_size', default=64 * 1024, min=1,
               help='Accepted for compatibility. Images are read and written in blocks of at least 1 MiB.'),
    cfg.BoolOpt('filesystem_thin_provisioning', default=False,
                help='Leave holes in image files where images hold nothing but zeros.'),
    cfg.BoolOpt('filesystem_store_fsync', default=True,
                help='Have the disk confirm an image before its upload is confirmed. When this is off a power failure '
                     'can leave active images with missing or wrong data.'),
    cfg.IntOpt('filesystem_store_timeout', default=0, min=0,
               help='Seconds after which examining or removing a file counts as failed, for directories on network '
                    'file systems that can hang. 0 waits for ever and uses no threads.'),
    cfg.IntOpt('filesystem_store_thread_pool_size', default=10, min=1,
               help='Threads for operations with filesystem_store_timeout.'),
    cfg.IntOpt('filesystem_store_threadpool_threshold', default=75, min=0, max=100,
               help='Percentage of these threads in use from which on a warning is logged.'),
]

_HTTP = [
    cfg.StrOpt('https_ca_certificates_file',
               help='File of the certificates, in PEM form, that web servers are trusted by instead of those of the '
                    'system. https_insecure does not count then.'),
    cfg.BoolOpt('https_insecure', default=True,
                help='Do not check the certificates of web servers. This counts only when the option is set: left alone, '
                     'certificates are checked against those of the system.'),
    cfg.DictOpt('http_proxy_information', default={},
                help='Proxies by scheme, for example http:10.0.0.1:3128,https:10.0.0.1:3129. The proxies of the '
                     'environment are not used.'),
]

DRIVERS = {'file': _FILE, 'http': _HTTP}
"""The options of each type of store that has some."""


def _formerly_in_default(option: cfg.Opt) -> cfg.Opt:
    """The option, also read from ``[DEFAULT]``, where stores were configured before there was ``[glance_store]``."""
    option = copy.copy(option)
    option.deprecated_opts = [cfg.DeprecatedOpt(option.name, group='DEFAULT')]
    return option


def _reserved(name: str) -> list[cfg.Opt]:
    """The options of a store of the service's own, which has a directory of its own."""
    options = copy.deepcopy(_FILE)
    options[0].default = '/var/lib/glance/%s' % name
    return options


_ALL = [option for options in DRIVERS.values() for option in options]

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
    conf.register_opts(_BACKEND + DRIVERS.get(kind, []), group=name)


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Every option with its section, for registration and for the sample file."""
    return list(OPTIONS.items())
