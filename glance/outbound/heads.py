"""Connections to servers that nobody vouches for: the head of a response has bounds in bytes and in time.

The connections of the libraries bound a line and the number of headers, which together may be megabytes, and the time
between two bytes, which together may be days.
"""
import http.client
import io
import time

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

MOST_BYTES = 64 << 10
"""Of all lines before the body, interim responses included."""
MOST_SECONDS = 120.0


class HeadTooLarge(http.client.HTTPException):
    """The status line and the headers of a response are larger than any that serves a purpose."""


def limit(manager: urllib3.PoolManager) -> None:
    """Let the manager make connections of this kind. They raise HeadTooLarge, or TimeoutError for a slow head."""
    manager.pool_classes_by_scheme = {'http': _Pool, 'https': _TLSPool}


class _Head:
    """The lines of a head, read from the file of the connection while the bounds allow."""

    def __init__(self, file: io.BufferedReader):
        self._file, self._bytes, self._since = file, 0, time.monotonic()

    def readline(self, longest: int) -> bytes:
        line = b''
        while len(line) < longest and not line.endswith(b'\n'):
            there = self._file.peek(1)  # all that has come, waiting for it at most once
            piece = self._file.read(min(there.find(b'\n') + 1 or len(there), longest - len(line)))
            if not piece:
                break
            line += piece
            self._bytes += len(piece)
            if self._bytes > MOST_BYTES:
                raise HeadTooLarge('the head is larger than %d bytes' % MOST_BYTES)
            if time.monotonic() - self._since > MOST_SECONDS:
                raise TimeoutError('the head has not come in %d seconds' % MOST_SECONDS)
        return line


class _Response(http.client.HTTPResponse):

    def begin(self) -> None:
        whole, self.fp = self.fp, _Head(self.fp)
        try:
            super().begin()
        finally:
            self.fp = whole


class _Connection(HTTPConnection):
    response_class = _Response


class _TLSConnection(HTTPSConnection):
    response_class = _Response


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TLSConnection
