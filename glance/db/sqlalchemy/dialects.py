"""Where the three families of engines differ: comparison, JSON, order of NULLs, upserts, times, sessions."""
import datetime
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite

CONNECT_TIMEOUT = 10        # seconds
LOCK_TIMEOUT = 30           # seconds
MAX_JSON_LENGTH = 2 ** 30   # bytes of the children of one image
FULL = ((1040,), (1203,), (1226,))  # MySQL: the server, or the user, has as many connections as it may have


class Dialect:
    """What most engines have in common; the subclasses say what is different."""

    text_bytes: ClassVar[int | None] = None
    json_array: ClassVar[Any] = sa.func.json_array
    whole_seconds: ClassVar[bool] = False
    before_many: ClassVar[tuple[str, ...]] = ()
    """Statements before a transaction of many operations, each of which must see what was committed before it began."""

    def engine_arguments(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments of ``create_engine``; ``options`` are those of ``[database]`` by name."""
        return {'pool_size': options['max_pool_size'], 'max_overflow': options['max_overflow'],
                'pool_recycle': options['connection_recycle_time'], 'pool_timeout': self.pool_timeout(options),
                'connect_args': {'connect_timeout': CONNECT_TIMEOUT}}

    def pool_timeout(self, options: Mapping[str, Any]) -> float:
        """Return how many seconds to wait for a connection that is free."""
        return CONNECT_TIMEOUT if options['pool_timeout'] is None else options['pool_timeout']

    def is_full(self, error: Exception) -> bool:
        """Tell from what the driver raised whether the server has as many connections as it, or the user, may have."""
        return False

    def writer_arguments(self) -> dict[str, Any]:
        """Return what the pool for writing has of its own."""
        return {}

    def session(self, options: Mapping[str, Any]) -> list[str]:
        """Return the statements that prepare a new connection."""
        return []

    def equal(self, column: sa.ColumnElement, value: sa.ColumnElement) -> sa.ColumnElement[bool]:
        """Compare texts exactly, through an index where there is one."""
        return column == value

    def order(self, column: sa.Column, direction: str) -> sa.ColumnElement:
        """Order by a column, NULL being the smallest value."""
        return column.asc() if direction == 'asc' else column.desc()

    def branch(self, select: sa.Select) -> sa.Select:
        """Prepare a select with an order and a limit to be a part of a union."""
        return select

    def seek(self, select: sa.Select, table: sa.Table, index: str) -> sa.Select:
        """Tell the planner to begin in the middle of an index where it does not see by itself that this is best."""
        return select

    def json_object(self, key: sa.ColumnElement, value: sa.ColumnElement) -> sa.ColumnElement:
        """Aggregate rows into one JSON object."""
        return sa.func.json_objectagg(key, value)

    def nested(self, document: sa.ScalarSelect) -> sa.ColumnElement:
        """Put a JSON object that a subquery returns into an array."""
        return document

    def upsert(self, table: sa.Table, keys: Iterable[str], columns: Iterable[str]) -> sa.Executable:
        """Insert a row, or write ``columns`` into the one that has the same unique ``keys``."""
        insert = self.insert(table)
        written = {name: insert.excluded[name] for name in columns}
        return insert.on_conflict_do_update(index_elements=list(keys), set_=written)

    def time(self, moment: datetime.datetime) -> datetime.datetime:
        """Return a moment as the engine will hold it."""
        return moment.replace(microsecond=0) if self.whole_seconds else moment

    def now(self) -> datetime.datetime:
        return self.time(datetime.datetime.now(datetime.UTC).replace(tzinfo=None))


class SQLite(Dialect):
    insert = staticmethod(sqlite.insert)

    def engine_arguments(self, options):
        arguments = super().engine_arguments(options)
        arguments['pool_recycle'] = -1
        arguments['connect_args'] = {'timeout': LOCK_TIMEOUT, 'check_same_thread': False}
        return arguments

    def writer_arguments(self):
        # Writers of one process queue here, in order; the lock of the file is left to other processes.
        return {'pool_size': 1, 'max_overflow': 0, 'pool_timeout': LOCK_TIMEOUT}

    def session(self, options):
        synchronous = 'FULL' if options['sqlite_synchronous'] else 'OFF'
        return ['PRAGMA busy_timeout = %d' % (LOCK_TIMEOUT * 1000), 'PRAGMA journal_mode = WAL',
                'PRAGMA synchronous = %s' % synchronous, 'PRAGMA foreign_keys = ON']

    def branch(self, select):
        return sa.select(select.subquery())         # the grammar wants it

    def json_object(self, key, value):
        return sa.func.json_group_object(sa.cast(key, sa.Text), value)

    def nested(self, document):
        return sa.func.json(document)


class PostgreSQL(Dialect):
    insert = staticmethod(postgresql.insert)
    json_array = sa.func.json_build_array

    def is_full(self, error):
        # The driver gives errors of connecting no code.
        return any(words in str(error) for words in ('too many clients', 'too many connections', 'connection slots'))

    def order(self, column, direction):
        ordered = super().order(column, direction)
        if not column.nullable:
            return ordered
        return ordered.nulls_first() if direction == 'asc' else ordered.nulls_last()

    def json_object(self, key, value):
        return sa.func.json_object_agg(key, value)


class MySQL(Dialect):
    """MariaDB and MySQL. Collations fold case, accents and trailing blanks, so bytes are compared as well."""

    insert = staticmethod(mysql.insert)
    text_bytes = 65535
    whole_seconds = True
    before_many = ('SET TRANSACTION ISOLATION LEVEL READ COMMITTED',)       # of the next one

    def is_full(self, error):
        return error.args[:1] in FULL

    def engine_arguments(self, options):
        arguments = super().engine_arguments(options)
        arguments['connect_args']['charset'] = 'utf8mb4'
        return arguments

    def session(self, options):
        modes = ','.join(filter(None, (options['mysql_sql_mode'], 'STRICT_ALL_TABLES')))
        settings = ["sql_mode = '%s'" % modes.replace("'", ''), 'group_concat_max_len = %d' % MAX_JSON_LENGTH,
                    "optimizer_switch = 'index_merge_intersection=off'",
                    'innodb_lock_wait_timeout = %d' % LOCK_TIMEOUT]
        if options['mysql_wsrep_sync_wait'] is not None:
            settings.append('wsrep_sync_wait = %d' % options['mysql_wsrep_sync_wait'])
        return ['SET SESSION ' + ', '.join(settings)]

    def equal(self, column, value):
        return sa.and_(column == value, sa.cast(column, sa.LargeBinary) == sa.cast(value, sa.LargeBinary))

    def seek(self, select, table, index):
        # Without this, the end of a list costs as much as reading it from its start: LIMIT is not part of the estimate.
        return select.with_hint(table, 'FORCE INDEX (%s)' % index, 'mysql')

    def upsert(self, table, keys, columns):
        # A live row whose key differs in case only must not be overwritten; a parent that does not exist makes the
        # statement fail instead.
        insert = self.insert(table)
        assignments = []
        if 'deleted' in table.c:
            parent, name = (table.c[key] for key in keys)
            new = insert.inserted[name.key]
            other = sa.cast(name, sa.LargeBinary) != sa.cast(new, sa.LargeBinary)
            clash = sa.and_(table.c.deleted == sa.false(), other)
            assignments += [(parent.key, sa.case((clash, sa.literal_column("''")), else_=parent)), (name.key, new)]
        assignments += [(column, insert.inserted[column]) for column in columns]
        return insert.on_duplicate_key_update(assignments)


DIALECTS: Mapping[str, type[Dialect]] = {
    'sqlite': SQLite, 'postgresql': PostgreSQL, 'mysql': MySQL, 'mariadb': MySQL,
}
