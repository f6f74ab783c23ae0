"""The version discovery document, and which versions there are."""
import json
from collections.abc import Callable, Iterable
from typing import Any

from oslo_config import cfg

from glance import conf

# Every minor version of the v2 API and the option without which it is not offered.
_MINORS: dict[int, str | None] = {
    **dict.fromkeys((0, 1, 2, 3, 4, 5, 6, 7, 9, 15, 17)),
    **dict.fromkeys((8, 10, 11, 12, 13), 'enabled_backends'),
    **dict.fromkeys((14, 16, 18), 'image_cache_dir'),
}


def minors(options: cfg.ConfigOpts) -> list[int]:
    """Return the minor versions of v2 that the configuration offers, newest first."""
    return sorted((minor for minor, option in _MINORS.items() if option is None or getattr(options, option)),
                  reverse=True)


def known_names(options: cfg.ConfigOpts) -> dict[str, int]:
    """Map each version name that may begin a path to its major version."""
    names = {'v2': 2, **{'v2.%d' % minor: 2 for minor in minors(options)}} if options.enable_v2_api else {}
    if options.enable_v1_api:
        names.update({'v1': 1, 'v1.0': 1, 'v1.1': 1})
    return names


def document(options: cfg.ConfigOpts, environ: dict[str, Any]) -> bytes:
    """Return the discovery document as JSON."""
    base = (options.public_endpoint or _host_url(environ)).rstrip('/')
    entries = [('v2.%d' % minor, 'SUPPORTED', '%s/v2/' % base) for minor in minors(options)]
    entries[0] = (entries[0][0], 'CURRENT', entries[0][2])
    if not options.enable_v2_api:
        entries = []
    if options.enable_v1_api:
        entries += [(name, 'DEPRECATED', '%s/v1/' % base) for name in ('v1.1', 'v1.0')]
    return json.dumps({'versions': [
        {'id': name, 'status': status, 'links': [{'rel': 'self', 'href': href}]} for name, status, href in entries
    ]}).encode()


def _host_url(environ: dict[str, Any]) -> str:
    host = environ.get('HTTP_HOST') or '%s:%s' % (environ['SERVER_NAME'], environ['SERVER_PORT'])
    return '%s://%s%s' % (environ['wsgi.url_scheme'], host, environ.get('SCRIPT_NAME', ''))


class Versions:
    """Answers with the discovery document: 200 for ``/versions``, otherwise 300."""

    def __init__(self, options: cfg.ConfigOpts):
        self._options = options

    def __call__(self, environ: dict[str, Any], start_response: Callable) -> Iterable[bytes]:
        environ['glance.route'] = '/versions'
        first = environ.get('PATH_INFO', '').strip('/').split('/')[0]
        status = '200 OK' if first == 'versions' else '300 Multiple Choices'
        body = document(self._options, environ)
        start_response(status, [('Content-Type', 'application/json'), ('Content-Length', str(len(body))),
                                ('X-Content-Type-Options', 'nosniff')])
        return [b'' if environ['REQUEST_METHOD'] == 'HEAD' else body]


def create_resource(global_conf: dict[str, str] | None = None, **local_conf: str) -> Versions:
    """Make the application for paste."""
    return Versions(conf.CONF)
