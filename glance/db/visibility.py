"""Which rows a caller sees: one rule for a single image, one table for lists."""
from dataclasses import dataclass
from typing import Literal

from glance.db.interface import Caller, ImageRecord


@dataclass(frozen=True, slots=True)
class Scope:
    """A set of images. A list shows the union of several.

    ``who`` is ``own`` (the caller's), ``member`` (shared by others with the caller), ``any``, or ``usual`` (any but
    community images of other owners); ``visibility`` narrows it.
    """

    who: Literal['own', 'member', 'any', 'usual']
    visibility: str | None = None


OWN, SHARED_WITH_ME = Scope('own'), Scope('member', 'shared')
PUBLIC, COMMUNITY = Scope('any', 'public'), Scope('any', 'community')

PROJECT_SCOPES = {
    None: (OWN, PUBLIC, SHARED_WITH_ME),
    'all': (OWN, PUBLIC, COMMUNITY, SHARED_WITH_ME),
    'public': (PUBLIC,),
    'community': (COMMUNITY,),
    'private': (Scope('own', 'private'),),
    'shared': (Scope('own', 'shared'), SHARED_WITH_ME),
}
ANONYMOUS_SCOPES = {
    None: (PUBLIC,), 'all': (PUBLIC, COMMUNITY), 'public': (PUBLIC,), 'community': (COMMUNITY,), 'private': (),
    'shared': (),
}
ADMIN_SCOPES = {None: (Scope('usual'),), 'all': (Scope('any'),)}


def scopes(caller: Caller, visibility: str | None) -> tuple[Scope, ...]:
    """Return the sets that a list with this ``visibility`` (see ``ImageQuery``) is made of."""
    if caller.is_admin:
        return ADMIN_SCOPES.get(visibility) or (Scope('any', visibility),)
    return (ANONYMOUS_SCOPES if caller.owner is None else PROJECT_SCOPES)[visibility]


def is_visible(caller: Caller, image: ImageRecord) -> bool:
    """Whether the caller may see this record, whose ``is_member`` was computed for the same caller."""
    return (caller.is_admin or image['owner'] is None or image['owner'] == caller.owner or image['is_member']
            or image['visibility'] in ('public', 'community'))
