"""Removes rows for good that were soft-deleted long ago.

Not part of the DAL: an operator does it with the credentials of the database, and nobody through the registry. Every
transaction is small and can be repeated; rows that are live, or that an image which can still be restored needs, stay.
"""
import dataclasses
import datetime
import itertools
import logging
from collections.abc import Iterator, Sequence

import sqlalchemy as sa

from glance.db.sqlalchemy.engine import Engine
from glance.db.sqlalchemy.models import (
    image_id_tombstones,
    image_leases,
    image_locations,
    image_members,
    image_properties,
    image_tags,
    images,
    task_info,
    tasks,
)

LOG = logging.getLogger(__name__)

BATCH = 1000            # rows in a transaction
UNLIMITED = -1
FINISHED = ('success', 'failure')
CHILDREN = (image_properties, image_tags, image_locations, image_members)


@dataclasses.dataclass(frozen=True)
class PurgedImages:
    """How many images were removed, and how many old ones stay because they still have children."""

    removed: int
    kept: int


class Purge:
    """One purge of what was deleted before a moment, at most ``max_rows`` rows of each table (-1: all)."""

    def __init__(self, engine: Engine, before: datetime.datetime, max_rows: int = UNLIMITED):
        self._engine, self._before, self._max_rows = engine, before, max_rows

    def count(self) -> dict[str, int]:
        """Return how many rows ``run`` would remove, by table; that of task_info goes along with tasks."""
        return {table.name: self._count(table, self._conditions(table)) for table in (*CHILDREN, tasks)}

    def run(self) -> dict[str, int]:
        """Remove old rows of all tables but ``images``; return how many, by table. Raises DatabaseUnavailable."""
        removed = {table.name: self._remove(table) for table in (*CHILDREN, tasks)}
        LOG.info('Purged %d rows in all; images stay, they have a command of their own.', sum(removed.values()))
        return removed

    def count_images(self) -> PurgedImages:
        """Return what ``run_images`` would do."""
        return PurgedImages(self._count(images, self._conditions(images)), self._count_kept())

    def run_images(self) -> PurgedImages:
        """Remove old images that have no children left, and remember their ids. Raises DatabaseUnavailable."""
        return PurgedImages(self._remove(images), self._count_kept())

    def _conditions(self, table: sa.Table) -> list[sa.ColumnElement[bool]]:
        dead = sa.and_(table.c.deleted == sa.true(), table.c.deleted_at < self._before)
        if table is tasks:
            # What has expired is deleted for all purposes, although nothing marks it.
            expired = sa.and_(table.c.deleted == sa.false(), table.c.expires_at < self._before, table.c.status.in_(FINISHED))
            return [sa.or_(dead, expired)]
        if table is images:
            now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
            busy = sa.exists().where(image_leases.c.image_id == images.c.id, image_leases.c.expires_at > now)
            return [dead, images.c.status != 'pending_delete', ~_has_children(), ~busy]
        # Data that is still to be scrubbed, and what comes back with an image that is restored.
        restorable = sa.exists().where(images.c.id == table.c.image_id, images.c.status == 'pending_delete')
        waiting = [image_locations.c.status != 'pending_delete'] if table is image_locations else []
        return [dead, ~restorable, *waiting]

    def _remove(self, table: sa.Table) -> int:
        total = 0
        for ids in self._old_ids(table):
            removed = self._engine.write(lambda connection, ids=ids: self._remove_rows(connection, table, ids))
            total += removed
            LOG.info('Purged %d rows of %s, %d so far.', removed, table.name, total)
        return total

    def _remove_rows(self, connection: sa.Connection, table: sa.Table, ids: Sequence) -> int:
        """Remove those of the rows that still are as they were when they were found."""
        still = connection.scalars(
            sa.select(table.c.id).where(table.c.id.in_(ids), *self._conditions(table)).with_for_update()).all()
        if not still:
            return 0
        if table is tasks:
            connection.execute(task_info.delete().where(task_info.c.task_id.in_(still)))
        if table is images:
            self._remember(connection, still)
            connection.execute(image_leases.delete().where(image_leases.c.image_id.in_(still)))
        return connection.execute(table.delete().where(table.c.id.in_(still))).rowcount

    def _remember(self, connection: sa.Connection, image_ids: Sequence[str]) -> None:
        upsert = self._engine.dialect.upsert(image_id_tombstones, ('image_id',), ('purged_at',))
        now = self._engine.dialect.now()
        connection.execute(upsert, [{'image_id': image_id, 'purged_at': now} for image_id in image_ids])

    def _old_ids(self, table: sa.Table) -> Iterator[Sequence]:
        """Yield the ids of old rows in batches: all by id, or the oldest ones when there is a limit."""
        if self._max_rows == UNLIMITED:
            yield from self._all_ids(table)
            return
        age = sa.func.coalesce(table.c.deleted_at, table.c.expires_at) if table is tasks else table.c.deleted_at
        oldest = sa.select(table.c.id).where(*self._conditions(table)).order_by(age, table.c.id).limit(self._max_rows)
        ids = iter(self._engine.read(lambda connection: connection.scalars(oldest).all()))
        while batch := list(itertools.islice(ids, BATCH)):
            yield batch

    def _all_ids(self, table: sa.Table) -> Iterator[Sequence]:
        page = sa.select(table.c.id).where(*self._conditions(table)).order_by(table.c.id).limit(BATCH)
        ids = self._engine.read(lambda connection: connection.scalars(page).all())
        while ids:
            yield ids
            after = page.where(table.c.id > ids[-1])
            ids = self._engine.read(lambda connection, after=after: connection.scalars(after).all())

    def _count(self, table: sa.Table, conditions: Sequence[sa.ColumnElement[bool]]) -> int:
        found = sa.select(sa.func.count()).select_from(table).where(*conditions)
        number = self._engine.read(lambda connection: connection.scalar(found))
        return number if self._max_rows == UNLIMITED else min(number, self._max_rows)

    def _count_kept(self) -> int:
        kept = sa.select(sa.func.count()).select_from(images).where(
            images.c.deleted == sa.true(), images.c.deleted_at < self._before, images.c.status != 'pending_delete',
            _has_children())
        return self._engine.read(lambda connection: connection.scalar(kept))


def _has_children() -> sa.ColumnElement[bool]:
    return sa.or_(*(sa.exists().where(table.c.image_id == images.c.id) for table in CHILDREN))
