"""Chunked request bodies under uWSGI, which leaves them to the application."""
from collections.abc import Callable, Iterable
from typing import Any

from glance import exceptions


class ChunkedInput:
    """``wsgi.input`` around uWSGI's reader of chunks, which hands out whole ones whatever their size.

    :param read_chunk: returns the next chunk, empty at the end; raises OSError when the client is gone
    """

    def __init__(self, read_chunk: Callable[[], bytes]):
        self._read_chunk = read_chunk
        self._rest = b''

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes, none only at the end. Raises ClientDisconnected."""
        if not self._rest:
            try:
                self._rest = self._read_chunk()
            except OSError as error:
                raise exceptions.ClientDisconnected() from error
        data, self._rest = self._rest[:size], self._rest[size:]
        return data


def under_uwsgi(application: Callable) -> Callable:
    """Return the application such that uWSGI, where that is what runs it, serves it chunked bodies."""
    try:
        import uwsgi
    except ImportError:
        return application

    def with_chunks(environ: dict[str, Any], start_response: Callable) -> Iterable[bytes]:
        if environ.get('HTTP_TRANSFER_ENCODING', '').strip().lower() == 'chunked':
            environ['wsgi.input'] = ChunkedInput(uwsgi.chunked_read)
        return application(environ, start_response)
    return with_chunks
