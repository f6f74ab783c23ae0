"""The application of glance-registry: which interfaces it serves, by path."""
from collections.abc import Callable, Iterable
from typing import Any

from glance import conf, exceptions
from glance.registry.rpc import Endpoint
from glance.wsgi import faults


class API:
    """The WSGI application."""

    @classmethod
    def factory(cls, global_conf: dict[str, str], **local_conf: str) -> 'API':
        """Make the application for paste. Raises ConfigurationError when there would be nothing to serve."""
        options = conf.CONF
        if not options.enable_v1_registry and not options.enable_v2_registry:
            raise exceptions.ConfigurationError('[DEFAULT] enable_v1_registry and enable_v2_registry are both false: there '
                                                'is nothing to serve.')
        return cls(Endpoint(options) if options.enable_v2_registry else None)

    def __init__(self, endpoint: Endpoint | None):
        self._endpoint = endpoint

    def __call__(self, environ: dict[str, Any], start_response: Callable) -> Iterable[bytes]:
        try:
            environ['glance.environment'].peers.check_name(environ)
        except exceptions.Forbidden as refusal:
            return faults.response_for(refusal, environ)(environ, start_response)
        if self._endpoint and environ['REQUEST_METHOD'] == 'POST' and environ.get('PATH_INFO') == '/rpc':
            environ['glance.route'] = '/rpc'
            return self._endpoint(environ, start_response)
        error = exceptions.NotFound('The resource could not be found.')
        return faults.response_for(error, environ)(environ, start_response)
