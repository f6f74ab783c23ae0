"""Operations on leases."""
import dataclasses
import datetime
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from glance import exceptions
from glance.db.interface import Lease
from glance.db.sqlalchemy.dialects import Dialect
from glance.db.sqlalchemy.models import image_leases
from glance.db.sqlalchemy.operations import Operations


class LeaseOperations(Operations):
    """Who works on which image."""

    def lease_renew(self, attempts: Iterable[str], expires_at: datetime.datetime) -> None:
        wanted = tuple(attempts)
        if wanted:
            statement = image_leases.update().where(image_leases.c.attempt.in_(wanted)).values(
                expires_at=self._dialect.time(expires_at))
            self._engine.write(lambda connection: connection.execute(statement) and None)

    def lease_release(self, attempts: Iterable[str]) -> None:
        wanted = tuple(attempts)
        if wanted:
            statement = image_leases.delete().where(image_leases.c.attempt.in_(wanted))
            self._engine.write(lambda connection: connection.execute(statement) and None)

    def lease_list(self, expired_at: datetime.datetime | None = None, worker_prefix: str | None = None) -> list[Lease]:
        terms = []
        if expired_at is not None:
            terms.append(image_leases.c.expires_at <= expired_at)
        if worker_prefix is not None:
            terms.append(image_leases.c.worker.startswith(worker_prefix, autoescape=True))
        if not terms:
            return []
        statement = sa.select(image_leases).where(sa.or_(*terms)).order_by(
            image_leases.c.expires_at, image_leases.c.image_id)
        rows = self._engine.read(lambda connection: connection.execute(statement).mappings().all())
        leases = [Lease(**row) for row in rows]
        return [lease for lease in leases if expired_at is not None and lease.expires_at <= expired_at
                or worker_prefix is not None and lease.worker.startswith(worker_prefix)]


def take_lease(dialect: Dialect) -> sa.Executable:
    """Return the statement that gives an image a lease, whose columns are its parameters, whatever lease it had."""
    return dialect.upsert(image_leases, ('image_id',), [column.name for column in image_leases.c if column.name != 'image_id'])


def lease_row(dialect: Dialect, lease: Lease) -> dict[str, Any]:
    """Return a lease as the parameters of ``take_lease``."""
    return {**dataclasses.asdict(lease), 'expires_at': dialect.time(lease.expires_at)}


def give_back_lease(connection: sa.Connection, image_id: str, attempt: str) -> None:
    """Drop the lease of an attempt. Raises LeaseLost when it is not held any more."""
    statement = image_leases.delete().where(image_leases.c.image_id == image_id, image_leases.c.attempt == attempt)
    if not connection.execute(statement).rowcount:
        raise exceptions.LeaseLost(image_id)


def drop_lease(connection: sa.Connection, image_id: str) -> None:
    connection.execute(image_leases.delete().where(image_leases.c.image_id == image_id))
