"""The SQL implementation of ``glance.db.interface.Database``."""
from typing import Self

import sqlalchemy as sa
from oslo_config import cfg
from oslo_db import options

from glance import exceptions
from glance.conf import image_data
from glance.db.encryption import UrlCipher
from glance.db.sqlalchemy.caches import CacheOperations
from glance.db.sqlalchemy.engine import Engine
from glance.db.sqlalchemy.images import ImageOperations
from glance.db.sqlalchemy.leases import LeaseOperations
from glance.db.sqlalchemy.members import MemberOperations
from glance.db.sqlalchemy.models import registry_requests
from glance.db.sqlalchemy.pending import PendingOperations
from glance.db.sqlalchemy.removals import RemovalOperations
from glance.db.sqlalchemy.usage import UsageOperations

NAMES = tuple(option.dest for option in options.database_opts)


class SQLDatabase(ImageOperations, RemovalOperations, PendingOperations, MemberOperations, LeaseOperations, UsageOperations,
                  CacheOperations):
    """Records in SQLite, MariaDB/MySQL or PostgreSQL. Threads share it; a forked process must make its own."""

    def __init__(self, conf: cfg.ConfigOpts):
        """Take the database from the options ``[database]`` of oslo.db. Raises ConfigurationError."""
        conf.register_opts(options.database_opts, 'database')
        conf.register_opts(image_data.OPTIONS[None])
        section = conf.database
        if not section.connection:
            raise exceptions.ConfigurationError('[database] connection is not set; name the database, for example '
                                                'mysql+pymysql://user:password@host/glance')
        super().__init__(Engine(section.connection, {name: getattr(section, name) for name in NAMES}),
                         UrlCipher(conf.metadata_encryption_key))

    @classmethod
    def from_url(cls, url: str, key: str | None = None, **values: object) -> Self:
        """Return the database at an SQLAlchemy URL, with other options of ``[database]`` by name (tests, tools).

        ``key`` is the one that URLs of locations are encrypted with.
        """
        conf = cfg.ConfigOpts()
        conf([], default_config_files=[], default_config_dirs=[])
        conf.register_opts(options.database_opts, 'database')
        for name, value in {'connection': url, **values}.items():
            conf.set_override(name, value, 'database')
        conf.register_opts(image_data.OPTIONS[None])
        conf.set_override('metadata_encryption_key', key)
        return cls(conf)

    @property
    def engine(self) -> Engine:
        """Connections and transactions, for what else lives in this database."""
        return self._engine

    def check(self) -> None:
        """Look for the newest table of this release: where it is missing, the database was not prepared for it."""
        if not self._engine.read(lambda connection: sa.inspect(connection).has_table(registry_requests.name)):
            raise exceptions.ConfigurationError(
                'The database is not prepared for this release: run "glance-manage db_sync", or "glance-manage db expand" '
                'while services of the former release are still running.')

    def ping(self) -> None:
        """Ask the database for nothing."""
        self._engine.read(lambda connection: connection.execute(sa.text('SELECT 1')) and None)

    def close(self) -> None:
        """Close all connections."""
        self._engine.close()
