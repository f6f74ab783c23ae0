"""The WSGI environ of a request (PEP 3333)."""

import sys
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any
from urllib.parse import unquote_to_bytes

from glance.wsgi.connection import Connection
from glance.wsgi.head import Head

_FORWARDED = ('HTTP_FORWARDED', 'HTTP_X_FORWARDED_')


class EnvironBuilder:
    """Makes the environ of each request of one server.

    :param address: host and port where the server listens
    :param scheme_key: key of the environ that holds the scheme of the original request, when a proxy sets it
    :param trusted_proxies: networks whose peers may send forwarding headers; none means that all may
    """

    def __init__(self, address: tuple[str, int], multiprocess: bool, scheme_key: str | None = None,
                 trusted_proxies: Iterable[IPv4Network | IPv6Network] = ()):
        self._base = {
            'SCRIPT_NAME': '',
            'SERVER_NAME': address[0],
            'SERVER_PORT': str(address[1]),
            'wsgi.version': (1, 0),
            'wsgi.errors': sys.stderr,
            'wsgi.multithread': True,
            'wsgi.multiprocess': multiprocess,
            'wsgi.run_once': False,
            'wsgi.input_terminated': True,
        }
        self._scheme_key = scheme_key
        self._trusted_proxies = tuple(trusted_proxies)

    def build(self, head: Head, connection: Connection, body: Any) -> dict[str, Any]:
        """The environ; ``body`` becomes ``wsgi.input``."""
        environ = self._base | head.headers
        path = head.path
        environ['REQUEST_METHOD'] = head.method
        environ['PATH_INFO'] = unquote_to_bytes(path.encode('latin-1')).decode('latin-1') if '%' in path else path
        environ['QUERY_STRING'] = head.query
        environ['RAW_URI'] = environ['REQUEST_URI'] = head.target
        environ['SERVER_PROTOCOL'] = head.protocol
        environ['REMOTE_ADDR'], environ['REMOTE_PORT'] = connection.peer
        environ['wsgi.url_scheme'] = connection.scheme
        environ['wsgi.input'] = body
        if self._trusted_proxies and not self._is_trusted(connection.peer[0]):
            self._drop_forwarded(environ)
        elif self._scheme_key:
            scheme = environ.get(self._scheme_key, '').lower()
            if scheme in ('http', 'https'):
                environ['wsgi.url_scheme'] = scheme
        if connection.scheme == 'https':
            environ['HTTPS'] = 'on'
            environ['glance.client_names'] = connection.client_names
        return environ

    def _is_trusted(self, host: str) -> bool:
        try:
            address = ip_address(host)
        except ValueError:  # a peer on a Unix socket: a process of this host
            return True
        return any(address in network for network in self._trusted_proxies)

    def _drop_forwarded(self, environ: dict[str, Any]) -> None:
        for key in [key for key in environ if key.startswith(_FORWARDED) or key == self._scheme_key]:
            del environ[key]
