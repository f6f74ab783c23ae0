"""HTTP turned into verbs and back: routes, requests, responses.

One module per resource, with short handlers: read the request, ask ``gateway`` for one verb, write the response. Handlers
raise domain errors; they decide neither permissions nor status codes of errors. The factories here put applications
together as the paste files say.
"""
from collections.abc import Callable, Iterable
from typing import Any

from glance import conf, exceptions

Application = Callable[[dict[str, Any], Callable], Iterable[bytes]]

_VERSION_SWITCHES = {'/v1': 'enable_v1_api', '/v2': 'enable_v2_api'}
# By the modules of filters: the requests that they may do something about, however they are configured.
_CONCERNS: dict[str, Callable[[dict[str, Any]], bool]] = {
    'oslo_middleware.cors': lambda environ: 'HTTP_ORIGIN' in environ or environ['REQUEST_METHOD'] == 'OPTIONS',
    'oslo_middleware.http_proxy_to_wsgi': lambda environ: not _FORWARDED.isdisjoint(environ),
    'osprofiler.web': lambda environ: 'HTTP_X_TRACE_INFO' in environ,
}
_FORWARDED = frozenset(('HTTP_FORWARDED', 'HTTP_X_FORWARDED_FOR', 'HTTP_X_FORWARDED_HOST', 'HTTP_X_FORWARDED_PREFIX',
                        'HTTP_X_FORWARDED_PROTO'))


class PathMap:
    """Applications by the first part of the path; the longest one that fits is served."""

    def __init__(self, applications: dict[str, Application]):
        self._applications = sorted(((path.rstrip('/'), application) for path, application in applications.items()),
                                    key=lambda item: -len(item[0]))

    def __call__(self, environ: dict[str, Any], start_response: Callable) -> Iterable[bytes]:
        path = environ.get('PATH_INFO', '')
        for prefix, application in self._applications:
            if path == prefix or path.startswith(prefix + '/') or not prefix:
                environ['SCRIPT_NAME'] = environ.get('SCRIPT_NAME', '') + prefix
                environ['PATH_INFO'] = path[len(prefix):]
                return application(environ, start_response)
        start_response('404 Not Found', [('Content-Type', 'text/plain'), ('Content-Length', '0')])
        return [b'']


def root_app_factory(loader, global_conf: dict[str, str], **local_conf: str) -> PathMap:
    """Make a composite of applications by path; an API version that is switched off is left out."""
    return PathMap({path: loader.get_app(name, global_conf=global_conf) for path, name in local_conf.items()
                    if path not in _VERSION_SWITCHES or getattr(conf.CONF, _VERSION_SWITCHES[path])})


class Detour:
    """A filter for the requests that concern it; all others go straight to the application.

    The filters of libraries take every request apart and put its response together anew, also where they change neither.
    """

    def __init__(self, concerns: Callable[[dict[str, Any]], bool], filtered: Application, application: Application):
        self._concerns, self._filtered, self._application = concerns, filtered, application

    def __call__(self, environ: dict[str, Any], start_response: Callable) -> Iterable[bytes]:
        application = self._filtered if self._concerns(environ) else self._application
        return application(environ, start_response)


def pipeline_factory(loader, global_conf: dict[str, str], **local_conf: str) -> Application:
    """Make the pipeline of the configured flavor: filters from the outside in, ending in an application.

    Raises ConfigurationError for an unknown flavor.
    """
    flavor = conf.CONF.paste_deploy.flavor or 'default'
    if flavor not in local_conf:
        raise exceptions.ConfigurationError('[paste_deploy] flavor = %s has no pipeline in the paste file; these have: %s.'
                                            % (flavor, ', '.join(local_conf)))
    names = local_conf[flavor].split()
    application = loader.get_app(names[-1], global_conf=global_conf)
    for name in reversed(names[:-1]):
        filtered = loader.get_filter(name, global_conf=global_conf)(application)
        concerns = _CONCERNS.get(type(filtered).__module__)
        application = filtered if concerns is None else Detour(concerns, filtered, application)
    return application
