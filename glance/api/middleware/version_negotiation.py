"""Finds the API version in the path or the ``Accept`` header and rewrites the path to its major version."""
from collections.abc import Callable, Iterable
from typing import Any

from oslo_config import cfg

from glance.api import Application
from glance.api.middleware.base import Filter
from glance.api.versions import Versions, known_names

# Where operators manage the cache of a node, also where the rest of v1 is switched off.
_CACHE_MANAGEMENT = ('/v1/cached_images', '/v1/queued_images')
_MEDIA_TYPE = 'application/vnd.openstack.images-'


class VersionNegotiationFilter(Filter):
    """Requests that name no known version get the discovery document, without authentication."""

    def __init__(self, application: Application, options: cfg.ConfigOpts):
        super().__init__(application, options)
        self._known = known_names(options)
        self._versions = Versions(options)

    def __call__(self, environ: dict[str, Any], start_response: Callable) -> Iterable[bytes]:
        path = environ.get('PATH_INFO', '')
        name = path.removeprefix('/').partition('/')[0]
        rest = path[len(name) + 1:]
        accept = environ.get('HTTP_ACCEPT', '')
        if name == 'versions':
            return self._versions(environ, start_response)
        if accept.startswith(_MEDIA_TYPE):
            name, rest = accept[len(_MEDIA_TYPE):], path
        major = self._known.get(name)
        if major is None and _is_cache_management(path):
            return super().__call__(environ, start_response)
        if major is None:
            return self._versions(environ, start_response)
        environ['api.version'] = name
        environ['PATH_INFO'] = '/v%d%s' % (major, rest)
        return super().__call__(environ, start_response)


def _is_cache_management(path: str) -> bool:
    return any(path == route or path.startswith(route + '/') for route in _CACHE_MANAGEMENT)
