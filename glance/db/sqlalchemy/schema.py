"""What state the schema of a database is in, and the steps that bring it to this release.

A database climbs on two branches of alembic revisions. *Expand* only adds, so services of the old release keep
running; *migrate* moves rows; *contract* removes what only the old release needed. :func:`sync` does all three while
no service runs. Databases of upstream's releases since Liberty are taken over where they stand, also those whose
version was kept by the older tool (table ``migrate_version``).

Every function takes an engine of :func:`create_engine`. Those that change something hold a lock on the database, so two
tools at once are safe, and can be repeated after an interruption at any point.
"""
import contextlib
import enum
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType

import alembic.command
import alembic.config
import sqlalchemy as sa

from glance.db.sqlalchemy import models
from glance.db.sqlalchemy.migrations import chain, lock
from glance.db.sqlalchemy.migrations.data_migrations import (
    ocata_migrate01_community_images,
    train_migrate01_backend_to_store,
    v1_migrate01_live_rows,
    v1_migrate02_backend_to_store,
    v1_migrate03_held_objects,
)
from glance.exceptions import GlanceError

LOG = logging.getLogger(__name__)

UPSTREAM_HEAD = '2024_1_contract01'
VERSION_TABLE = sa.Table(   # as alembic makes it
    'alembic_version', sa.MetaData(), sa.Column('version_num', sa.String(32), nullable=False),
    sa.PrimaryKeyConstraint('version_num', name='alembic_version_pkc'))
DATA_MIGRATIONS = (ocata_migrate01_community_images, train_migrate01_backend_to_store,
                   v1_migrate01_live_rows, v1_migrate02_backend_to_store, v1_migrate03_held_objects)
LINEAR = {'ocata01': 'ocata_contract01', 'pike01': 'pike_contract01'}   # left by ``db sync`` of Ocata and Pike
PREMATURE = {42: 'liberty', 43: 'mitaka01', 44: 'mitaka02', 45: 'ocata_contract01'}   # migrate_version.version
SQLITE_PATIENCE = 60   # seconds that a statement waits for another writer


class SchemaError(GlanceError):
    """A step is refused; the text says why and what to do. Nothing has been changed."""

    message = 'The database cannot be upgraded.'


class UnmarkedDatabase(SchemaError):
    """There are tables of Glance and nothing tells which revision they are of."""


class Step(enum.Enum):
    """The step that a database needs next."""

    EXPAND = 'expand'
    MIGRATE = 'migrate'
    CONTRACT = 'contract'


def create_engine(connection: str | None) -> sa.Engine:
    """Make the engine for the functions of this module and see that the server answers.

    :param connection: the value of ``[database] connection``, a URL of SQLAlchemy
    :raises SchemaError: unset, malformed, without driver, or nobody answers
    """
    if not connection:
        raise SchemaError('Option "connection" of section [database] is not set; it names the database, for example '
                          'mysql+pymysql://glance:PASSWORD@HOST/glance')
    try:
        url = sa.make_url(connection)
        patience = {'timeout': SQLITE_PATIENCE} if url.get_backend_name() == 'sqlite' else {}
        engine = sa.create_engine(url, poolclass=sa.NullPool, connect_args=patience)
    except ImportError as error:
        raise SchemaError(f'The driver {error.name} that option "connection" of section [database] asks for is not '
                          'installed; mysql+pymysql, postgresql+psycopg2 and sqlite are the usual ones') from None
    except (sa.exc.ArgumentError, ValueError):
        # The text of the error may hold the value, and the value a password.
        raise SchemaError('Option "connection" of section [database] is not the URL of a database; it looks like '
                          'mysql+pymysql://glance:PASSWORD@HOST/glance') from None
    if engine.dialect.name == 'sqlite':
        _prepare_sqlite(engine)
    try:
        engine.connect().close()
    except sa.exc.DBAPIError as error:
        raise SchemaError(f'The database {url.render_as_string()} of option "connection" in section [database] cannot '
                          f'be reached: {error.orig}') from error
    return engine


def _prepare_sqlite(engine: sa.Engine) -> None:
    """Make schema changes part of transactions, which Python's driver does not do by itself."""
    path = engine.url.database
    if not path or path == ':memory:':
        raise SchemaError('A SQLite database in memory cannot be upgraded; name a file in option "connection" of '
                          'section [database]')
    folder = Path(path).absolute().parent
    if not folder.is_dir():
        raise SchemaError(f'The folder {folder} of option "connection" in section [database] does not exist')

    @sa.event.listens_for(engine, 'connect')
    def leave_transactions_to_us(connection, _record):
        connection.isolation_level = None

    @sa.event.listens_for(engine, 'begin')
    def begin_as_writer(connection):
        connection.exec_driver_sql('BEGIN IMMEDIATE')


# What a database is.

def revisions(engine: sa.Engine) -> tuple[str, ...]:
    """The revisions a database stands at, sorted: none when it is empty, two in the middle of a rolling upgrade.

    Marks of older tools are told as the revisions that mean the same.

    :raises SchemaError: a mark is unknown or too old, or there are tables and no mark
    """
    tables = set(sa.inspect(engine).get_table_names())
    marks = _marks(engine, tables)
    if marks:
        return tuple(sorted(_known(LINEAR.get(mark, mark)) for mark in marks))
    version = _premature_version(engine, tables)
    if version is not None:
        return _premature(version),
    _refuse_unmarked(engine, tables)
    return ()


def _marks(engine: sa.Engine, tables: set[str]) -> set[str]:
    if VERSION_TABLE.name not in tables:
        return set()
    with engine.connect() as connection:
        return set(connection.scalars(sa.select(VERSION_TABLE.c.version_num)))


def _premature_version(engine: sa.Engine, tables: set[str]) -> int | None:
    if 'migrate_version' not in tables:
        return None
    with engine.connect() as connection:
        return connection.scalar(sa.text('SELECT MAX(version) FROM migrate_version'))


def _known(mark: str) -> str:
    if mark not in chain.parents():
        raise SchemaError(f'The database is at revision {mark}, which this release does not know; the newest one that '
                          f'it knows is {chain.head("contract")}. Use the release that has upgraded the database')
    return mark


def _premature(version: int) -> str:
    if version < min(PREMATURE):
        raise SchemaError(f'The database is at version {version}, older than Liberty (version {min(PREMATURE)}); '
                          'upgrade it with the Liberty release of Glance first')
    if version not in PREMATURE:
        raise SchemaError(f'The table migrate_version tells version {version}, which no release of Glance has left; '
                          f'the newest one is {max(PREMATURE)}')
    return PREMATURE[version]


def _refuse_unmarked(engine: sa.Engine, tables: set[str]) -> None:
    """Empty tables without a mark are an interrupted creation; all others have to be identified by the operator."""
    ours = tables & set(models.metadata.tables)
    if ours and (VERSION_TABLE.name not in tables or _have_rows(engine, ours)):
        raise UnmarkedDatabase(f'The database has tables of Glance ({", ".join(sorted(ours))}) and no record of their '
                               'revision; name it with "glance-manage db version_control --version REVISION"')


def _have_rows(engine: sa.Engine, tables: set[str]) -> bool:
    with engine.connect() as connection:
        return any(connection.execute(sa.select(sa.literal(1)).select_from(sa.table(name)).limit(1)).first()
                   for name in tables)


def check(engine: sa.Engine) -> Step | None:
    """The step that is needed next, None when the database is at this release.

    A database of upstream's newest release (see :func:`is_upstream`) needs ``EXPAND`` as well, yet works as it is.
    """
    applied = chain.ancestors(revisions(engine))
    if chain.head('contract') in applied:
        return None
    if chain.head('expand') not in applied:
        return Step.EXPAND
    return Step.MIGRATE if _pending(engine, applied) else Step.CONTRACT


def is_upstream(engine: sa.Engine) -> bool:
    """Whether a database is as upstream's newest release made it: it lacks our own additions and nothing else."""
    return revisions(engine) == (UPSTREAM_HEAD,)


def _pending(engine: sa.Engine, applied: set[str]) -> list[ModuleType]:
    return [migration for migration in DATA_MIGRATIONS
            if migration.CONTRACT not in applied and migration.has_migrations(engine)]


# What can be done to it.

def sync(engine: sa.Engine) -> bool:
    """Bring a database to this release in one go, while no service is running; an empty one gets its tables.

    :returns: whether there was something to do
    """
    with _changing(engine) as config:
        standing = revisions(engine)
        if chain.head('contract') in chain.ancestors(standing):
            return False
        if standing:
            _climb(engine, config, chain.head('contract'))
        else:
            _create(engine)
        return True


def expand(engine: sa.Engine) -> None:
    """Add what this release needs; services of the release before keep running."""
    with _changing(engine, online=True) as config:
        alembic.command.upgrade(config, chain.head('expand'))


def migrate(engine: sa.Engine) -> int:
    """Move the rows that this release keeps elsewhere; to be repeated as long as old services write.

    :returns: the number of rows changed
    :raises SchemaError: :func:`expand` has not been done
    """
    with _changing(engine):
        applied = chain.ancestors(revisions(engine))
        _require_expanded(applied)
        return sum(migration.migrate(engine) for migration in _pending(engine, applied))


def contract(engine: sa.Engine) -> None:
    """Remove what only the release before needed; no service of it may be running.

    :raises SchemaError: :func:`expand` or :func:`migrate` has not been done
    """
    with _changing(engine, online=True) as config:
        applied = chain.ancestors(revisions(engine))
        _require_expanded(applied)
        if _pending(engine, applied):
            raise SchemaError('Rows remain to be moved; run "glance-manage db migrate" first')
        alembic.command.upgrade(config, chain.head('contract'))


def upgrade(engine: sa.Engine, revision: str = chain.HEADS) -> tuple[str, ...]:
    """Bring a database to one revision, rows included, while no service is running; never back.

    :returns: the revisions it stands at afterwards
    :raises SchemaError: there is no such revision
    """
    target = _target(revision)
    with _changing(engine) as config:
        _climb(engine, config, target)
        return revisions(engine)


def stamp(engine: sa.Engine, revision: str = 'liberty', force: bool = False) -> tuple[str, ...]:
    """Record that a database is at a revision, and change nothing else.

    :param force: even when a newer revision, or an unknown one, is on record
    :returns: the revision on record afterwards
    :raises SchemaError: there is no such revision, or ``force`` is needed
    """
    target = _target(revision)
    with lock.exclusive(engine):
        if not force:
            _refuse_stepping_back(engine, target)
        _record(engine, (target,))
        return revisions(engine)


def _target(revision: str) -> str:
    target = chain.resolve(LINEAR.get(revision, revision))
    if target is None:
        raise SchemaError(f'There is no revision {revision}; the newest one is {chain.head("contract")}')
    return target


def _refuse_stepping_back(engine: sa.Engine, target: str) -> None:
    try:
        newer = set(revisions(engine)) - chain.ancestors([target])
    except UnmarkedDatabase:
        return
    if newer:
        raise SchemaError(f'The database is at {", ".join(sorted(newer))}, which is newer than {target}; the next '
                          'upgrade would repeat what is done already. Add --force if that is what you want')


def _require_expanded(applied: set[str]) -> None:
    if chain.head('expand') not in applied:
        raise SchemaError('The database has not been expanded for this release; run "glance-manage db expand" first')


# How it is done.

@contextlib.contextmanager
def _changing(engine: sa.Engine, online: bool = False) -> Iterator[alembic.config.Config]:
    """Be the only one who changes the schema, from a state that alembic understands."""
    config = chain.config(engine=engine, online=online)
    with lock.exclusive(engine):
        if engine.dialect.name == 'sqlite':
            _switch_on_wal(engine)
        _settle(engine)
        yield config


def _switch_on_wal(engine: sa.Engine) -> None:
    """Let readers and a writer of a SQLite file work at the same time; the file remembers it."""
    with contextlib.closing(engine.raw_connection()) as connection:
        connection.cursor().execute('PRAGMA journal_mode=WAL')


def _settle(engine: sa.Engine) -> None:
    """Replace the marks of older tools by ours, and clear away what an interrupted creation has left."""
    standing = revisions(engine)
    tables = set(sa.inspect(engine).get_table_names())
    if standing and set(standing) != _marks(engine, tables):
        _record(engine, standing)
    elif not standing:
        leftovers = sa.MetaData()
        leftovers.reflect(engine, only=tables & set(models.metadata.tables))
        leftovers.drop_all(engine)


def _create(engine: sa.Engine) -> None:
    """Make all tables as they are today. The mark comes last: without it and without rows, the next run starts over."""
    with engine.begin() as connection:
        VERSION_TABLE.create(connection, checkfirst=True)
        models.metadata.create_all(connection)
        connection.execute(VERSION_TABLE.insert().values(version_num=chain.head('contract')))


def _climb(engine: sa.Engine, config: alembic.config.Config, target: str) -> None:
    """Go up to ``target``; the rows of each release are moved between its expand and the first contract after it."""
    ahead = chain.ancestors([target]) - chain.ancestors(revisions(engine))
    for migration in DATA_MIGRATIONS:
        if migration.CONTRACT in ahead:
            alembic.command.upgrade(config, migration.EXPAND)
            LOG.info('%s: %d rows changed', migration.__name__.rpartition('.')[2], migration.migrate(engine))
    alembic.command.upgrade(config, target)


def _record(engine: sa.Engine, marks: Iterable[str]) -> None:
    with engine.begin() as connection:
        VERSION_TABLE.create(connection, checkfirst=True)
        connection.execute(VERSION_TABLE.delete())
        connection.execute(VERSION_TABLE.insert(), [{'version_num': mark} for mark in marks])
