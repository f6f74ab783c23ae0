"""What the server has to know of the configuration."""

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network


@dataclass(frozen=True, slots=True)
class Settings:
    """Times are in seconds and 0 means "no limit", but for ``graceful_shutdown_timeout``, where it means "at once".

    ``workers`` 0 serves in the one process; ``max_header_line`` is in bytes, 0 for no limit. The other fields are
    described with the options of the same name.
    """

    bind_host: str = '0.0.0.0'
    bind_port: int = 9292
    backlog: int = 4096
    tcp_keepidle: int = 600
    workers: int = 1
    max_connections: int = 1000
    max_header_line: int = 16384
    header_timeout: int = 20
    keepalive_timeout: int = 65
    http_keepalive: bool = True
    client_socket_timeout: int = 900
    graceful_shutdown_timeout: int = 60
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    secure_proxy_ssl_header: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    ca_file: str | None = None
    ssl_min_version: str = 'TLSv1.2'
    ssl_ciphers: str = ''


def from_conf(conf, workers: int, port: int) -> Settings:
    """Take the settings from the options of the same names.

    :param workers: number of worker processes, since the option may be unset
    :param port: TCP port, since the option may be unset
    """
    names = ('bind_host', 'backlog', 'tcp_keepidle', 'max_connections', 'max_header_line', 'header_timeout',
             'keepalive_timeout', 'http_keepalive', 'client_socket_timeout', 'graceful_shutdown_timeout',
             'secure_proxy_ssl_header', 'cert_file', 'key_file', 'ca_file', 'ssl_min_version', 'ssl_ciphers')
    return Settings(workers=workers, bind_port=port, trusted_proxies=tuple(conf.trusted_proxies),
                    **{name: getattr(conf, name) for name in names})
