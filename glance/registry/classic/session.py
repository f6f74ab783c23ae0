"""One command's caller and records, and what he may change."""
from dataclasses import dataclass
from typing import Any

from glance import exceptions
from glance.context import RequestContext
from glance.db.interface import Anyone, Caller, Database, ImageRecord
from glance.domain.properties import READ_ONLY, is_internal


class ForbiddenPublicImage(exceptions.Forbidden):
    """The image is everybody's to see, and not this caller's to change."""


@dataclass(frozen=True, slots=True)
class Session:
    """Who asks, and the DAL. ``is_service``: he may write what is not a user's to write, such as the status."""

    context: RequestContext
    database: Database
    is_service: bool

    @property
    def is_admin(self) -> bool:
        """Whether the caller is an administrator."""
        return bool(self.context.is_admin)

    def caller(self, as_user: bool = False) -> Caller:
        """Return who asks; ``as_user`` takes his being an administrator from him."""
        return Anyone(self.is_admin and not as_user, self.context.owner)

    def visible(self, image_id: Any, show_deleted: bool = False) -> ImageRecord:
        """Return an image that the caller may see. Raises ImageNotFound."""
        return self.database.image_get(self.caller(), _text(image_id), show_deleted)

    def mutable(self, image_id: Any) -> ImageRecord:
        """Return an image that the caller may change. Raises ImageNotFound, Forbidden."""
        record = self.visible(image_id)
        if self.owns(record['owner']):
            return record
        if record['visibility'] in ('public', 'community'):
            raise ForbiddenPublicImage('You do not own the image %s.' % record['id'])
        raise exceptions.Forbidden('You do not own the image %s.' % record['id'])

    def owns(self, owner: str | None) -> bool:
        """Whether the caller may act for this owner."""
        return self.is_admin or owner is not None and owner == self.context.owner

    def check_owner(self, owner: Any) -> None:
        """Raise Forbidden unless the caller may know what this owner has."""
        if not self.owns(owner):
            raise exceptions.Forbidden('What another owner has is shown to administrators only.')

    def check_new_values(self, columns: dict[str, Any], properties: dict[str, Any], loaded: ImageRecord | None) -> None:
        """Raise Forbidden for what only administrators may give to an image, or only the service itself."""
        before: Any = loaded or {'status': 'queued', 'visibility': None, 'properties': {}}
        if not self.is_admin and columns.get('visibility') == 'public' != before['visibility']:
            raise exceptions.Forbidden('Only administrators may make an image public.')
        if self.is_service:
            return
        for name in columns.keys() & READ_ONLY:
            if columns[name] != before.get(name):
                raise exceptions.ReadonlyProperty(name)
        for name, value in properties.items():
            if is_internal(name) and (name not in before['properties'] or before['properties'][name] != value):
                raise exceptions.ReservedProperty(name)

    def check_service(self, what: str) -> None:
        """Raise Forbidden unless a service asks."""
        if not self.is_service:
            raise exceptions.Forbidden('%s are for services only (registry_service_roles, '
                                       'registry_trust_user_tokens).' % what)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise exceptions.ImageNotFound(str(value))
    return value
