"""One tool at a time changes the schema of a database, whatever machine it runs on."""
import contextlib
import fcntl
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa

LOG = logging.getLogger(__name__)
POLL = 10   # seconds that one attempt waits in the server
WAITING = 'Another glance-manage is changing this database; waiting for it'
ADVISORY_KEY = 0x676c616e6365   # "glance" in ASCII; PostgreSQL keeps such locks per database
A_YEAR = 31536000


@contextlib.contextmanager
def exclusive(engine: sa.Engine) -> Iterator[None]:
    """Hold the lock on the schema of ``engine``'s database; wait for it as long as it takes.

    The lock belongs to a connection (a file descriptor for SQLite) of its own, so it is gone when its holder is killed.
    On a Galera cluster it holds among those who are connected to the same node.
    """
    held = {'sqlite': _sqlite, 'postgresql': _postgresql}.get(engine.dialect.name, _mysql)
    with held(engine):
        yield


@contextlib.contextmanager
def _mysql(engine: sa.Engine) -> Iterator[None]:
    with engine.connect().execution_options(isolation_level='AUTOCOMMIT') as connection:
        # The connection is idle while the schema changes, which may take longer than the server's patience.
        connection.exec_driver_sql(f'SET SESSION wait_timeout = {A_YEAR}')
        # The server has one space of names for all databases, and takes 64 characters of a name.
        name = sa.func.sha1(f'glance schema {engine.url.database}')
        if connection.scalar(sa.select(sa.func.get_lock(name, 0))) != 1:
            LOG.warning(WAITING)
            while connection.scalar(sa.select(sa.func.get_lock(name, POLL))) != 1:
                pass
        yield


@contextlib.contextmanager
def _postgresql(engine: sa.Engine) -> Iterator[None]:
    """Ask again and again, outside of transactions: the creation of an index waits for all who are in the middle of a
    statement, a statement that waits for the lock among them.
    """
    with engine.connect().execution_options(isolation_level='AUTOCOMMIT') as connection:
        acquire = sa.select(sa.func.pg_try_advisory_lock(ADVISORY_KEY))
        if not connection.scalar(acquire):
            LOG.warning(WAITING)
            while not connection.scalar(acquire):
                time.sleep(1)
        yield


@contextlib.contextmanager
def _sqlite(engine: sa.Engine) -> Iterator[None]:
    """Lock the folder of the file: SQLite's own locks on the file would be lost when another descriptor of it is
    closed.
    """
    folder = os.open(Path(engine.url.database).absolute().parent, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            LOG.warning(WAITING)
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
