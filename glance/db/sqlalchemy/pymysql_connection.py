"""Connections of PyMySQL that are made faster.

Where nothing is said about TLS, PyMySQL encrypts if the server can, and looks at no certificate; yet it reads all
certificates that the system trusts, for each connection: 30 to 40 ms in which no other thread of the process works.
"""
import functools
import ssl
from typing import Any

from pymysql.connections import Connection


class OpportunisticConnection(Connection):
    """Connects as its base does, with one context for all connections that verify no certificate."""

    def _create_ssl_ctx(self, settings: dict[str, Any] | ssl.SSLContext) -> ssl.SSLContext:
        return super()._create_ssl_ctx(settings or _not_verifying())


def connect(dialect: Any, record: Any, arguments: Any, options: dict[str, Any]) -> OpportunisticConnection:
    """Listen to ``do_connect`` of an SQLAlchemy engine."""
    return OpportunisticConnection(*arguments, **options)


@functools.cache
def _not_verifying() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
