"""``/metrics``: the numbers of the service, for its monitoring."""
import ipaddress
from collections.abc import Callable, Iterable
from typing import Any

from oslo_config import cfg

from glance import conf as configuration
from glance import exceptions
from glance.db.interface import SERVICE, Condition, Database, ImageQuery
from glance.wsgi import faults

PATH = '/metrics'

_OF_PROXIES = ('HTTP_FORWARDED', 'HTTP_X_FORWARDED_', 'HTTP_X_REAL_IP', 'HTTP_VIA')
_WAITING = ImageQuery(conditions=(Condition('status', 'eq', 'pending_delete'),), visibility='all', deleted=True)


class MetricsPage:
    """Answers peers of the allowed networks, who need no token; everybody else is refused."""

    def __init__(self, conf: cfg.ConfigOpts, database: Database):
        from glance.metrics.exposition import Page  # prometheus_client would slow the start of services without this page
        self._networks = tuple(conf.metrics.allowed_networks)
        self._database = database
        self._page = Page(conf.metrics.directory, configuration.version(), self._backlog)

    def __call__(self, environ: dict[str, Any], start_response: Callable) -> Iterable[bytes]:
        environ['glance.route'] = PATH
        try:
            self._check(environ)
        except Exception as error:
            return faults.response_for(error, environ)(environ, start_response)
        body, content_type = self._page.render(environ.get('HTTP_ACCEPT', ''))
        start_response('200 OK', [('Content-Type', content_type), ('Content-Length', str(len(body))),
                                  ('Cache-Control', 'no-store'), ('X-Content-Type-Options', 'nosniff')])
        return [b'' if environ['REQUEST_METHOD'] == 'HEAD' else body]

    def _check(self, environ: dict[str, Any]) -> None:
        if any(key.startswith(_OF_PROXIES) for key in environ) or not self._is_allowed(environ.get('REMOTE_ADDR', '')):
            raise exceptions.Forbidden('The metrics of this service are not for you.')
        if environ['REQUEST_METHOD'] not in ('GET', 'HEAD'):
            raise faults.HTTPFault(405, 'The metrics can be read only.', [('Allow', 'GET, HEAD')])

    def _is_allowed(self, host: str) -> bool:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:  # a peer on a Unix socket is a proxy
            return False
        address = getattr(address, 'ipv4_mapped', None) or address
        return any(address in network for network in self._networks)

    def _backlog(self) -> int | None:
        try:
            return self._database.image_count(SERVICE, _WAITING)
        except exceptions.DatabaseUnavailable:
            return None
