"""The DAL on PostgreSQL."""
import os
import socket

from tests.db_conformance import sql, suite


class PostgreSQLCase(sql.SQLCase):
    kind = 'postgresql'

    def break_one(self, connection):
        twin = socket.socket(fileno=os.dup(connection.fileno()))
        twin.shutdown(socket.SHUT_RDWR)
        twin.close()


globals().update(suite.cases(__name__, PostgreSQLCase, (*suite.MIXINS, *sql.MIXINS, sql.Recovery)))
