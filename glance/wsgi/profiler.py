"""Traces of requests by osprofiler, for those who switch them on: ``[profiler] enabled``.

The library is imported only then, since it brings another client of HTTP into every worker.
"""
import socket
from collections.abc import Callable

from oslo_config import cfg

from glance import conf as configuration
from glance.conf import legacy

_TRUE = ('true', '1', 'yes', 'on')


def filter_factory(global_conf: dict[str, str], **local_conf: str) -> Callable[[Callable], Callable]:
    """Make the filter for paste; where nothing is traced, it is the application itself."""
    if not _is_enabled(configuration.CONF):
        return lambda application: application
    from osprofiler import web
    return web.WsgiMiddleware.factory(global_conf, **local_conf)


def set_up(conf: cfg.ConfigOpts, service: str) -> None:
    """Send traces of this process where ``[profiler] connection_string`` says, if there are to be any.

    :param service: the name of the program
    """
    if _is_enabled(conf):
        from osprofiler import initializer, opts
        opts.set_defaults(conf)
        initializer.init_from_conf(conf, context={}, project='glance', service=service, host=socket.gethostname())


def _is_enabled(conf: cfg.ConfigOpts) -> bool:
    # The option belongs to the library, which registers it when it is imported.
    settings = legacy.read_settings(conf)
    setting = settings.get(('profiler', 'enabled')) or settings.get(('profiler', 'profiler_enabled'))
    return setting is not None and setting.value.strip().lower() in _TRUE
