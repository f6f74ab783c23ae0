"""Options that libraries own and the service gives other defaults or needs early.

A library is imported when its options are asked for, not before: oslo.messaging and keystonemiddleware cost more memory
than the rest of an idle worker.
"""

import importlib

from oslo_config import cfg

_EXCHANGE = 'glance'

_LOG_LEVELS = ['boto3=WARN', 'botocore=WARN', 's3transfer=WARN', 'swiftclient=WARN', 'glanceclient=WARN', 'cinderclient=WARN',
               'os_brick=INFO']

_OPTIONS = {
    'database': ('oslo_db.options', 'list_opts'),
    'keystone_authtoken': ('keystonemiddleware.opts', 'list_auth_token_opts'),
    'oslo_concurrency': ('oslo_concurrency.opts', 'list_opts'),
    'oslo_policy': ('oslo_policy.opts', 'list_opts'),
}

_CORS = {
    'expose_headers': ['X-Image-Meta-Checksum', 'X-Auth-Token', 'X-Subject-Token', 'X-Service-Token',
                       'X-OpenStack-Request-ID'],
    'allow_methods': ['GET', 'PUT', 'POST', 'DELETE', 'PATCH'],
    'allow_headers': ['Content-MD5', 'X-Image-Meta-Checksum', 'X-Storage-Token', 'Accept-Encoding', 'X-Auth-Token',
                      'X-Identity-Status', 'X-Roles', 'X-Service-Catalog', 'X-User-Id', 'X-Tenant-Id',
                      'X-OpenStack-Request-ID'],
}


def register_group(conf: cfg.ConfigOpts, group: str) -> None:
    """Register the options that a library owns in ``group``, one of the groups of this module, with that library."""
    module, function = _OPTIONS[group]
    for name, options in getattr(importlib.import_module(module), function)():
        if name == group:
            conf.register_opts(options, group)


def set_sample_defaults() -> None:
    """Give every library the defaults of the service; entry point of the sample generator."""
    set_log_defaults()
    set_cors_defaults()
    set_messaging_defaults()


def set_log_defaults() -> None:
    """Keep the clients of stores quiet at level DEBUG: they would log credentials."""
    from oslo_log import log
    log.set_defaults(default_log_levels=log.get_default_log_levels() + _LOG_LEVELS)


def set_cors_defaults() -> None:
    """Give ``[cors]`` the headers and methods of the image API; also called for the sample file."""
    from oslo_middleware import cors
    cors.set_defaults(**_CORS)


def set_messaging_defaults() -> None:
    """Name the exchange of the service. To be called before a transport is made of oslo.messaging."""
    import oslo_messaging
    oslo_messaging.set_transport_defaults(_EXCHANGE)
