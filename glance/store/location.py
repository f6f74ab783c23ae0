"""The URLs of objects: which kind of store they belong to, their parts, and how they may appear in a log.

A URL is kept byte for byte: taking it apart and putting it together again changes nothing. What host, path and user
mean is for the driver of the scheme.
"""
import dataclasses
import re
import urllib.parse
from dataclasses import dataclass

from glance import exceptions

SCHEMES = {
    'file': 'file', 'filesystem': 'file',
    'http': 'http', 'https': 'http',
    'swift': 'swift', 'swift+http': 'swift', 'swift+https': 'swift', 'swift+config': 'swift',
    'rbd': 'rbd',
    's3': 's3', 's3+http': 's3', 's3+https': 's3',
    'cinder': 'cinder',
    'vsphere': 'vmware',
    'sheepdog': 'sheepdog',
    'gridfs': 'gridfs',
}
"""Every scheme of a location, with the type of the driver that serves it."""

_URL = re.compile(r'(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<rest>[^\x00-\x1f\x7f]*)')
_SECRET = re.compile(r'token|secret|passw|key|sig|credential|auth|x-amz-', re.IGNORECASE)
_MASK = '***'


@dataclass(frozen=True, slots=True)
class LocationUrl:
    """The parts of a URL as they are written, nothing decoded.

    ``userinfo`` and ``query`` are None where their separator is missing, which is not the same as empty.
    """

    scheme: str
    userinfo: str | None
    host: str
    path: str
    query: str | None

    @property
    def driver(self) -> str:
        """The type of the driver that serves the scheme."""
        return SCHEMES[self.scheme.lower()]

    def __str__(self) -> str:
        userinfo = '' if self.userinfo is None else self.userinfo + '@'
        query = '' if self.query is None else '?' + self.query
        return '%s://%s%s%s%s' % (self.scheme, userinfo, self.host, self.path, query)


def parse(url: str) -> LocationUrl:
    """Take a URL apart (RFC 3986, but see ``_split_userinfo``). ``str()`` of the result is the URL.

    :raises BadLocation: when it is no URL, holds control characters, or its scheme is none of SCHEMES
    """
    match = _URL.fullmatch(url)
    if not match:
        raise exceptions.BadLocation('The location is not a URL of the form scheme://…')
    scheme, rest = match.groups()
    if scheme.lower() not in SCHEMES:
        raise exceptions.BadLocation('No kind of store has locations of scheme %r' % scheme)
    rest, mark, query = rest.partition('?')
    userinfo, rest = _split_userinfo(scheme.lower(), rest)
    host, slash, path = rest.partition('/')
    return LocationUrl(scheme, userinfo, host, slash + path, query if mark else None)


def scheme_of(url: str) -> str:
    """The scheme of a URL in lower case. Raises BadLocation as ``parse`` does."""
    return parse(url).scheme.lower()


def without_credentials(url: str) -> str:
    """The URL as clients see it: without user and password. Takes any text, like ``redact``."""
    try:
        return str(dataclasses.replace(parse(url), userinfo=None))
    except exceptions.BadLocation:
        return redact(url)


def redact(url: str) -> str:
    """The URL as it may be logged: user and password, and the values of secret query parameters, are replaced.

    Takes any text, also what is no URL or of an unknown scheme, and rather hides too much than too little.
    """
    scheme, separator, rest = url.partition('://')
    if not separator:
        scheme, rest = '', url
    # Before the query is split off: a password may hold a question mark that is not encoded.
    userinfo, rest = _split_userinfo(scheme.lower(), rest)
    if userinfo is not None:
        rest = _MASK + '@' + rest
    rest, mark, query = _partition(rest, '?#')
    return scheme + separator + rest + mark + ''.join(map(_redact_parameter, re.split('([&;#?])', query)))


def _split_userinfo(scheme: str, rest: str) -> tuple[str | None, str]:
    """Cut ``user:password@`` off what follows ``://``.

    Keys in old swift and s3 URLs may hold a slash that is not encoded, so their user information ends at the last
    ``@``, wherever that is; paths of files have none.
    """
    if SCHEMES.get(scheme) == 'file':
        return None, rest
    end = len(rest)
    if SCHEMES.get(scheme) == 'http':
        end = len(_partition(rest, '/\\')[0])
    at = rest.rfind('@', 0, end)
    return (None, rest) if at < 0 else (rest[:at], rest[at + 1:])


def _partition(text: str, separators: str) -> tuple[str, str, str]:
    """``str.partition`` at the first of several one-character separators."""
    match = re.search('[%s]' % re.escape(separators), text)
    return (text, '', '') if match is None else (text[:match.start()], match.group(), text[match.end():])


def _redact_parameter(parameter: str) -> str:
    name, equals, value = parameter.partition('=')
    if value and _SECRET.search(urllib.parse.unquote(name)):
        return name + equals + _MASK
    return parameter
