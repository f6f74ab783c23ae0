"""Scratch databases with random names on the servers that the environment names."""

import os
import pathlib
import uuid

import sqlalchemy

MYSQL_SERVER = os.environ.get('GLANCE_TEST_MYSQL', 'mysql+pymysql://root@127.0.0.1:3306')
POSTGRESQL_SERVER = os.environ.get('GLANCE_TEST_POSTGRESQL', 'postgresql+psycopg2://postgres@127.0.0.1:5432')


class ScratchDatabase:
    """An empty database of one kind: ``url`` connects to it, ``drop()`` removes it."""

    url: str

    def drop(self) -> None:
        raise NotImplementedError


class SQLiteDatabase(ScratchDatabase):
    """A file in *folder*; dropped with the folder."""

    def __init__(self, folder: pathlib.Path):
        self.path = folder / 'glance.sqlite'
        self.url = f'sqlite:///{self.path}'

    def drop(self) -> None:
        for suffix in ('', '-wal', '-shm'):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)


class ServerDatabase(ScratchDatabase):
    """A database on a running server, created at once.

    :param server: SQLAlchemy URL of the server, without a database
    :param maintenance: database to connect to for CREATE and DROP
    :param drop_statement: with ``{name}`` in place of the database
    """

    def __init__(self, server: str, maintenance: str, drop_statement: str):
        name = f'glance_{uuid.uuid4().hex[:16]}'
        server_url = sqlalchemy.make_url(server)
        self.url = server_url.set(database=name).render_as_string(hide_password=False)
        self._drop_statement = drop_statement.format(name=name)
        self._engine = sqlalchemy.create_engine(
            server_url.set(database=maintenance), isolation_level='AUTOCOMMIT', poolclass=sqlalchemy.pool.NullPool)
        self._execute(f'CREATE DATABASE {name}')

    def _execute(self, statement: str) -> None:
        with self._engine.connect() as connection:
            connection.exec_driver_sql(statement)

    def drop(self) -> None:
        self._execute(self._drop_statement)


def scratch_database(kind: str, folder: pathlib.Path) -> ScratchDatabase:
    """A new empty database.

    :param kind: ``sqlite``, ``mysql`` or ``postgresql``
    :param folder: where SQLite keeps its file
    """
    if kind == 'sqlite':
        return SQLiteDatabase(folder)
    if kind == 'mysql':
        return ServerDatabase(MYSQL_SERVER, '', 'DROP DATABASE IF EXISTS {name}')
    if kind == 'postgresql':
        return ServerDatabase(POSTGRESQL_SERVER, 'postgres', 'DROP DATABASE IF EXISTS {name} WITH (FORCE)')
    raise ValueError(f'no database of kind {kind!r}; there are sqlite, mysql and postgresql')
