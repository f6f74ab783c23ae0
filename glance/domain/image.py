"""An image: its attributes, its life cycle, and what changed since it was loaded."""
import copy
import dataclasses
import datetime
from collections.abc import Callable
from typing import Any

from glance import exceptions
from glance.domain.changes import Changes, difference

VISIBILITIES = ('community', 'public', 'private', 'shared')
STATUSES = ('queued', 'saving', 'active', 'killed', 'deleted', 'uploading', 'importing', 'pending_delete', 'deactivated')

_TRANSITIONS = {
    'queued': {'saving', 'uploading', 'importing', 'active', 'deleted'},
    'saving': {'active', 'killed', 'deleted', 'queued'},
    'uploading': {'importing', 'queued', 'deleted'},
    'importing': {'active', 'deleted', 'queued'},
    'active': {'pending_delete', 'deleted', 'deactivated'},
    'deactivated': {'active', 'deleted', 'pending_delete'},
    'killed': {'deleted'},
    'pending_delete': {'deleted', 'active'},
    'deleted': set(),
}
# Statuses in which the data does not exist yet, and the formats may still be chosen.
_FORMATS_OPEN = ('queued', 'importing')
# What an image has only together with its data.
_DATA_ATTRIBUTES = ('size', 'virtual_size', 'checksum', 'os_hash_algo', 'os_hash_value')


@dataclasses.dataclass
class Location:
    """One place where the image's data is. ``id`` is None until it is stored."""

    url: str
    metadata: dict[str, Any] = dataclasses.field(default_factory=dict)
    status: str = 'active'
    id: int | None = None

    def copy(self) -> 'Location':
        """Return one like it that stays as it is, whatever becomes of this one."""
        return Location(self.url, copy.deepcopy(self.metadata), self.status, self.id)


@dataclasses.dataclass(eq=False)
class Image:
    """An image as the service knows it.

    Sizes are bytes, ``min_disk`` is GB, ``min_ram`` MB, times are naive UTC. ``member`` is the caller's project when the
    image reached it through a membership. An image that was loaded remembers how it was: see ``changes``; a ``guarded`` one is
    saved only while the stored image still is like that. ``withheld`` are properties that the caller may not know of.
    """

    image_id: str
    status: str = 'queued'
    visibility: str = 'shared'
    owner: str | None = None
    name: str | None = None
    disk_format: str | None = None
    container_format: str | None = None
    size: int | None = None
    virtual_size: int | None = None
    checksum: str | None = None
    os_hash_algo: str | None = None
    os_hash_value: str | None = None
    min_disk: int = 0
    min_ram: int = 0
    protected: bool = False
    os_hidden: bool = False
    created_at: datetime.datetime | None = None
    updated_at: datetime.datetime | None = None
    tags: list[str] = dataclasses.field(default_factory=list)
    extra_properties: dict[str, str | None] = dataclasses.field(default_factory=dict)
    locations: list[Location] = dataclasses.field(default_factory=list)
    member: str | None = None
    loaded: 'Image | None' = dataclasses.field(default=None, repr=False)
    guarded: bool = False
    withheld: dict[str, str | None] = dataclasses.field(default_factory=dict, repr=False)

    def remember(self) -> None:
        """Take the present state as the one that is stored: from here on ``changes`` starts anew."""
        self.loaded = dataclasses.replace(
            self, tags=list(self.tags), extra_properties=dict(self.extra_properties),
            locations=[location.copy() for location in self.locations], loaded=None)

    @property
    def changes(self) -> Changes:
        """What differs from the loaded state; for a new image everything that it has."""
        return difference(self.loaded or Image(self.image_id), self)

    def withhold(self, hides: Callable[[str], bool]) -> None:
        """Put the properties aside whose names are to be hidden, as if the image did not have them and never had."""
        self.withheld = {name: value for name, value in self.extra_properties.items() if hides(name)}
        self.extra_properties = {name: value for name, value in self.extra_properties.items() if not hides(name)}
        if self.loaded is not None:
            self.loaded.withhold(hides)

    def restore(self) -> None:
        """Bring back what was withheld, except where something else was put in its place."""
        self.extra_properties = {**self.withheld, **self.extra_properties}
        self.withheld = {}
        if self.loaded is not None:
            self.loaded.restore()

    def check_status(self, wanted: str) -> None:
        """Raise StatusConflict unless the image is in this status."""
        if self.status != wanted:
            raise exceptions.StatusConflict(self.image_id, self.status, wanted)

    def set_status(self, status: str) -> None:
        """Move to another status by the rules of the life cycle; going back to ``queued`` forgets the data."""
        if status not in _TRANSITIONS[self.status]:
            raise exceptions.InvalidImageStatusTransition(self.status, status)
        if self.status in ('queued', 'uploading') and status in ('saving', 'importing', 'active'):
            self.check_formats()
        if status == 'queued':
            for name in _DATA_ATTRIBUTES:
                setattr(self, name, None)
        self.status = status

    def deactivate(self) -> None:
        """Withdraw the data from all but administrators. Raises Forbidden unless the image is ``active``, or so already."""
        self._switch('active', 'deactivated', 'deactivate')

    def reactivate(self) -> None:
        """Give the data back. Raises Forbidden unless the image is ``deactivated``, or ``active`` already."""
        self._switch('deactivated', 'active', 'reactivate')

    def _switch(self, before: str, after: str, action: str) -> None:
        if self.status not in (before, after):
            raise exceptions.Forbidden('Not allowed to %s image in status %r' % (action, self.status))
        self.status = after

    def check_formats(self) -> None:
        """Raise Invalid unless both formats are set, which data needs."""
        missing = [name for name in ('disk_format', 'container_format') if not getattr(self, name)]
        if missing:
            noun = 'Property' if len(missing) == 1 else 'Properties'
            raise exceptions.Invalid('%s %s must be set prior to saving data.' % (noun, ', '.join(missing)))

    def set_format(self, attribute: str, value: str | None) -> None:
        """Set ``disk_format`` or ``container_format``, which is possible until there is data."""
        if self.status not in _FORMATS_OPEN:
            raise exceptions.Forbidden('Attribute %s can be only replaced for a queued image.' % attribute)
        setattr(self, attribute, value)

    def check_deletable(self) -> None:
        """Raise ProtectedImageDelete while the image is protected."""
        if self.protected:
            raise exceptions.ProtectedImageDelete(self.image_id)

    def check_shared(self) -> None:
        """Raise Forbidden unless the visibility is one that knows members."""
        if self.visibility != 'shared':
            raise exceptions.Forbidden('Only shared images have members.')
