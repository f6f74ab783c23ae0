"""The body of a request while a native thread reads it: ``wsgi.input``.

Bytes go from the socket straight into the caller's buffer. A body that ends before its end is an error and stays one:
every later read raises it again, so that no reader can take a part for the whole.
"""

import re
import time

from glance import exceptions
from glance.wsgi.connection import Connection

_CONTINUE = b'HTTP/1.1 100 Continue\r\n\r\n'
_BUFFER = 128 << 10
_LONGEST_CHUNK_LINE = 4096
_LARGEST_TRAILER = 16384
_CHUNK_SIZE = re.compile(rb'([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\x00-\x08\x0a-\x1f\x7f]*)?')
_PIECE = 64 << 10


class Body:
    """What both kinds of streamed body have in common; a subclass says where its end is.

    ``read``, ``readinto``, ``readline`` and iteration behave as those of a binary file, except that ``readinto``
    returns as soon as it has something. They raise ClientDisconnected when the client goes away or stalls past the
    timeout of its connection, and Invalid when chunks are malformed.
    """

    def __init__(self, connection: Connection, expects_continue: bool):
        self._connection = connection
        self._expects_continue = expects_continue
        self._may_continue = True
        self._ahead = memoryview(b'')
        """Decoded bytes that ``readline`` took from the source and did not return."""
        self._error: Exception | None = None
        self.finished = False

    def readinto(self, buffer) -> int:
        """Fill a part of ``buffer`` (any writable buffer); return the number of bytes, 0 only at the end."""
        view = memoryview(buffer).cast('B')
        if not view:
            return 0
        if self._ahead:
            count = min(len(view), len(self._ahead))
            view[:count], self._ahead = self._ahead[:count], self._ahead[count:]
            return count
        if self._error:
            raise self._error
        if self.finished:
            return 0
        try:
            return self._fill(view)
        except (exceptions.ClientDisconnected, exceptions.Invalid) as error:
            self._error = error
            raise

    def read(self, size: int | None = -1) -> bytes:
        """``size`` bytes, fewer only at the end of the body; all that is left when negative or None."""
        pieces = []
        while size is None or size != 0:
            piece = bytearray(_PIECE if size is None or size < 0 else min(size, _PIECE))
            count = self.readinto(piece)
            if not count:
                break
            pieces.append(memoryview(piece)[:count])
            if size is not None and size > 0:
                size -= count
        return b''.join(pieces)

    def readline(self, size: int | None = -1) -> bytes:
        """One line with its end, at most ``size`` bytes of it when that is not negative."""
        limit = float('inf') if size is None or size < 0 else size
        line = bytearray()
        while len(line) < limit:
            if not self._ahead:
                piece = bytearray(8192)
                self._ahead = memoryview(piece)[:self.readinto(piece)]
                if not self._ahead:
                    break
            start = bytes(self._ahead[:int(min(len(self._ahead), limit - len(line)))])
            end = start.find(b'\n') + 1 or len(start)
            line += start[:end]
            self._ahead = self._ahead[end:]
            if line.endswith(b'\n'):
                break
        return bytes(line)

    def readlines(self, hint: int | None = -1) -> list[bytes]:
        """The lines that are left; stops after ``hint`` bytes when that is positive."""
        lines, size = [], 0
        for line in self:
            lines.append(line)
            size += len(line)
            if hint is not None and 0 < hint <= size:
                break
        return lines

    def __iter__(self):
        return iter(self.readline, b'')

    def discard(self, most: int, seconds: float) -> bool:
        """Read and drop the rest, at most ``most`` bytes and about ``seconds``; False when something is left.

        A client that still waits for 100 Continue may or may not send its body: nothing is read then.
        """
        if self.finished:
            return True
        if self._expects_continue or self._error:
            return False
        piece = memoryview(bytearray(_PIECE))
        give_up = time.monotonic() + seconds
        try:
            while most > 0 and self._connection.readable_within(give_up - time.monotonic()):
                count = self.readinto(piece[:most])
                if self.finished:
                    return True
                most -= count
        except (exceptions.ClientDisconnected, exceptions.Invalid):
            pass
        return False

    def forgo_continue(self) -> None:
        """The response has begun: 100 Continue would come too late."""
        self._may_continue = False

    def _fill(self, view: memoryview) -> int:
        raise NotImplementedError

    def _receive(self, view: memoryview) -> int:
        try:
            if self._expects_continue and self._may_continue:
                self._connection.send(_CONTINUE)
            self._expects_continue = False
            count = self._connection.receive_into(view)
        except TimeoutError:
            raise exceptions.ClientDisconnected(
                'The client sent nothing for too long; the request body is not complete.') from None
        except OSError:
            count = 0
        if not count:
            raise exceptions.ClientDisconnected()
        return count


class LengthBody(Body):
    """A body of ``length`` bytes, whose start may have come with the head."""

    def __init__(self, connection: Connection, length: int, expects_continue: bool):
        super().__init__(connection, expects_continue)
        self._left = length
        self._start = memoryview(bytes(connection.buffer[:length]))
        connection.buffer = connection.buffer[length:]

    def _fill(self, view: memoryview) -> int:
        if self._start:
            count = min(len(view), len(self._start))
            view[:count], self._start = self._start[:count], self._start[count:]
        else:
            count = self._receive(view[:self._left])
        self._left -= count
        self.finished = not self._left
        return count


class ChunkedBody(Body):
    """A chunked body (RFC 9112 7.1); extensions and trailers are dropped, what follows stays for the next request."""

    def __init__(self, connection: Connection, expects_continue: bool):
        super().__init__(connection, expects_continue)
        # One buffer for the whole body: a new one for each piece would cost more than the copying.
        self._buffer = bytearray(max(_BUFFER, len(connection.buffer)))
        self._view = memoryview(self._buffer)
        self._start, self._end = 0, len(connection.buffer)
        """Where in the buffer the bytes are that were received and not used yet."""
        self._view[:self._end], connection.buffer = connection.buffer, b''
        self._chunk: int | None = None
        """Bytes left of the present chunk; None before the first."""

    def _fill(self, view: memoryview) -> int:
        filled = 0
        while filled < len(view):
            if not self._chunk and not (filled and self._needs_more_for_header()):
                self._next_chunk()
            if not self._chunk:  # the last one, or the next header has not arrived: what we have goes out first
                break
            wanted = min(self._chunk, len(view) - filled)
            count = min(wanted, self._end - self._start)
            if count:
                view[filled:filled + count] = self._view[self._start:self._start + count]
                self._start += count
            elif filled:
                break
            else:
                count = self._receive(view[:wanted])
            filled += count
            self._chunk -= count
        return filled

    def _needs_more_for_header(self) -> bool:
        """Whether the line with the size of the next chunk would have to be waited for."""
        return self._buffer.find(b'\r\n', self._start + 2, self._end) < 0

    def _next_chunk(self) -> None:
        if self._chunk is not None and self._line() != b'':
            raise exceptions.Invalid('A chunk of the request body is longer than its size says.')
        size = _CHUNK_SIZE.fullmatch(self._line())
        if not size:
            raise exceptions.Invalid('The size of a chunk of the request body is not valid.')
        self._chunk = int(size[1], 16)
        if not self._chunk:
            self._skip_trailer()
            self.finished = True
            self._connection.buffer = bytes(self._view[self._start:self._end])

    def _skip_trailer(self) -> None:
        left = _LARGEST_TRAILER
        while line := self._line():
            left -= len(line)
            if left < 0:
                raise exceptions.Invalid('The trailer of the request body is too large.')

    def _line(self) -> bytes:
        while (end := self._buffer.find(b'\n', self._start, self._end)) < 0:
            rest = bytes(self._view[self._start:self._end])
            if len(rest) > _LONGEST_CHUNK_LINE:
                raise exceptions.Invalid('A line between the chunks of the request body is too long.')
            self._view[:len(rest)] = rest
            self._start, self._end = 0, len(rest)
            self._end += self._receive(self._view[self._end:])
        line = bytes(self._view[self._start:end])
        self._start = end + 1
        if not line.endswith(b'\r') or len(line) > _LONGEST_CHUNK_LINE:
            raise exceptions.Invalid('A line between the chunks of the request body is not valid.')
        return line[:-1]
