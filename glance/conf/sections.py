"""The list of the section modules, registered and listed together.

A section module holds ``OPTIONS``, a mapping of group name (None is ``[DEFAULT]``) to its options.
"""

from oslo_config import cfg

from glance.conf import (
    api,
    backends,
    cache,
    identity,
    image_data,
    image_format,
    image_signature,
    imports,
    metrics,
    notifications,
    paste_deploy,
    registry,
    scrubber,
    server,
    store,
    task,
    wsgi,
)

_API = (
    server.OPTIONS, api.OPTIONS, image_data.OPTIONS, imports.STAGING, backends.OPTIONS, notifications.OPTIONS,
    registry.CLIENT_OPTIONS, cache.OPTIONS, scrubber.OPTIONS, paste_deploy.OPTIONS, image_format.OPTIONS,
    image_signature.OPTIONS, task.OPTIONS, wsgi.OPTIONS, identity.OPTIONS, metrics.OPTIONS,
)
_IMPORT = (imports.OPTIONS,)
_REGISTRY = (
    server.OPTIONS, {None: [option for option in api.SURFACE if option.name == 'data_api'] + api.CALLERS},
    {None: [option for option in image_data.OPTIONS[None] if option.name == 'metadata_encryption_key']},
    registry.SERVER_OPTIONS, paste_deploy.OPTIONS, identity.OPTIONS, metrics.OPTIONS,
)
_CACHE = (
    cache.OPTIONS, {None: [option for option in imports.STAGING[None] if option.name == 'worker_self_reference_url']},
    {None: [option for option in api.SURFACE if option.name == 'data_api']}, image_data.OPTIONS, backends.OPTIONS,
    registry.CLIENT_OPTIONS,
)
_SCRUBBER = (
    {None: [option for option in api.OPTIONS[None] + image_data.OPTIONS[None]
            if option.name in ('data_api', 'metadata_encryption_key', 'owner_is_tenant')]},
    backends.OPTIONS, scrubber.OPTIONS, registry.CLIENT_OPTIONS,
)
_MANAGE = ({None: [option for option in api.SURFACE if option.name == 'metadata_source_path']},)

Listing = list[tuple[str | None, list[cfg.Opt]]]


def register(conf: cfg.ConfigOpts) -> None:
    """Register every option of the service's own sections; calling it twice does no harm."""
    for group, options in list_opts() + list_import_opts() + list_registry_opts():
        conf.register_opts(options, group)
    store.register(conf)


def list_opts() -> Listing:
    """What the sample ``glance-api.conf`` shows: (group, options) pairs, each group once."""
    return _collect(_API)


def list_import_opts() -> Listing:
    """What the sample ``glance-image-import.conf`` shows."""
    return _collect(_IMPORT)


def list_registry_opts() -> Listing:
    """What the sample ``glance-registry.conf`` shows."""
    return _collect(_REGISTRY)


def list_scrubber_opts() -> Listing:
    """What the sample ``glance-scrubber.conf`` shows, beside the options of stores and libraries."""
    return _collect(_SCRUBBER)


def list_manage_opts() -> Listing:
    """What the sample ``glance-manage.conf`` shows, beside the options of the libraries."""
    return _collect(_MANAGE)


def list_cache_opts() -> Listing:
    """What the sample ``glance-cache.conf`` shows: what programs of the cache read, which ``glance-api.conf`` may set."""
    return _collect(_CACHE)


def option(section: str, name: str) -> cfg.Opt | None:
    """The option of ours with this section and name, or None when a library owns it."""
    group = None if section == 'DEFAULT' else section
    for listed, options in list_opts() + list_import_opts() + list_registry_opts():
        if listed == group:
            for candidate in options:
                if candidate.dest == name:
                    return candidate
    return None


def _collect(parts) -> Listing:
    groups: dict[str | None, list[cfg.Opt]] = {}
    for part in parts:
        for group, options in part.items():
            groups.setdefault(group, []).extend(options)
    return list(groups.items())
