"""Option types that oslo.config lacks. Each checks its value whenever it is read and says what would be right."""

import hashlib
import ipaddress
import re
from urllib.parse import urlsplit

from oslo_config import types

_SIZE = re.compile(r'(\d+)(?:([KMGT])?B)?')
_FACTORS = {None: 1, 'K': 1 << 10, 'M': 1 << 20, 'G': 1 << 30, 'T': 1 << 40}
_AES_KEY_BYTES = (16, 24, 32)


def parse_size(text: str) -> int:
    """Bytes of a size such as ``0``, ``500``, ``20B``, ``10GB``; units are powers of 1024.

    Raises ValueError when the text is no such size.
    """
    match = _SIZE.fullmatch(text)
    if not match:
        raise ValueError('%r is no size; write a number with an optional unit of B, KB, MB, GB or TB, e.g. 10GB' % text)
    number, unit = match.groups()
    return int(number) * _FACTORS[unit]


class BracketList(types.List):
    """A list that may be written ``[a,b]`` or ``a,b``; the sample shows the brackets."""

    def __init__(self, item_type: types.ConfigType | None = None):
        super().__init__(item_type or types.String(quotes=True), bounds=True)

    def __call__(self, value):
        if isinstance(value, str):
            text = value.strip()
            if not text.startswith('[') and not text.endswith(']'):
                value = '[%s]' % text
        return super().__call__(value)


class Size(types.String):
    """Text that ``parse_size`` understands."""

    def __call__(self, value) -> str:
        text = super().__call__(value)
        parse_size(text)
        return text


class HashName(types.String):
    """A digest of fixed length that hashlib offers."""

    def __call__(self, value) -> str:
        name = super().__call__(value)
        try:
            digest_size = hashlib.new(name, usedforsecurity=False).digest_size
        except (ValueError, TypeError):
            raise ValueError('this Python offers no hash algorithm %r; sha512 is the usual choice' % name) from None
        if not digest_size:
            raise ValueError('%r has no fixed digest length; sha512 is the usual choice' % name)
        return name


class AESKey(types.String):
    """Text of 16, 24 or 32 bytes. The error never shows the value."""

    def __call__(self, value) -> str:
        text = super().__call__(value)
        length = len(text.encode())
        if length not in _AES_KEY_BYTES:
            raise ValueError('an AES key has 16, 24 or 32 bytes, not %d' % length)
        return text


class DirectoryURI(types.String):
    """A ``file://`` URI of an absolute directory on this host."""

    def __call__(self, value) -> str:
        text = super().__call__(value)
        parts = urlsplit(text)
        if parts.scheme != 'file' or parts.netloc or not parts.path.startswith('/'):
            raise ValueError('%r is no local directory; write file:// and an absolute path, e.g. file:///var/lib/glance'
                             % text)
        return text


class HostPattern(types.String):
    """A host by name or address, a network of hosts, or a ``.suffix`` of names."""

    def __call__(self, value) -> str:
        text = super().__call__(value)
        if '/' in text:
            Network()(text)
        else:
            types.HostAddress()(text.removeprefix('.'))
        return text


class Network(types.ConfigType):
    """An IPv4 or IPv6 network or a single address; the value is an ``ipaddress`` network."""

    def __init__(self):
        super().__init__(type_name='network value')

    def __call__(self, value):
        try:
            return ipaddress.ip_network(value)
        except ValueError:
            raise ValueError('%r is no network; write an address or a CIDR such as 192.0.2.0/24' % value) from None

    def __eq__(self, other) -> bool:
        return type(self) is type(other)

    __hash__ = None

    def __repr__(self) -> str:
        return 'Network'

    def _formatter(self, value) -> str:
        return str(value)
