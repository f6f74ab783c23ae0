"""What writes through a registry gave, by the keys of their requests; for all processes that use this database."""
import datetime
import uuid
from dataclasses import dataclass

import sqlalchemy as sa
from oslo_db import exception as db_errors

from glance.db.sqlalchemy.engine import Engine
from glance.db.sqlalchemy.models import registry_requests

# Rows that are deleted in one transaction.
_BATCH = 1000


class Taken(Exception):
    """The key was used before."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """A request that came before: ``digest`` says which one it was; without ``answer`` it is still being carried out."""

    digest: str
    answer: bytes | None


class RequestKeys:
    """The keys in one database.

    :param ttl: seconds for which they are remembered
    """

    def __init__(self, engine: Engine, ttl: int):
        self._engine, self.ttl = engine, ttl
        self._of_key = sa.select(registry_requests.c.digest, registry_requests.c.answer).where(
            registry_requests.c.request_key == sa.bindparam('key'))

    def claim(self, key: str, digest: str) -> str:
        """Take a key for the request with this digest; return the name of the attempt.

        Raises Taken when somebody has it already, DatabaseUnavailable.
        """
        attempt = str(uuid.uuid4())
        row = {'request_key': key, 'attempt': attempt, 'digest': digest, 'answer': None, 'expires_at': self._end()}

        def insert(connection: sa.Connection) -> None:
            try:
                connection.execute(registry_requests.insert(), row)
            except db_errors.DBDuplicateEntry:
                raise Taken(key) from None
        ours = sa.select(sa.func.count()).where(registry_requests.c.request_key == key, registry_requests.c.attempt == attempt)
        self._engine.write(insert, applied=lambda connection: bool(connection.scalar(ours)))
        return attempt

    def finish(self, key: str, attempt: str, answer: bytes) -> None:
        """Remember what the request gave, from now on for ``ttl`` seconds. Raises DatabaseUnavailable."""
        statement = registry_requests.update().where(
            registry_requests.c.request_key == key, registry_requests.c.attempt == attempt).values(
            answer=answer, expires_at=self._end())
        self._engine.write(lambda connection: connection.execute(statement) and None)

    def find(self, key: str) -> Remembered | None:
        """Return what is remembered of a key. Raises DatabaseUnavailable."""
        row = self._engine.read(lambda connection: connection.execute(self._of_key, {'key': key}).first())
        return None if row is None else Remembered(row.digest, row.answer)

    def forget(self) -> int:
        """Delete keys whose time is over, not all at once; return how many. Raises DatabaseUnavailable."""
        over = sa.select(registry_requests.c.request_key).where(
            registry_requests.c.expires_at < self._engine.dialect.now()).limit(_BATCH)
        keys = self._engine.read(lambda connection: connection.scalars(over).all())
        if not keys:
            return 0
        statement = registry_requests.delete().where(registry_requests.c.request_key.in_(keys))
        return self._engine.write(lambda connection: connection.execute(statement).rowcount)

    def _end(self) -> datetime.datetime:
        return self._engine.dialect.now() + datetime.timedelta(seconds=self.ttl)
