"""The URLs of objects in Swift, in the forms that were ever written."""
import urllib.parse
from dataclasses import dataclass, field

from glance import exceptions
from glance.store import location as locations

SCHEMES = ('swift+config', 'swift+https', 'swift+http', 'swift')
_BY_REFERENCE = 'swift+config'


@dataclass(frozen=True, slots=True)
class Place:
    """Where an object is.

    Either ``reference`` names an account of the configuration; or ``user`` and ``key`` log in at ``url``; or ``url`` is
    that of the account itself.
    """

    container: str
    name: str
    reference: str | None = None
    url: str | None = None
    user: str | None = None
    key: str | None = field(default=None, repr=False)


def parse(url: str) -> Place:
    """Take a URL apart. Raises BadLocation for what cannot be one of a Swift store."""
    parts = locations.parse(url)
    scheme = parts.scheme.lower()
    base, _, name = (parts.host + parts.path).rpartition('/')
    base, _, container = base.rpartition('/')
    if scheme not in SCHEMES or parts.query is not None or not base or base.startswith('/') \
            or {container, name} & {'', '.', '..'} or '://' in parts.host + parts.path:
        raise _not_ours()
    if scheme == _BY_REFERENCE:
        if '/' in base or parts.userinfo is not None:
            raise _not_ours()
        return Place(container, name, reference=base)
    base = '%s://%s' % ('http' if scheme == 'swift+http' else 'https', base)
    if parts.userinfo is None:
        return Place(container, name, url=base)
    # Divided before it is decoded: both halves may hold the separator in its encoded form.
    user, colon, key = parts.userinfo.rpartition(':')
    if not colon or not user or not key:
        raise _not_ours()
    return Place(container, name, url=base, user=urllib.parse.unquote(user), key=urllib.parse.unquote(key))


def by_reference(reference: str, container: str, name: str) -> str:
    """The URL of an object in an account of the configuration."""
    return '%s://%s/%s/%s' % (_BY_REFERENCE, reference, container, name)


def in_account(account: str, container: str, name: str) -> str:
    """The URL of an object in the account of this URL."""
    return 'swift+%s/%s/%s' % (account, container, name)


def _not_ours() -> exceptions.BadLocation:
    return exceptions.BadLocation('The location is not one of a Swift store')
