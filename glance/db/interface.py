"""The database abstraction layer: every operation on records, with its types and errors.

Conventions:

* A record is a plain ``dict``; its keys are the column names of the table plus the children named below. It belongs to
  the caller, who may change it.
* Times are naive UTC ``datetime``; an engine may keep them to the whole second only.
* An id that is longer than 36 characters names nothing and costs no query.
* Ids, property names, tags and members are compared exactly (case-sensitive) whatever the collation of the engine.
* Read operations never write. Each write operation is one transaction.
* ``caller`` decides visibility only (section "row visibility" of the API): who may *change* a row is decided above.
* A lost connection, a deadlock or a lock timeout is retried inside; when that does not help, DatabaseUnavailable.
"""
import datetime
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypedDict, TypeVar

Direction = Literal['asc', 'desc']
Operator = Literal['eq', 'neq', 'gt', 'gte', 'lt', 'lte', 'in']
Resource = Literal['storage', 'staging', 'images', 'uploading', 'queued']

# Statuses that the images table may hold.
IMAGE_STATUSES = frozenset(('active', 'saving', 'queued', 'killed', 'pending_delete', 'deleted', 'deactivated',
                            'importing', 'uploading'))
# What is counted of an owner: bytes in stores (size times locations) and bytes in the staging area, both with what running
# work has reserved; images; images whose data is on its way. ``queued`` is counted where it is asked for only: images that
# wait for their data.
RESOURCES: tuple[Resource, ...] = ('storage', 'staging', 'images', 'uploading')
# Statuses in which an image takes nothing that counts, and those in which its data is on its way or staged.
GONE_STATUSES = ('killed', 'deleted', 'pending_delete')
UPLOADING_STATUSES = ('saving', 'uploading', 'importing')
STAGED_STATUSES = ('uploading', 'importing')
# The property that names the stores into which an image is still to be copied; while it does, data is on its way.
COPYING_PROPERTY = 'os_glance_importing_to_stores'
# Columns of the images table that a query may compare, with the kind of their values.
FILTER_COLUMNS: Mapping[str, type] = {
    'id': str, 'name': str, 'status': str, 'owner': str, 'disk_format': str, 'container_format': str, 'checksum': str,
    'os_hash_algo': str, 'os_hash_value': str, 'size': int, 'virtual_size': int, 'min_disk': int, 'min_ram': int,
    'protected': bool, 'os_hidden': bool, 'created_at': datetime.datetime, 'updated_at': datetime.datetime,
}
SORT_COLUMNS = frozenset(('name', 'status', 'container_format', 'disk_format', 'size', 'id', 'created_at', 'updated_at'))
MAX_INTEGER = 2 ** 31 - 1
MAX_BIG_INTEGER = 2 ** 63 - 1
LONGEST_LEASE = datetime.timedelta(hours=1)


class Caller(Protocol):
    """Who asks: the part of the request context that row visibility needs."""

    @property
    def is_admin(self) -> bool: ...

    @property
    def owner(self) -> str | None:
        """The project (or user, when ``owner_is_tenant`` is off) of the caller; None without one."""


@dataclass(frozen=True, slots=True)
class Anyone:
    """A caller of whom nothing else is known."""

    is_admin: bool
    owner: str | None


# The service itself, which sees every row.
SERVICE = Anyone(True, None)


class LocationRecord(TypedDict, total=False):
    id: int                      # absent until stored
    url: str
    metadata: dict[str, Any]
    status: str                  # active, pending_delete, deleted


class ImageRecord(TypedDict, total=False):
    """A row of ``images`` with its live children."""

    id: str
    name: str | None
    size: int | None
    virtual_size: int | None
    status: str
    visibility: str
    checksum: str | None
    os_hash_algo: str | None
    os_hash_value: str | None
    disk_format: str | None
    container_format: str | None
    owner: str | None
    min_disk: int
    min_ram: int
    protected: bool
    os_hidden: bool
    created_at: datetime.datetime
    updated_at: datetime.datetime
    deleted_at: datetime.datetime | None
    deleted: bool
    properties: dict[str, str | None]      # live ones
    tags: list[str]                        # live ones, each once, in the order in which they were added
    locations: list[LocationRecord]        # live ones, in the order in which they were added
    is_member: bool                        # the caller is a member (any status) of this shared image of another owner


class MemberRecord(TypedDict):
    id: int
    image_id: str
    member: str
    status: str
    can_share: bool
    created_at: datetime.datetime
    updated_at: datetime.datetime


@dataclass(frozen=True, slots=True)
class Condition:
    """``column op value``; for ``in`` the value is a tuple. Comparison is by value, strings exactly."""

    column: str
    op: Operator
    value: Any


@dataclass(frozen=True, slots=True)
class ImageQuery:
    """What ``image_list`` looks for; all parts are combined with AND.

    ``visibility`` None is the caller's default list (own, public, shared with the caller; for an admin everything but
    community images of other owners), ``'all'`` everything visible, or one of the four values. ``member_status`` is
    a status or ``'all'`` and narrows images shared with the caller. ``hidden`` and ``deleted`` None mean both.
    Live lists never hold images in status ``killed``. ``sort`` ends with ``created_at`` and ``id`` (the DAL appends
    what is missing, in the single direction given when there is exactly one, else descending); null is the smallest value.
    ``marker`` is the id of the last image of the previous page. ``limit`` None is no limit, 0 an empty list.
    """

    conditions: tuple[Condition, ...] = ()
    properties: tuple[tuple[str, str], ...] = ()
    tags: tuple[str, ...] = ()
    visibility: str | None = None
    member_status: str = 'accepted'
    hidden: bool | None = None
    deleted: bool | None = False
    sort: tuple[tuple[str, Direction], ...] = (('created_at', 'desc'), ('id', 'desc'))
    marker: str | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class ImageChanges:
    """The difference between the loaded image and the wanted one; only this is written.

    ``columns`` holds new values of columns of ``images`` (never id, created_at, updated_at, deleted, deleted_at; status
    only together with ``from_status``). Properties and tags that are set or added exist afterwards whether or not they did
    before; removing an absent one is no error. ``add_properties`` must not exist before, else Duplicate: of several
    callers who add one at a time, one succeeds. ``update_locations`` are records with an id (metadata, status and url
    are written); ``remove_locations`` maps ids to ``'deleted'`` or ``'pending_delete'``.
    """

    columns: Mapping[str, Any] = field(default_factory=dict)
    set_properties: Mapping[str, str | None] = field(default_factory=dict)
    add_properties: Mapping[str, str | None] = field(default_factory=dict)
    remove_properties: Iterable[str] = ()
    add_tags: Sequence[str] = ()
    remove_tags: Iterable[str] = ()
    add_locations: Sequence[LocationRecord] = ()
    update_locations: Sequence[LocationRecord] = ()
    remove_locations: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Written:
    """What ``image_update`` wrote: the new ``updated_at``, and the ids of ``add_locations`` in their order."""

    updated_at: datetime.datetime
    location_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Removal:
    """What ``image_remove`` did: when, the status that the image has now, and the locations that it removed."""

    deleted_at: datetime.datetime
    status: str
    locations: list[LocationRecord]
    attempt: str | None = None
    """Of the lease under which the data at these locations is removed now."""


@dataclass(frozen=True, slots=True)
class PendingImage:
    """An image with data that waits to be removed: the locations that are ``pending_delete``.

    ``status`` may be another one: of an image that goes on, single locations are removed. ``properties`` are those that
    went with the image. The ``url`` of a location is left out when it cannot be decrypted.
    """

    image_id: str
    status: str
    owner: str | None
    properties: dict[str, str | None]
    locations: list[LocationRecord]


@dataclass(frozen=True, slots=True)
class StoredLocation:
    """A location at which there is, or should be, data; its ``url`` is left out when it cannot be decrypted."""

    image_id: str
    image_status: str
    location: LocationRecord


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of one worker to finish what it began with an image (an upload), until ``expires_at``.

    ``attempt`` is a UUID made for this try; ``worker`` names the process (host, boot, pid, start of the process).
    ``storage`` and ``staging`` are bytes that count as used by ``owner`` as long as the lease exists.
    """

    image_id: str
    attempt: str
    worker: str
    expires_at: datetime.datetime
    owner: str | None = None
    storage: int = 0
    staging: int = 0

    def is_held(self, now: datetime.datetime) -> bool:
        """Whether it still counts; one that reaches far ahead was written by a clock that was wrong."""
        return now < self.expires_at <= now + LONGEST_LEASE


@dataclass(frozen=True, slots=True)
class Charge:
    """What a write adds to what an owner has, and how much of each resource the owner may have with it.

    Resources without a limit are not looked at. ``owner`` None stands for all images that have none.
    """

    owner: str | None
    deltas: Mapping[Resource, int]
    limits: Mapping[Resource, int]


@dataclass(frozen=True, slots=True)
class CachedImage:
    """What the image cache of one node knows of an entry: size in bytes, how often and when it was used last."""

    image_id: str
    size: int
    hits: int
    last_accessed: datetime.datetime
    last_modified: datetime.datetime
    checksum: str | None = None
    id: int | None = None        # absent until stored


Function = TypeVar('Function', bound=Callable)


def reads(operation: Function) -> Function:
    """Mark an operation that changes nothing: who did not get its answer may ask again."""
    operation.__dict__['reads'] = True
    return operation


def is_reading(operation: Callable) -> bool:
    """Tell whether an operation of ``Database`` changes nothing."""
    return 'reads' in vars(operation)


class Database(Protocol):
    """Every operation of the DAL.

    Parameters and results are of types that can be sent to another process (``glance.db.wire``): what is added here is
    served by glance-registry as well.
    """

    @reads
    def check(self) -> None:
        """Raise ConfigurationError when the tables are not those of this release, DatabaseUnavailable when away."""

    @reads
    def ping(self) -> None:
        """Return as soon as the database answers; it is not asked for anything. Raises DatabaseUnavailable."""

    def close(self) -> None:
        """Release all connections."""

    # Images

    def image_create(self, values: Mapping[str, Any], charge: Charge | None = None) -> ImageRecord:
        """Insert an image with its ``properties``, ``tags`` and ``locations``; return it as stored.

        ``status`` is required; ``id`` is made when absent; ``visibility`` defaults to ``shared``. Raises Duplicate when
        a row has this id, live or deleted, or another image has its data at one of the locations; Invalid for an unknown
        status or a value that no column can hold; OverLimit when the charge is too much (see ``image_update``).
        """

    @reads
    def image_get(self, caller: Caller, image_id: str, show_deleted: bool = False) -> ImageRecord:
        """Return the image, or raise ImageNotFound when it is absent, deleted or not visible to the caller."""

    @reads
    def image_list(self, caller: Caller, query: ImageQuery) -> list[ImageRecord]:
        """Return the page of images that the query describes.

        Raises InvalidMarker when the marker is absent, or not visible to the caller; InvalidSortKey; InvalidFilter for
        a column that cannot be compared or a value of the wrong kind.
        """

    @reads
    def image_count(self, caller: Caller, query: ImageQuery) -> int:
        """Return how many images the query finds on all pages. Raises InvalidFilter as ``image_list``."""

    def image_update(self, image_id: str, changes: ImageChanges, from_status: str | None = None,
                     acquire: Lease | None = None, release: str | None = None,
                     expected: ImageRecord | None = None, charge: Charge | None = None) -> Written:
        """Write the changes of a live image.

        With ``from_status`` the row is written only while it has this status, else StatusConflict. ``acquire`` records
        a lease on the image in the same transaction (replacing one that is left over); ``release`` is the attempt whose
        lease must still be held, and drops it. ``expected`` holds what the image must be like at this moment, else
        ChangedMeanwhile: values of columns, all properties, all tags, all locations.

        With ``charge`` nothing is written, and OverLimit raised, when the owner would have more than a limit allows. What
        several callers charge to one owner is looked at one after the other, so that together they keep the limit as
        well. What a lease on this image has reserved before does not count.

        Raises ImageNotFound when the image is absent or deleted, LeaseLost, LocationNotFound when
        one to update is gone, Duplicate for properties to add that exist and for those whose names the engine cannot tell
        apart, and for a location in a store at which an image has its data already (see ``object_in_use``); Invalid for a
        value that no column can hold.
        """

    def image_remove(self, image_id: str, status: str = 'deleted', from_status: str | None = None,
                     acquire: Lease | None = None, expected: ImageRecord | None = None) -> Removal:
        """Soft-delete a live image and its children with one timestamp; drop its lease.

        ``status`` is the new status of the row, ``deleted`` or ``pending_delete``; live locations get the same one. Data at
        which another image has its own as well, as other releases allowed, stays: these locations are ``deleted`` and left
        out of the result. An image without other locations has no data that could be pending: it is ``deleted`` in any
        case. Where data is pending, ``acquire`` is recorded, the lease of who removes it now: until it lapses nobody else
        will.
        Raises ImageNotFound when it is absent or deleted already, StatusConflict and ChangedMeanwhile as ``image_update``.
        """

    @reads
    def pending_list(self, removed_before: datetime.datetime, after: str | None = None, limit: int = 100
                     ) -> list[PendingImage]:
        """Return images with data that waits since then or longer, ordered by id, from behind the one named ``after``.

        Among them are images that only have to become ``deleted``: their data is gone. Whether somebody has claimed one
        plays no part.
        """

    def pending_claim(self, image_ids: Sequence[str], lease: Lease, now: datetime.datetime,
                      removed_before: datetime.datetime, dead: Collection[str] = ()) -> list[PendingImage]:
        """Claim those of these images that still have data to be removed and that nobody else works on.

        Each gets a lease like ``lease``, whose own ``image_id`` plays no part, in place of one that has lapsed at ``now``
        (or reaches too far ahead) or is of one of the ``dead`` attempts. Returns the images as they are now.
        """

    def image_scrubbed(self, image_id: str, location_ids: Collection[int], release: str | None = None) -> bool:
        """Record that the data at these locations is gone: those that are ``pending_delete`` become ``deleted``.

        An image that is ``pending_delete`` follows when no location of it is any more; returns whether it is ``deleted``
        now (it may have been before). ``release`` is the attempt whose lease ends with this. Raises ImageNotFound when there
        is no such row.
        """

    def image_restore(self, image_id: str, status: str = 'active', removal: Removal | None = None) -> None:
        """Bring a ``pending_delete`` image back, with this status.

        Locations that still are ``pending_delete`` come back, and what else was deleted together with the image: at the
        same time, or up to two seconds before it, which is how other releases delete. With ``removal`` it is that removal
        which is undone, and nothing comes back that was deleted at another time.
        Raises ImageNotFound when there is no such row, StatusConflict when it has another status, Conflict when no
        location is left, when somebody holds a lease to remove the data or, with ``removal``, the image was removed at
        another time, LeaseLost when the lease of the removal is not held any more.
        """

    @reads
    def location_list(self, after: int = 0, limit: int = 1000) -> list[StoredLocation]:
        """Return the locations of all images, live or not, whose data is not gone, by id, from behind the id ``after``."""

    @reads
    def property_in_use(self, name: str, value: str, except_image: str) -> bool:
        """Whether another image has a property with this value: a live one, or one that may still be restored."""

    @reads
    def object_in_use(self, url: str, except_image: str) -> bool:
        """Whether another image has its data at this URL: a live one, or one whose data may still be there.

        Of several URLs for one object only one is known. What web servers deliver is no image's own.
        """

    # Members

    @reads
    def member_list(self, image_id: str, member: str | None = None) -> list[MemberRecord]:
        """Return the live memberships of an image in the order of their creation (only that of ``member`` if given)."""

    def member_create(self, image_id: str, member: str, status: str = 'pending', can_share: bool = False
                      ) -> MemberRecord:
        """Add a member to a live image. Raises Duplicate for a live membership, ImageNotFound; a dead row is revived."""

    def member_update(self, image_id: str, member: str, status: str) -> MemberRecord:
        """Set the status of a live membership. Raises MemberNotFound."""

    def member_delete(self, image_id: str, member: str) -> None:
        """Remove a live membership. Raises MemberNotFound."""

    # Leases

    def lease_renew(self, attempts: Iterable[str], expires_at: datetime.datetime) -> None:
        """Prolong the leases of these attempts; one that is gone stays gone."""

    def lease_release(self, attempts: Iterable[str]) -> None:
        """Drop the leases of these attempts, whose work is left to others."""

    @reads
    def lease_list(self, expired_at: datetime.datetime | None = None, worker_prefix: str | None = None) -> list[Lease]:
        """Return leases that had expired at that time, and those of workers whose name starts with the prefix.

        Without either there are none.
        """

    def lease_reserve(self, lease: Lease, resource: Resource, least: int, most: int, limit: int) -> int:
        """Raise what a lease has reserved of ``storage`` or ``staging`` for its owner; return the new total in bytes.

        It is between ``least`` and ``most``: of the room that ``least`` leaves an eighth at most is taken ahead. Raises
        OverLimit when there is no room for ``least``, LeaseLost.
        """

    # Usage

    @reads
    def usage(self, owner: str | None, resources: Collection[Resource] = RESOURCES) -> dict[Resource, int]:
        """Return what an owner (None: images without one) has of these resources."""

    # Image caches of the nodes; a node is known by the URL that it has for the others

    def cache_save(self, node: str, entry: CachedImage) -> None:
        """Record an entry of a node, in place of what was recorded of this image; a new node becomes known."""

    def cache_hit(self, node: str, image_id: str, accessed_at: datetime.datetime) -> None:
        """Count one more use of an entry; one that is gone stays gone."""

    @reads
    def cache_list(self, node: str) -> list[CachedImage]:
        """Return the entries of a node, the least recently used first."""

    def cache_delete(self, node: str, image_ids: Collection[str] | None = None) -> None:
        """Forget these entries of a node, or all of them; those that are not there are no error."""

    @reads
    def cache_nodes(self, image_id: str) -> list[str]:
        """Return the nodes that have the image, in the order of their URLs."""
