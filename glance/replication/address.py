"""Where a service is, as an operator writes it: ``host:port``, ``[v6]:port``, or an http(s) URL."""
import dataclasses
import ipaddress
import re
from typing import Self
from urllib.parse import urlsplit

from glance.replication.errors import ReplicationFailed

_LABEL = re.compile(r'(?!-)[A-Za-z0-9-]{1,63}(?<!-)')
_DEFAULT_PORTS = {'http': 80, 'https': 443}
_NUMERIC = re.compile(r'[0-9.]+')


@dataclasses.dataclass(frozen=True, slots=True)
class Address:
    """Scheme, host and port of a service; ``path`` is what comes before ``/v2``, without a slash at its end."""

    scheme: str
    host: str
    port: int
    path: str = ''

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an address. Raises ReplicationFailed saying what one looks like."""
        is_url = '://' in text
        try:
            parts = urlsplit(text if is_url else 'http://' + text)
            port = parts.port
        except ValueError:
            raise _not_an_address(text) from None
        host = parts.hostname or ''
        clean = not (parts.username or parts.password or parts.query or parts.fragment or re.search(r'[\s?#@]', text))
        if not clean or parts.scheme not in _DEFAULT_PORTS or not _is_host(host, bracketed='[' in parts.netloc):
            raise _not_an_address(text)
        if not is_url and (port is None or parts.path) or port == 0 or parts.netloc.endswith(':'):
            raise _not_an_address(text)
        path = re.sub(r'/v[12](\.\d+)?\Z', '', parts.path.rstrip('/'))
        return cls(parts.scheme, host, port or _DEFAULT_PORTS[parts.scheme], path)

    def __str__(self) -> str:
        host = '[%s]' % self.host if ':' in self.host else self.host
        return '%s://%s:%d%s' % (self.scheme, host, self.port, self.path)


def _not_an_address(text: str) -> ReplicationFailed:
    return ReplicationFailed('%r is not the address of a service; write HOST:PORT, [IPV6]:PORT or a URL such as '
                             'https://image.example.com:9292' % text)


def _is_host(host: str, bracketed: bool) -> bool:
    if bracketed or _NUMERIC.fullmatch(host):
        try:
            return ipaddress.ip_address(host).version == (6 if bracketed else 4)
        except ValueError:
            return False
    return 0 < len(host) < 254 and all(map(_LABEL.fullmatch, host.rstrip('.').split('.')))
