"""The body of a request that is sent while it comes."""
import http.client


class RequestBody:
    """Sent piece by piece: its length is announced where it is known, else it goes in chunks.

    :param connection: where a request with ``header`` was begun before the first piece
    """

    def __init__(self, connection: http.client.HTTPConnection, length: int | None):
        self._connection, self._chunked = connection, length is None
        self.header = ('Transfer-Encoding', 'chunked') if length is None else ('Content-Length', str(length))

    def send(self, data: memoryview | bytes) -> None:
        """Send the next bytes; none at all do not end the body. Raises OSError."""
        if not data:
            return
        if self._chunked:
            self._connection.send(b'%x\r\n' % len(data))
        self._connection.send(data)
        if self._chunked:
            self._connection.send(b'\r\n')

    def end(self) -> None:
        """Say that there is no more. Raises OSError."""
        if self._chunked:
            self._connection.send(b'0\r\n\r\n')
