"""The DAL on PostgreSQL."""
import os
import socket

from tests.db_conformance import sql, suite


class PostgreSQLCase(sql.SQLCase):
    kind = 'postgresql'
    LIMITED_USER = ("CREATE ROLE {name} LOGIN PASSWORD 'limited' CONNECTION LIMIT 1",
                    'GRANT ALL ON ALL TABLES IN SCHEMA public TO {name}', 'GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {name}')
    NO_LIMITED_USER = ('DROP OWNED BY {name}', 'DROP ROLE {name}')

    def break_one(self, connection):
        twin = socket.socket(fileno=os.dup(connection.fileno()))
        twin.shutdown(socket.SHUT_RDWR)
        twin.close()


globals().update(suite.cases(__name__, PostgreSQLCase, (*suite.MIXINS, *sql.MIXINS, *sql.SERVERS)))
