"""The body of a response that is the span of an object in a store."""
import contextlib
from collections.abc import Callable, Iterator

from glance.store import base

CHUNK = 1024 * 1024


class ReaderBody:
    """A WSGI response body (PEP 3333) around a Reader.

    A server that knows this class sends ``reader.length`` bytes from ``reader.offset`` of ``reader.fileno()`` with
    ``os.sendfile`` and adds what it sent to ``sent``; where ``fileno()`` is None it takes ``passing_pieces``. Any other server
    iterates. ``sent`` counts a chunk once the server asks for the next one.

    :param reader: closed with the body
    :param on_close: as for ``call_on_close``
    """

    def __init__(self, reader: base.Reader, on_close: Callable[[int], None] | None = None):
        self.reader = reader
        self.sent = 0
        self._callbacks = [on_close] if on_close else []

    def call_on_close(self, callback: Callable[[int], None]) -> None:
        """Have the number of bytes sent told once the body is closed."""
        self._callbacks.append(callback)

    def __iter__(self) -> Iterator[bytes]:
        return map(bytes, self.passing_pieces())

    def passing_pieces(self) -> Iterator[memoryview]:
        """Like iterating, with pieces that are valid until the next one is asked for."""
        buffer = memoryview(bytearray(min(CHUNK, self.reader.length)))
        while count := self.reader.readinto(buffer):
            yield buffer[:count]
            self.sent += count

    def remainder(self) -> Iterator[memoryview] | None:
        """What follows the bytes sent, when the file of the reader gave out; None where that is the only place."""
        give_up = getattr(self.reader, 'give_up', None)
        if give_up is None:
            return None
        give_up(self.sent)
        return self.passing_pieces()

    def close(self) -> None:
        """Release the reader and report, to everybody whatever one of them raises; further calls report nothing."""
        callbacks, self._callbacks = self._callbacks, []
        with contextlib.ExitStack() as stack:
            for callback in reversed(callbacks):
                stack.callback(callback, self.sent)
            self.reader.close()
