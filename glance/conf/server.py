"""``[DEFAULT]``: where the servers listen, their workers, sockets and TLS."""

import os

from oslo_config import cfg

from glance.conf.types import Network

_MOST_WORKERS = 8
_PORTS = {'glance-registry': 9191}
_API_PORT = 9292

OPTIONS = {None: [
    cfg.HostAddressOpt(
        'bind_host', default='0.0.0.0',
        help='Address on which the server listens, IPv4 or IPv6. The default listens on every IPv4 interface; use '
             '127.0.0.1 behind a local proxy.'),
    cfg.PortOpt(
        'bind_port',
        help='TCP port on which the server listens. When unset, glance-api takes 9292 and glance-registry 9191.'),
    cfg.IntOpt(
        'backlog', default=4096, min=1,
        help='How many connections the kernel keeps waiting for the server; more are refused.'),
    cfg.IntOpt(
        'tcp_keepidle', default=600, min=1,
        help='Seconds a connection is idle before TCP probes whether its peer is still there.'),
    cfg.IntOpt(
        'workers', min=0,
        help='Number of worker processes. 0 serves in the parent process itself. When unset, one worker per CPU, but '
             'not more than 8.'),
    cfg.IntOpt(
        'max_connections', default=1000, min=1,
        help='Connections that one worker serves at the same time; more wait in the backlog.'),
    cfg.IntOpt(
        'max_header_line', default=16384, min=0,
        help='Longest header line in bytes that is accepted. Raise it when tokens are larger. 0 sets no limit.'),
    cfg.IntOpt(
        'header_timeout', default=20, min=0,
        help='Seconds a client has to send the request line and all headers before the connection is closed. 0 waits '
             'for ever, which lets slow clients hold connections.'),
    cfg.IntOpt(
        'keepalive_timeout', default=65, min=0,
        help='Seconds an idle connection is kept open for the next request. 0 keeps it until the client closes it.'),
    cfg.BoolOpt(
        'http_keepalive', default=True,
        help='Serve several requests over one connection. When false, every response carries "Connection: close" and '
             'the connection is closed after it.'),
    cfg.IntOpt(
        'client_socket_timeout', default=900, min=0,
        help='Seconds without a byte in either direction after which a running request is given up. 0 waits for ever.'),
    cfg.IntOpt(
        'graceful_shutdown_timeout', default=60, min=0,
        help='Seconds that running requests and tasks have to finish after TERM. 0 stops them at once.'),
    cfg.ListOpt(
        'trusted_proxies', item_type=Network(), default=[],
        help='Networks of the proxies in front of the service, as addresses or CIDR, e.g. 192.0.2.0/24. Pipelines of '
             'flavor trusted-auth believe identity headers only from these networks.'),
    cfg.StrOpt(
        'cert_file',
        help='PEM file with the certificate of the server and its chain. TLS is switched on when key_file is set too.'),
    cfg.StrOpt(
        'key_file',
        help='PEM file with the private key that belongs to cert_file.'),
    cfg.StrOpt(
        'ca_file',
        help='PEM file with certificate authorities. When set, every client has to present a certificate signed by '
             'one of them.'),
    cfg.StrOpt(
        'ssl_min_version', default='TLSv1.2',
        choices=(('TLSv1.2', 'for all clients in use'), ('TLSv1.3', 'for current clients only')),
        help='Oldest TLS version that clients may speak.'),
    cfg.StrOpt(
        'ssl_ciphers', default='',
        help='Ciphers for TLS 1.2 in the notation of OpenSSL. Empty takes the safe set that Python ships with; TLS 1.3 '
             'always chooses its own.'),
    cfg.StrOpt(
        'digest_algorithm', default='sha256',
        help='Without effect: whether certificate and key belong together is checked when TLS loads them. A value set '
             'here gives a warning at start.'),
    cfg.StrOpt(
        'secure_proxy_ssl_header',
        help='Key of the WSGI environment, such as HTTP_X_FORWARDED_PROTO, that holds the scheme of the original '
             'request. Only for proxies that always set or remove that header.'),
    cfg.HostAddressOpt(
        'pydev_worker_debug_host',
        help='Host of a pydev debugger to which every worker connects when it starts; needs the library pydevd. Never set '
             'it in production.'),
    cfg.PortOpt(
        'pydev_worker_debug_port', default=5678,
        help='Port of the pydev debugger named by pydev_worker_debug_host.'),
]}


def worker_count(conf: cfg.ConfigOpts) -> int:
    """The number of worker processes to fork; 0 means that the parent serves."""
    if conf.workers is not None:
        return conf.workers
    return min(len(os.sched_getaffinity(0)), _MOST_WORKERS)


def port(conf: cfg.ConfigOpts, prog: str) -> int:
    """The TCP port on which the program listens."""
    if conf.bind_port is not None:
        return conf.bind_port
    return _PORTS.get(prog, _API_PORT)
