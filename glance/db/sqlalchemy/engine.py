"""Connections and transactions: two pools, retries, and one error for everything that is the database's fault."""
import contextlib
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from oslo_db import api as db_api
from oslo_db import exception as db_errors
from oslo_db.sqlalchemy import exc_filters

from glance import exceptions
from glance.db.sqlalchemy import dialects

LOG = logging.getLogger(__name__)
Result = TypeVar('Result')
Work = Callable[[sa.Connection], Result]

# MariaDB: a row, or the definition of a table, is newer than the snapshot of the transaction.
MYSQL_TRANSIENT = (1020, 1412)
MAX_DEADLOCKS = 20
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2        # seconds between tries after a deadlock
DRIVERS = {'mysql': 'pymysql', 'postgresql': 'psycopg2'}     # for URLs that name none
FOUR_BYTES = sa.text("SELECT character_set_name FROM information_schema.columns"
                     " WHERE table_schema = DATABASE() AND table_name = 'images' AND column_name = 'name'")


class CommitLost(Exception):
    """The connection broke while the transaction was being committed: it may have been, or not."""

    def __init__(self, result: Any):
        super().__init__()
        self.result = result


class Companion:
    """What is to be written together with something else: both are, or neither is.

    :ivar written: the transaction was committed
    """

    written = False

    def work(self, connection: sa.Connection) -> None:
        """Write it, at the beginning of the transaction of the other work. What this raises ends both."""
        raise NotImplementedError

    def applied(self, connection: sa.Connection) -> bool:
        """Look up whether the transaction was committed."""
        raise NotImplementedError


class _Here(threading.local):
    """What holds for one thread.

    :ivar companion: written together with the next transaction
    :ivar connection: of the transaction that all reads and writes of this moment are part of
    :ivar applied: looks up whether the last write in it was committed, and so whether all of it was
    """

    companion: Companion | None = None
    connection: sa.Connection | None = None
    applied: Work[bool] | None = None


DATABASE_ERRORS = (sa.exc.DBAPIError, sa.exc.TimeoutError, db_errors.DBError, CommitLost)


class Engine:
    """The database of one process. Connections are made at the first use, so this may be built before a fork."""

    def __init__(self, url: str, options: Mapping[str, Any]):
        """Take an SQLAlchemy URL and the options of ``[database]`` by name. Raises ConfigurationError."""
        self._url = _checked_url(url, options['connection_parameters'])
        self._options = options
        self.dialect = dialects.DIALECTS[self._url.get_backend_name()]()
        self._lock = threading.Lock()
        self._here = _Here()
        self._reader: sa.Engine | None = None
        self._writer: sa.Engine | None = None
        self._four_bytes = not isinstance(self.dialect, dialects.MySQL)
        self._retried = db_api.wrap_db_retry(
            retry_interval=FIRST_PAUSE, max_retries=MAX_DEADLOCKS, max_retry_interval=LONGEST_PAUSE,
            retry_on_deadlock=True, jitter=True, exception_checker=_is_transient)

    @property
    def reader(self) -> sa.Engine:
        """Connections in autocommit mode: a read costs its statement and nothing more."""
        if self._reader is None:
            with self._lock:
                if self._reader is None:
                    self._reader = self._engine(isolation_level='AUTOCOMMIT', skip_autocommit_rollback=True)
        return self._reader

    @property
    def writer(self) -> sa.Engine:
        """Connections for transactions."""
        if self._writer is None:
            with self._lock:
                if self._writer is None:
                    self._writer = self._engine(**self.dialect.writer_arguments())
        return self._writer

    def close(self) -> None:
        """Close all connections; the next use opens new ones."""
        with self._lock:
            engines, self._reader, self._writer = (self._reader, self._writer), None, None
        for engine in engines:
            if engine is not None:
                engine.dispose()

    def read(self, work: Work[Result]) -> Result:
        """Run statements that write nothing. A stale connection costs one more try. Raises DatabaseUnavailable."""
        if self._here.connection is not None:
            return self._within(self._here.connection, work)
        try:
            try:
                return self._read_once(work)
            except db_errors.DBConnectionError as error:
                LOG.info('Lost a connection to the database (%s); reading again on a new one', error)
                return self._read_once(work)
        except DATABASE_ERRORS as error:
            raise _translated(error) from error

    def write(self, work: Work[Result], applied: Work[bool] | None = None) -> Result:
        """Run one transaction, again after a deadlock or on a stale connection, so ``work`` must bear repetition.

        When the answer to COMMIT is lost, ``applied`` looks up whether the transaction had been committed; without it,
        ``work`` is repeated (right for what gives the same when done twice). Raises DatabaseUnavailable.
        """
        if self._here.connection is not None:
            self._here.applied = applied
            return self._within(self._here.connection, work)
        return self._transaction(work, applied)

    def together(self, work: Callable[[], Result]) -> Result:
        """Make everything that ``work`` reads and writes in this thread one transaction, and run it again like ``write``.

        What ``work`` raises undoes all. The errors of DATABASE_ERRORS are for this method: ``work`` lets them pass.
        Raises DatabaseUnavailable.
        """
        def joined(connection: sa.Connection) -> Result:
            self._here.connection, self._here.applied = connection, None
            try:
                return work()
            finally:
                self._here.connection = None

        def applied(connection: sa.Connection) -> bool:
            return self._here.applied is not None and self._here.applied(connection)
        return self._transaction(joined, applied, self.dialect.before_many)

    @contextlib.contextmanager
    def accompanied(self, companion: Companion) -> Iterator[None]:
        """Have the first transaction that this thread commits in the block write ``companion`` as well."""
        self._here.companion = companion
        try:
            yield
        finally:
            self._here.companion = None

    def four_bytes(self) -> bool:
        """Whether the tables can hold characters outside the basic plane (no in databases in ``utf8``)."""
        if not self._four_bytes:
            self._four_bytes = self.read(lambda connection: connection.scalar(FOUR_BYTES)) == 'utf8mb4'
        return self._four_bytes

    def _within(self, connection: sa.Connection, work: Work[Result]) -> Result:
        """Do a part of a transaction, which is to be repeated as a whole if at all."""
        try:
            return work(connection)
        except DATABASE_ERRORS as error:
            if isinstance(error, (db_errors.DBDeadlock, db_errors.DBConnectionError)) or _is_transient(error):
                raise
            raise _translated(error) from error

    def _read_once(self, work: Work[Result]) -> Result:
        with self._connect(self.reader) as connection:
            return work(connection)

    def _connect(self, engine: sa.Engine) -> sa.Connection:
        """Take a connection. Where the server has none left to give, wait, as for one of the pool, until one is free."""
        give_up = time.monotonic() + self.dialect.pool_timeout(self._options)
        while True:
            try:
                return engine.connect()
            except DATABASE_ERRORS as error:
                if not self.dialect.is_full(_cause(error)) or time.monotonic() >= give_up:
                    raise
                LOG.debug('The database has no connection left to give; waiting for one')
            time.sleep(random.uniform(0, 2 * FIRST_PAUSE))

    def _transaction(self, work: Work[Result], applied: Work[bool] | None, first: Sequence[str] = ()) -> Result:
        try:
            return self._retried(self._write_surely)(work, applied, first)
        except DATABASE_ERRORS as error:
            raise _translated(error) from error

    def _write_surely(self, work: Work[Result], applied: Work[bool] | None, first: Sequence[str]) -> Result:
        try:
            return self._write_once(work, first)
        except db_errors.DBConnectionError as error:
            LOG.info('Lost a connection to the database (%s); writing again on a new one', error)
        except CommitLost as lost:
            LOG.warning('Lost a connection to the database during COMMIT; looking up the outcome')
            companion = self._here.companion
            if companion:
                applied = companion.applied
            if applied is not None and self.read(applied):
                self._written(companion)
                return lost.result
        return self._write_once(work, first)

    def _write_once(self, work: Work[Result], first: Sequence[str]) -> Result:
        companion = self._here.companion
        with self._connect(self.writer) as connection:
            transaction = connection.begin()
            try:
                for statement in first:
                    connection.exec_driver_sql(statement)
                if companion:
                    companion.work(connection)
                result = work(connection)
            except BaseException:
                transaction.rollback()
                raise
            try:
                transaction.commit()
            except db_errors.DBConnectionError as error:
                raise CommitLost(result) from error
            self._written(companion)
            return result

    def _written(self, companion: Companion | None) -> None:
        if companion:
            companion.written, self._here.companion = True, None

    def _engine(self, **arguments: Any) -> sa.Engine:
        debug = self._options['connection_debug']
        arguments = self.dialect.engine_arguments(self._options) | arguments
        for name in arguments['connect_args'].keys() & self._url.query.keys():
            del arguments['connect_args'][name]             # the operator wrote another value into the URL
        engine = sa.create_engine(self._url, pool_reset_on_return=None, hide_parameters=True,
                                  echo='debug' if debug >= 100 else debug >= 50, **arguments)
        exc_filters.register_engine(engine)
        if engine.driver == 'pymysql':
            from glance.db.sqlalchemy import pymysql_connection  # the driver need not be installed for other engines
            sa.event.listen(engine, 'do_connect', pymysql_connection.connect)
        statements = self.dialect.session(self._options)

        @sa.event.listens_for(engine, 'connect')
        def prepare(connection, record):
            if isinstance(self.dialect, dialects.SQLite):
                connection.isolation_level = None       # transactions begin where we say so, see below
            cursor = connection.cursor()
            for statement in statements:
                cursor.execute(statement)
            cursor.close()

        if isinstance(self.dialect, dialects.SQLite) and 'isolation_level' not in arguments:
            @sa.event.listens_for(engine, 'begin')
            def begin(connection):
                connection.exec_driver_sql('BEGIN IMMEDIATE')
        return engine


def _checked_url(text: str, parameters: str) -> sa.URL:
    """Return the URL with the driver that it means. Raises ConfigurationError, which never shows a password."""
    try:
        url = sa.make_url(text)
        if parameters:
            url = url.update_query_string(parameters, append=True)
    except (sa.exc.ArgumentError, ValueError):
        raise exceptions.ConfigurationError('[database] connection is not a database URL; an example is '
                                            'mysql+pymysql://user:password@host/glance') from None
    family, _, driver = url.drivername.partition('+')
    if family not in dialects.DIALECTS:
        raise exceptions.ConfigurationError('[database] connection names the engine %r; known ones are sqlite, mysql '
                                            'and postgresql' % family)
    if family == 'sqlite' and url.database in (None, '', ':memory:'):
        raise exceptions.ConfigurationError('[database] connection must name a file: sqlite:////path/to/glance.sqlite')
    name = 'mysql' if family == 'mariadb' else family
    url = url.set(drivername='+'.join(filter(None, (name, driver or DRIVERS.get(name)))))
    try:
        url.get_dialect().import_dbapi()
    except (ImportError, sa.exc.NoSuchModuleError):
        raise exceptions.ConfigurationError('[database] connection needs the driver %r, which is not installed'
                                            % url.get_driver_name()) from None
    return url.difference_update_query(['charset'])


def _is_transient(error: Exception) -> bool:
    """Tell whether the transaction was refused only because of what others did at the same time."""
    if isinstance(error, db_errors.DBConsistencyError):
        return True
    arguments = getattr(_cause(error), 'args', ())
    return bool(arguments) and arguments[0] in MYSQL_TRANSIENT


def _cause(error: Exception) -> Exception:
    """Return what the driver raised; errors of connecting come without the wrapping of oslo.db."""
    cause = getattr(error, 'inner_exception', None) or error
    return getattr(cause, 'orig', cause)


def _translated(error: Exception) -> exceptions.GlanceError:
    """Log what the operator needs, and return what the client may know."""
    cause = getattr(error, 'inner_exception', None) or error.__cause__ or error
    if isinstance(error, db_errors.DBDataError) or isinstance(cause, sa.exc.DataError):
        return exceptions.Invalid('A value is too long or of a kind that the database cannot store.')
    LOG.error('The database failed: %s', ' '.join(str(cause).split('(Background on this error', 1)[0].split()))
    return exceptions.DatabaseUnavailable()
