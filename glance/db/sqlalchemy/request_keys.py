"""What writes through a registry gave, by the keys of their requests; for all processes that use this database."""
import contextlib
import datetime
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import sqlalchemy as sa
from oslo_db import exception as db_errors

from glance.db.sqlalchemy.engine import Companion, Engine
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


class Claim(Companion):
    """Takes a key for a request in the transaction of what the request writes. That raises Taken when it is taken.

    :param digest: says which request it is
    """

    def __init__(self, key: str, digest: str, expires_at: datetime.datetime):
        self.key, self.attempt = key, str(uuid.uuid4())
        self._row = {'request_key': key, 'attempt': self.attempt, 'digest': digest, 'answer': None, 'expires_at': expires_at}

    def work(self, connection: sa.Connection) -> None:
        try:
            connection.execute(registry_requests.insert(), self._row)
        except db_errors.DBDuplicateEntry:
            raise Taken(self.key) from None

    def applied(self, connection: sa.Connection) -> bool:
        return bool(connection.scalar(sa.select(sa.func.count()).where(
            registry_requests.c.request_key == self.key, registry_requests.c.attempt == self.attempt)))


class RequestKeys:
    """The keys in one database.

    :param ttl: seconds for which they are remembered
    """

    def __init__(self, engine: Engine, ttl: int):
        self._engine, self.ttl = engine, ttl
        self._of_key = sa.select(registry_requests.c.digest, registry_requests.c.answer).where(
            registry_requests.c.request_key == sa.bindparam('key'))
        self._answered = registry_requests.update().where(
            registry_requests.c.request_key == sa.bindparam('key'), registry_requests.c.attempt == sa.bindparam('of')).values(
            answer=sa.bindparam('given'), expires_at=sa.bindparam('until'))

    @contextlib.contextmanager
    def claim(self, key: str, digest: str) -> Iterator[Claim]:
        """Have what is written in the block take the key."""
        claim = Claim(key, digest, self._end())
        with self._engine.accompanied(claim):
            yield claim

    def finish(self, answers: Iterable[tuple[Claim, bytes]]) -> None:
        """Remember what requests gave, from now on for ``ttl`` seconds; where nothing was claimed, nothing.

        Raises DatabaseUnavailable.
        """
        rows = [{'key': claim.key, 'of': claim.attempt, 'given': answer, 'until': self._end()} for claim, answer in answers]
        self._engine.write(lambda connection: connection.execute(self._answered, rows) and None)

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
