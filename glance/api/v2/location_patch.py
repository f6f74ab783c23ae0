"""Operations of a patch on the locations of an image: add one, replace all of them, remove one."""
import dataclasses
import re
from typing import Any, Self

from glance import exceptions
from glance.domain import location
from glance.domain.image import Image
from glance.domain.location import NewLocation
from glance.environment import Environment
from glance.store.location import without_credentials

_POSITION = re.compile('[0-9]{1,9}')


@dataclasses.dataclass(frozen=True)
class LocationOperation:
    """One validated change. ``position`` counts in the order that is shown, None is the end."""

    op: str
    position: int | None = None
    new: tuple[NewLocation, ...] = ()

    @classmethod
    def parse(cls, op: str, segments: list[str], change: dict[str, Any]) -> Self:
        """Return the operation on the path that begins with ``/locations``. Raises Invalid; Forbidden for an empty list."""
        if len(segments) != (1 if op == 'replace' else 2):
            raise exceptions.Invalid('Locations can be added and removed one by one (/locations/0, /locations/-), and '
                                     'replaced together (/locations).')
        if op != 'remove' and 'value' not in change:
            raise exceptions.Invalid('Operation %r on locations needs a member "value".' % op)
        if op == 'replace':
            return cls(op, new=_list(change['value']))
        new = (NewLocation.parse(change['value']),) if op == 'add' else ()
        if segments[1] == '-':
            return cls(op, None, new)
        if not _POSITION.fullmatch(segments[1]):
            raise exceptions.Invalid('The position of a location must be an integer that is not negative, or "-".')
        return cls(op, int(segments[1]), new)

    @property
    def rule(self) -> str:
        """The rule of who may do this."""
        return 'delete_image_location' if self.op == 'remove' else 'set_image_location'

    def apply(self, image: Image, env: Environment) -> None:
        """Change the image. Raises Forbidden when the operator does not allow this to anybody, and what ``domain`` does."""
        if not env.conf.show_multiple_locations:
            raise exceptions.Forbidden('It is not allowed to change the locations of images here: the option '
                                       'show_multiple_locations is off.')
        ordered = env.stores.in_reading_order(image.locations)
        algorithm = env.conf.hashing_algorithm
        if self.op == 'add':
            location.insert(image, ordered, self.position, self.new[0], algorithm)
        elif self.op == 'remove':
            location.remove(image, ordered, self.position)
        else:
            # Clients send back what they were shown.
            shown = {without_credentials(each.url): each.url for each in ordered}
            new = [dataclasses.replace(each, url=shown.get(each.url, each.url)) for each in self.new]
            location.replace(image, ordered, new, algorithm)


def _list(value: Any) -> tuple[NewLocation, ...]:
    if not isinstance(value, list):
        raise exceptions.Invalid('The locations of an image are an array.')
    if not value:
        raise exceptions.Forbidden('The locations of an image cannot be replaced by none.')
    return tuple(NewLocation.parse(each) for each in value)
