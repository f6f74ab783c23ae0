"""The DAL through a real glance-registry, with each engine behind it."""
import functools
import pathlib
import tempfile
import unittest

from glance.db.remote.database import RemoteDatabase
from glance.db.remote.endpoints import Endpoint, Limits
from glance.db.remote.identity import Nobody
from glance.db.remote.registry import Registry
from glance.db.sqlalchemy import models
from glance.db.sqlalchemy.database import SQLDatabase
from tests.db_conformance import sql, suite
from tests.harness.databases import scratch_database
from tests.harness.server import RegistryServer


class Installation:
    """A registry and the database behind it, shared by the classes of this module."""

    def __init__(self, kind: str):
        folder = tempfile.TemporaryDirectory()
        unittest.addModuleCleanup(folder.cleanup)
        scratch = scratch_database(kind, pathlib.Path(folder.name))
        unittest.addModuleCleanup(scratch.drop)
        self.database = SQLDatabase.from_url(scratch.url)
        unittest.addModuleCleanup(self.database.close)
        models.metadata.create_all(self.database.engine.writer, checkfirst=False)
        server = RegistryServer(scratch)
        unittest.addModuleCleanup(server.cleanup)
        server.launch()
        server.wait_until_ready()
        self.remote = RemoteDatabase(Registry([Endpoint('127.0.0.1', server.port, None, Limits())], Nobody(), 60, 2))
        unittest.addModuleCleanup(self.remote.close)


installation = functools.cache(Installation)


class RemoteCase(sql.SQLCase):
    """``kind`` names the engine; the database is emptied for each test."""

    @classmethod
    def setUpClass(cls):
        unittest.TestCase.setUpClass()
        cls.database, cls.remote = installation(cls.kind).database, installation(cls.kind).remote

    def make_database(self):
        super().make_database()
        return self.remote


for _kind in ('SQLite', 'MySQL', 'PostgreSQL'):
    _base = type(_kind, (RemoteCase,), {'kind': _kind.lower(), '__module__': __name__})
    globals().update(suite.cases(__name__, _base, prefix=_kind))
