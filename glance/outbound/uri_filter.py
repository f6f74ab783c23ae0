"""Which URIs that users choose the service may ask for: the one judge of all its outgoing requests.

Names are compared as names and addresses as numbers, whatever the spelling. A name is resolved once, all its addresses
are judged, and the connection is made to one of these: a second answer of the name server never counts.
"""
import dataclasses
import ipaddress
import logging
import re
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Self

import idna
from oslo_config import cfg

from glance import exceptions
from glance.conf import server

LOG = logging.getLogger(__name__)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolver = Callable[[str], Sequence[str]]

DEFAULT_PORTS = {'http': 80, 'https': 443}
MAX_LENGTH = 2048
# Seconds that a name server may take, and addresses of one name that are looked at.
RESOLVE_SECONDS = 5.0
MAX_ADDRESSES = 16

_URI = re.compile(r'(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?]*)(?P<target>[/?].*)?', re.DOTALL)
_AUTHORITY = re.compile(r'(?P<host>\[[^\[\]]*\]|[^:\[\]]*)(?::(?P<port>[0-9]{1,5}))?')
_NAME = re.compile(r'(?!-)[a-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9_-]{1,63}(?<!-))*')
# A host whose last label looks like this is an address to many resolvers (WHATWG URL, "ends in a number").
_NUMBER = re.compile(r'[0-9]+|0x[0-9a-f]*')
_BAD_TARGET = re.compile(r'[^\x21-\x7e]|[\\\[\]#]')
_PRIVATE = tuple(map(ipaddress.ip_network, ('10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7')))
_COMPATIBLE = ipaddress.ip_network('::/96')
_NAT64 = tuple(map(ipaddress.ip_network, ('64:ff9b::/96', '64:ff9b:1::/48')))
# What looks like an IPv4 address in the last 32 bits and is not.
_UNSPECIFIED_OR_LOOPBACK = (ipaddress.ip_address('::'), ipaddress.ip_address('::1'))


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """A URI that passed. ``host`` is its name, for certificates and headers; only ``addresses`` are connected to."""

    scheme: str
    host: str
    port: int
    path: str
    addresses: tuple[str, ...]

    @property
    def authority(self) -> str:
        """Host and port as they stand in a ``Host`` header."""
        host = '[%s]' % self.host if ':' in self.host else self.host
        return host if self.port == DEFAULT_PORTS.get(self.scheme) else '%s:%d' % (host, self.port)

    @property
    def origin(self) -> tuple[str, str, int]:
        """What has to be the same for credentials to be sent again (RFC 6454)."""
        return self.scheme, self.host, self.port

    def __str__(self) -> str:
        return '%s://%s%s' % (self.scheme, self.authority, self.path)


@dataclasses.dataclass(frozen=True, slots=True)
class Rules:
    """What the operator allows; of a pair of lists only the first counts when it is not empty.

    Hosts are names, ``.suffixes`` of names, addresses and networks. ``own_ports`` are those on which this service itself
    listens.
    """

    allowed_schemes: Sequence[str] = ('http', 'https')
    disallowed_schemes: Sequence[str] = ()
    allowed_hosts: Sequence[str] = ()
    disallowed_hosts: Sequence[str] = ()
    allowed_ports: Sequence[int] = (80, 443)
    disallowed_ports: Sequence[int] = ()
    allowed_networks: Sequence[Network] = ()
    disallowed_networks: Sequence[Network] = ()
    own_ports: Sequence[int] = ()


def masked(uri: str) -> str:
    """The URI as people may see it: escaped, and without what may be a credential."""
    start, mark, _ = uri[:MAX_LENGTH].partition('?')
    start = re.sub(r'//[^/]*@', '//***@', start)
    return ascii(start + ('?***' if mark else ''))[1:-1]


class _Refusal(Exception):
    """Why a URI does not pass: for the log, never for the user, who could map a network with it."""


def resolve(host: str) -> list[str]:
    """Return the addresses of a name, IPv4 and IPv6. Raises OSError, also when the name server keeps silent."""
    answers: list[list[str] | OSError] = []

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            answers.append(list(dict.fromkeys(str(entry[4][0]) for entry in found)))
        except OSError as error:
            answers.append(error)
        except UnicodeError as error:
            answers.append(OSError(str(error)))

    # The C library knows no time limit; a thread that is given up ends with the C library's own.
    thread = threading.Thread(target=ask, name='resolver', daemon=True)
    thread.start()
    thread.join(RESOLVE_SECONDS)
    answer = answers[0] if answers else TimeoutError('no answer within %.0f s' % RESOLVE_SECONDS)
    if isinstance(answer, OSError):
        raise answer
    return answer


class URIFilter:
    """Judges URIs by ``rules``; names are looked up with ``resolver``."""

    def __init__(self, rules: Rules, resolver: Resolver = resolve):
        self._rules, self._resolver = rules, resolver

    @classmethod
    def from_conf(cls, conf: cfg.ConfigOpts) -> Self:
        """The filter that ``[import_filtering_opts]`` describes."""
        options = conf.import_filtering_opts
        private = _PRIVATE if options.deny_private_networks else ()
        for kind in ('schemes', 'hosts', 'ports'):
            if getattr(options, 'allowed_' + kind) and getattr(options, 'disallowed_' + kind):
                LOG.debug('[import_filtering_opts] disallowed_%s does not count because allowed_%s is set.', kind, kind)
        return cls(Rules(
            allowed_schemes=[scheme.lower() for scheme in options.allowed_schemes],
            disallowed_schemes=[scheme.lower() for scheme in options.disallowed_schemes],
            allowed_hosts=options.allowed_hosts, disallowed_hosts=options.disallowed_hosts,
            allowed_ports=options.allowed_ports, disallowed_ports=options.disallowed_ports,
            allowed_networks=options.allowed_networks,
            disallowed_networks=(*options.disallowed_networks, *private), own_ports=(server.port(conf, 'glance-api'),)))

    def check(self, uri: object) -> Target:
        """Return whom to ask for the URI; raise URIRefused, whose text tells nothing but the URI."""
        try:
            return self._judge(uri)
        except _Refusal as refusal:
            shown = masked(uri) if isinstance(uri, str) else type(uri).__name__
            LOG.info('The URI %s does not pass filtering: %s.', shown, refusal)
            raise exceptions.URIRefused(shown) from None

    def _judge(self, uri: object) -> Target:
        scheme, host, port, path = _split(uri)
        rules = self._rules
        _check_listed('scheme', scheme, rules.allowed_schemes, rules.disallowed_schemes)
        if port is None:
            port = DEFAULT_PORTS.get(scheme)
        if port is None or not 0 < port < 65536:
            raise _Refusal('it has no port between 1 and 65535')
        _check_listed('port', port, rules.allowed_ports, rules.disallowed_ports)
        literal = _literal(host)
        _check_name_before_lookup(host, literal, rules)
        addresses = [literal] if literal else self._look_up(host)
        self._check_hosts(host, addresses)
        for address in addresses:
            self._check_address(host, address, port)
        return Target(scheme, str(literal) if literal else host, port, path, tuple(map(str, addresses)))

    def _look_up(self, host: str) -> list[Address]:
        try:
            found = self._resolver(host)[:MAX_ADDRESSES]
            addresses = [ipaddress.ip_address(text) for text in found if '%' not in text]
        except (OSError, ValueError) as error:
            raise _Refusal('its host cannot be resolved (%s)' % error) from None
        if not addresses or len(addresses) != len(found):
            raise _Refusal('its host has no address, or one that is valid on one link only')
        return addresses

    def _check_hosts(self, host: str, addresses: list[Address]) -> None:
        rules = self._rules
        if rules.allowed_hosts:
            if not (_names(rules.allowed_hosts, host) or all(_holds(rules.allowed_hosts, each) for each in addresses)):
                raise _Refusal('its host is not in allowed_hosts')
        elif any(_holds(rules.disallowed_hosts, address) for address in addresses):
            raise _Refusal('its address is in disallowed_hosts')

    def _check_address(self, host: str, address: Address, port: int) -> None:
        rules = self._rules
        for form in (address, *_embedded(address)):
            if host in _exact(rules.allowed_hosts) or _holds(rules.allowed_hosts, form) \
                    or _is_in(form, rules.allowed_networks):
                continue
            if _is_in(form, rules.disallowed_networks):
                raise _Refusal('its address %s is in a network that is refused' % address)
            if port in rules.own_ports and _is_local(form):
                raise _Refusal('it leads to this service itself')


def _split(uri: object) -> tuple[str, str, int | None, str]:
    """Take a URI apart more strictly than libraries do, which repair what they should refuse."""
    if not isinstance(uri, str) or not 0 < len(uri) <= MAX_LENGTH:
        raise _Refusal('it is no text of 1 to %d characters' % MAX_LENGTH)
    match = _URI.fullmatch(uri)
    if match is None:
        raise _Refusal('it is no URI of the form scheme://host/path')
    target = match['target'] or '/'
    if _BAD_TARGET.search(target):
        raise _Refusal('its path holds a character that must be percent-encoded, or a fragment')
    authority = _AUTHORITY.fullmatch(match['authority'])
    if authority is None:
        raise _Refusal('its host or port is malformed, or it holds credentials')
    port = int(authority['port']) if authority['port'] else None
    path = target if target.startswith('/') else '/' + target
    return match['scheme'].lower(), _canonical_host(authority['host']), port, path


def _canonical_host(host: str) -> str:
    if host.startswith('['):
        return host[1:-1]
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode('ascii')
        except idna.IDNAError:
            raise _Refusal('its host is no domain name') from None
    host = host.lower().removesuffix('.')
    if len(host) > 253 or not _NAME.fullmatch(host):
        raise _Refusal('its host is no domain name')
    return host


def _literal(host: str) -> Address | None:
    """Return the address that the host is written as, or None for a name."""
    try:
        if ':' in host:
            return ipaddress.IPv6Address(host if '%' not in host else '')
        if _NUMBER.fullmatch(host.rpartition('.')[2]):
            return ipaddress.IPv4Address(host)
    except ValueError:
        raise _Refusal('its host is an address in a form that is not canonical') from None
    return None


def _check_listed(what: str, value: str | int, allowed: Sequence, disallowed: Sequence) -> None:
    if (value not in allowed) if allowed else (value in disallowed):
        raise _Refusal('the %s %s is not allowed' % (what, value))


def _check_name_before_lookup(host: str, literal: Address | None, rules: Rules) -> None:
    """Spare name servers, which may be the attacker's, what is decided without them."""
    if not rules.allowed_hosts and literal is None and _names(rules.disallowed_hosts, host):
        raise _Refusal('its host is in disallowed_hosts')


def _exact(hosts: Sequence[str]) -> set[str]:
    return {entry.lower().removesuffix('.') for entry in hosts if not entry.startswith('.')}


def _names(hosts: Sequence[str], host: str) -> bool:
    suffixes = tuple(entry.lower() for entry in hosts if entry.startswith('.'))
    return host in _exact(hosts) or host.endswith(suffixes)


def _holds(hosts: Sequence[str], address: Address) -> bool:
    """Tell whether an address, in any form that it is known by, is among the addresses and networks of a list."""
    networks = []
    for entry in hosts:
        try:
            networks.append(ipaddress.ip_network(entry.strip('[]'), strict=False))
        except ValueError:
            continue
    return any(_is_in(form, networks) for form in (address, *_embedded(address)))


def _is_in(address: Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks if network.version == address.version)


def _embedded(address: Address) -> Iterator[Address]:
    """The IPv4 addresses to which packets for this one may be delivered in the end."""
    if not isinstance(address, ipaddress.IPv6Address):
        return
    if address.ipv4_mapped:
        yield address.ipv4_mapped
    if address.sixtofour:
        yield address.sixtofour
    if address.teredo:
        yield from address.teredo
    compatible = address in _COMPATIBLE and address not in _UNSPECIFIED_OR_LOOPBACK
    if compatible or _is_in(address, _NAT64):
        yield ipaddress.IPv4Address(int(address) & 0xffffffff)


def _is_local(address: Address) -> bool:
    """Tell whether the address is one of this machine."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True
