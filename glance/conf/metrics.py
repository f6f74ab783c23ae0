"""``[metrics]``: what the servers tell Prometheus of themselves."""

import ipaddress

from oslo_config import cfg

from glance.conf.types import Network

_LOOPBACK = [ipaddress.ip_network('127.0.0.1'), ipaddress.ip_network('::1')]

OPTIONS = {'metrics': [
    cfg.BoolOpt(
        'enabled', default=False,
        help='Count requests, transfers and more, and show the numbers at /metrics.'),
    cfg.ListOpt(
        'allowed_networks', item_type=Network(), default=_LOOPBACK,
        help='Networks, as addresses or CIDR, whose peers may read /metrics, without a token. Requests that a proxy '
             'forwards are refused in any case: they come from elsewhere.'),
    cfg.StrOpt(
        'directory',
        help='Folder in which the processes of this service, and of no other, keep their numbers, 1 MiB each. When '
             'unset, the server makes a temporary one at its start. Under a WSGI container it has to be set. Counts '
             'go on over restarts when the folder survives them.'),
]}
