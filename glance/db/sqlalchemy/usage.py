"""What owners have, and the comparison of it with what they may have."""
import uuid
from collections.abc import Collection

import sqlalchemy as sa

from glance import exceptions
from glance.db.interface import (
    COPYING_PROPERTY,
    GONE_STATUSES,
    IMAGE_STATUSES,
    RESOURCES,
    STAGED_STATUSES,
    UPLOADING_STATUSES,
    Charge,
    Lease,
    Resource,
)
from glance.db.sqlalchemy.dialects import Dialect
from glance.db.sqlalchemy.engine import Engine
from glance.db.sqlalchemy.models import image_leases, image_locations, image_properties, images, owner_locks
from glance.db.sqlalchemy.operations import Operations

NOBODY = ''             # the lock of images without an owner; no owner has this name
AHEAD = 8               # one part in so many of the room that is left may be reserved ahead


class Accounts:
    """Counts what owners have, and serialises what is charged to each of them."""

    def __init__(self, dialect: Dialect):
        self._dialect = dialect
        self._lock = dialect.upsert(owner_locks, ('owner',), ('ticket',))
        self._counters = {'storage': self._storage, 'staging': self._staging, 'images': self._images,
                          'uploading': self._uploading, 'queued': self._queued}

    def count(self, connection: sa.Connection, owner: str | None, resources: Collection[Resource],
              image_id: str | None = None) -> dict[Resource, int]:
        """Return what an owner has, without what a lease on ``image_id`` has reserved.

        One statement, so that an upload that ends at this moment is seen either as its lease or as its location.
        """
        if not resources:
            return {}
        row = connection.execute(sa.select(*(
            self._counters[resource](owner, image_id).label(resource) for resource in resources))).one()
        return {resource: int(count) for resource, count in zip(resources, row, strict=True)}

    def admit(self, connection: sa.Connection, charge: Charge, image_id: str) -> dict[Resource, int]:
        """Check a charge, and keep other charges to its owner off until the transaction ends; return the room left.

        Must be the first statement of the transaction: on MySQL it decides which state is read. Raises OverLimit.
        """
        # The row changes each time, so that Galera also lets only one of two transactions on different nodes commit.
        connection.execute(self._lock, {'owner': charge.owner or NOBODY, 'ticket': str(uuid.uuid4())})
        room = {}
        for resource, used in self.count(connection, charge.owner, tuple(charge.limits), image_id).items():
            limit, delta = charge.limits[resource], charge.deltas.get(resource, 0)
            room[resource] = limit - used - delta
            if room[resource] < 0:
                raise exceptions.OverLimit(resource, limit, used, delta)
        return room

    def _of(self, column: sa.Column, owner: str | None) -> sa.ColumnElement[bool]:
        return column.is_(None) if owner is None else self._dialect.equal(column, sa.literal(owner, sa.String))

    def _reserved(self, column: sa.Column, owner: str | None, image_id: str | None) -> sa.ScalarSelect:
        total = sa.select(_sum(column)).where(self._of(image_leases.c.owner, owner))
        return (total if image_id is None else total.where(image_leases.c.image_id != image_id)).scalar_subquery()

    def _storage(self, owner: str | None, image_id: str | None) -> sa.ColumnElement:
        stored = sa.select(_sum(images.c.size)).select_from(images.join(
            image_locations, image_locations.c.image_id == images.c.id)).where(
            self._of(images.c.owner, owner), images.c.size > 0, images.c.status.not_in(GONE_STATUSES),
            image_locations.c.status != 'deleted')
        return stored.scalar_subquery() + self._reserved(image_leases.c.storage, owner, image_id)

    def _staging(self, owner: str | None, image_id: str | None) -> sa.ColumnElement:
        return (self._in_status(_sum(images.c.size), owner, STAGED_STATUSES)
                + self._copying(_sum(images.c.size), owner, STAGED_STATUSES)
                + self._reserved(image_leases.c.staging, owner, image_id))

    def _images(self, owner: str | None, image_id: str | None) -> sa.ColumnElement:
        return sa.select(sa.func.count()).select_from(images).where(
            self._of(images.c.owner, owner), images.c.status.not_in(GONE_STATUSES)).scalar_subquery()

    def _uploading(self, owner: str | None, image_id: str | None) -> sa.ColumnElement:
        return (self._in_status(sa.func.count(images.c.id), owner, UPLOADING_STATUSES)
                + self._copying(sa.func.count(images.c.id), owner, UPLOADING_STATUSES))

    def _queued(self, owner: str | None, image_id: str | None) -> sa.ColumnElement:
        return self._in_status(sa.func.count(images.c.id), owner, ('queued',))

    def _in_status(self, what: sa.ColumnElement, owner: str | None, statuses: Collection[str]) -> sa.ScalarSelect:
        return sa.select(what).where(self._of(images.c.owner, owner), images.c.status.in_(statuses)).scalar_subquery()

    def _copying(self, what: sa.ColumnElement, owner: str | None, counted: Collection[str]) -> sa.ScalarSelect:
        """Apply ``what`` to the images that are being copied and are not in a status that was counted already."""
        copying = sa.select(image_properties.c.image_id).where(
            image_properties.c.name == COPYING_PROPERTY, image_properties.c.deleted == sa.false(),
            image_properties.c.value != '')
        others = sorted(IMAGE_STATUSES.difference(GONE_STATUSES, counted))
        return sa.select(what).where(self._of(images.c.owner, owner), images.c.status.in_(others),
                                     images.c.id.in_(copying)).scalar_subquery()


def _sum(column: sa.ColumnElement) -> sa.ColumnElement:
    return sa.func.coalesce(sa.func.sum(column), 0)


class UsageOperations(Operations):
    """What owners have, and what is reserved for them."""

    def __init__(self, engine: Engine):
        super().__init__(engine)
        self._accounts = Accounts(engine.dialect)

    def usage(self, owner: str | None, resources: Collection[Resource] = RESOURCES) -> dict[Resource, int]:
        if owner is not None and not self._can_be_stored(owner):
            return dict.fromkeys(resources, 0)
        return self._engine.read(lambda connection: self._accounts.count(connection, owner, tuple(resources)))

    def lease_reserve(self, lease: Lease, resource: Resource, least: int, most: int, limit: int) -> int:
        charge = Charge(lease.owner, {resource: least}, {resource: limit})

        def reserve(connection: sa.Connection) -> int:
            room = self._accounts.admit(connection, charge, lease.image_id)[resource]
            total = least + min(most - least, room // AHEAD)
            held = image_leases.update().where(
                image_leases.c.image_id == lease.image_id, image_leases.c.attempt == lease.attempt)
            if not connection.execute(held.values({'owner': lease.owner, resource: total})).rowcount:
                raise exceptions.LeaseLost(lease.image_id)
            return total

        return self._engine.write(reserve)
