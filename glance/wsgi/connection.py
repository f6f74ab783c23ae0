"""A client's connection: what the hub may do with it without waiting, and what a native thread does while it waits.

A plain socket stays in blocking mode; the kernel's own receive and send timeouts (socket(7)) bound every wait, so one
system call moves megabytes. The hub passes MSG_DONTWAIT. A TLS socket does not know such flags: it is non-blocking, and
native threads poll.
"""

import contextlib
import os
import select
import socket
import ssl
import struct
import time
from collections.abc import Iterator

_TIMEVAL = struct.Struct('ll')
_RESET_ON_CLOSE = struct.pack('ii', 1, 0)
_LARGEST_TLS_WRITE = 256 << 10

FOREVER = float('inf')


class Connection:
    """One accepted plain connection.

    :ivar peer: address and port of the client as text
    :ivar buffer: bytes received and not used yet
    :ivar client_names: names in the certificate of the client, in lower case; None when it showed none that was verified
    :ivar deadline: monotonic time at which the hub gives up waiting for the client; FOREVER while a thread serves it
    :ivar requests: how many requests have been read from it
    """

    scheme = 'http'
    can_sendfile = True
    wants_write = False
    client_names: frozenset[str] | None = None

    def __init__(self, sock: socket.socket, peer: tuple[str, str], timeout: int):
        self.socket = sock
        self.fd = sock.fileno()
        self.peer = peer
        self.buffer: bytes | bytearray = b''
        self.deadline = FOREVER
        self.requests = 0
        self.idle = False
        self.greenlet = None
        self._prepare(timeout)

    def _prepare(self, timeout: int) -> None:
        wait = _TIMEVAL.pack(timeout, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, wait)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, wait)

    # For the hub: never wait.

    def handshake(self) -> bool:
        """Go on with the handshake; True when it is done. Raises OSError."""
        return True

    def receive_now(self, size: int) -> bytes | None:
        """Up to ``size`` bytes, ``b''`` at the end, None when there is nothing yet. Raises OSError."""
        try:
            return self.socket.recv(size, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None

    def send_now(self, data: bytes) -> None:
        """Send what fits into the socket's buffer and forget the rest."""
        with contextlib.suppress(OSError):
            self.socket.send(data, socket.MSG_DONTWAIT)

    # For native threads: wait for the client, at most the timeout of the connection.

    def receive_into(self, buffer: memoryview) -> int:
        """Fill a part of the buffer; 0 at the end. Raises TimeoutError and other OSErrors."""
        try:
            return self.socket.recv_into(buffer)
        except BlockingIOError:
            raise TimeoutError('the client sent nothing') from None

    def readable_within(self, seconds: float) -> bool:
        """Wait until there is something to receive."""
        poll = select.poll()
        poll.register(self.fd, select.POLLIN)
        return bool(poll.poll(max(seconds, 0) * 1000))

    def send(self, data: bytes | memoryview, more: bool = False) -> None:
        """Send all of it; ``more`` says that the next bytes follow at once. Raises TimeoutError and other OSErrors."""
        try:
            self.socket.sendall(data, socket.MSG_MORE if more else 0)
        except BlockingIOError:
            raise TimeoutError('the client received nothing') from None

    def sendfile(self, fd: int, offset: int, count: int) -> int:
        """Let the kernel send from a file; return how many bytes, 0 at the end of the file. Raises as ``send``."""
        try:
            return os.sendfile(self.fd, fd, offset, count)
        except BlockingIOError:
            raise TimeoutError('the client received nothing') from None

    @contextlib.contextmanager
    def full_segments(self) -> Iterator[None]:
        """Hold back segments that are not full until the block ends (tcp(7)): a file goes out a quarter faster."""
        self._cork(1)
        try:
            yield
        finally:
            self._cork(0)

    def _cork(self, on: int) -> None:
        # Not an option of Unix sockets, nor of one that the client has reset.
        with contextlib.suppress(OSError):
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, on)

    # For both.

    def end_sending(self) -> None:
        """Tell the client that nothing more comes, and go on receiving."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def interrupt(self) -> None:
        """Make every wait of another thread on this connection fail at once."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def reset(self) -> None:
        """Close so that the client sees an error and takes nothing for complete."""
        with contextlib.suppress(OSError):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.socket.close()


class TLSConnection(Connection):
    """One accepted connection that speaks TLS."""

    scheme = 'https'
    can_sendfile = False

    def __init__(self, sock: socket.socket, peer: tuple[str, str], timeout: int, context: ssl.SSLContext):
        sock.setblocking(False)
        secure = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        self._timeout = timeout or FOREVER
        super().__init__(secure, peer, timeout)

    def _prepare(self, timeout: int) -> None:
        pass

    def handshake(self) -> bool:
        if self._attempt(self.socket.do_handshake) is _WOULD_WAIT:
            return False
        certificate = self.socket.getpeercert()
        if certificate:
            self.client_names = _names(certificate)
        return True

    def receive_now(self, size: int) -> bytes | None:
        data = self._attempt(self.socket.recv, size)
        return None if data is _WOULD_WAIT else data

    def send_now(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            self._attempt(self.socket.send, data)

    def _attempt(self, operation, *arguments):
        """Run it; _WOULD_WAIT, with ``wants_write`` set to what it waits for, when the socket is not ready."""
        try:
            return operation(*arguments)
        except ssl.SSLWantReadError:
            self.wants_write = False
        except ssl.SSLWantWriteError:
            self.wants_write = True
        return _WOULD_WAIT

    def _waiting(self, operation, *arguments):
        deadline = time.monotonic() + self._timeout
        while True:
            result = self._attempt(operation, *arguments)
            if result is not _WOULD_WAIT:
                return result
            poll = select.poll()
            poll.register(self.fd, select.POLLOUT if self.wants_write else select.POLLIN)
            left = deadline - time.monotonic()
            if left <= 0 or not poll.poll(None if left == FOREVER else left * 1000):
                raise TimeoutError('the client did nothing')

    def receive_into(self, buffer: memoryview) -> int:
        return self._waiting(self.socket.recv_into, buffer)

    def readable_within(self, seconds: float) -> bool:
        return self.socket.pending() > 0 or super().readable_within(seconds)

    def send(self, data: bytes | memoryview, more: bool = False) -> None:
        view = memoryview(data)
        while view:
            sent = self._waiting(self.socket.send, view[:_LARGEST_TLS_WRITE])
            if not sent:
                raise ConnectionResetError('the client closed the connection')
            view = view[sent:]

    def end_sending(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._attempt(self.socket.unwrap)  # close_notify; the answer is not waited for
        super().end_sending()

    def close(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._attempt(self.socket.unwrap)
        super().close()

    def reset(self) -> None:
        with contextlib.suppress(OSError):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        Connection.close(self)


def _names(certificate: dict) -> frozenset[str]:
    """Return the common name and the alternative names of a certificate as the ssl module tells it."""
    common = [value for part in certificate.get('subject', ()) for name, value in part if name == 'commonName']
    others = [value for kind, value in certificate.get('subjectAltName', ()) if isinstance(value, str)]
    return frozenset(name.lower() for name in common + others)


_WOULD_WAIT = object()
