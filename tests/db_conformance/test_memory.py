"""The DAL in memory."""
import unittest

from glance.db.memory import MemoryDatabase
from tests.db_conformance import suite


class MemoryCase(unittest.TestCase):
    def make_database(self):
        return MemoryDatabase()


globals().update(suite.cases(__name__, MemoryCase))
