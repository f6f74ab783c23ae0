"""The socket on which the server listens: bound here, or inherited from systemd or another parent."""

import errno
import os
import socket
import time
from collections.abc import MutableMapping

from glance.exceptions import ConfigurationError
from glance.wsgi.settings import Settings

_FIRST_SYSTEMD_FD = 3
_RETRY_EVERY = 0.1


class Listener:
    """A listening socket, non-blocking. ``inherited``: its address is not ours to change."""

    def __init__(self, sock: socket.socket, inherited: bool):
        sock.setblocking(False)
        self.socket = sock
        self.inherited = inherited

    @property
    def address(self) -> tuple[str, int]:
        """Host and port; the path and 0 for a Unix socket."""
        name = self.socket.getsockname()
        return (name[0], name[1]) if isinstance(name, tuple) else (name or 'localhost', 0)

    def tune(self, settings: Settings) -> None:
        """Apply what may change while it listens. Accepted connections inherit the options of TCP."""
        self.socket.listen(settings.backlog)
        if self.socket.family in (socket.AF_INET, socket.AF_INET6):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, settings.tcp_keepidle)

    def close(self) -> None:
        """Listen no more; who has a copy of the socket goes on."""
        self.socket.close()


def open_listener(settings: Settings, retry_seconds: float,
                  environment: MutableMapping[str, str] = os.environ) -> Listener:
    """The inherited socket when there is one, else a new one.

    :param retry_seconds: how long to wait for an address that another process still uses
    :raises ConfigurationError: the socket cannot be had; the text names the address or the variable
    """
    sock = _inherited(environment)
    listener = Listener(sock, True) if sock else bind(settings, retry_seconds)
    try:
        listener.tune(settings)
    except OSError as error:
        listener.close()
        raise ConfigurationError('The inherited socket cannot listen: %s.' % error.strerror) from None
    return listener


def bind(settings: Settings, retry_seconds: float) -> Listener:
    """A new socket on ``bind_host`` and ``bind_port``. Raises ConfigurationError."""
    host, port = settings.bind_host, settings.bind_port
    where = '%s port %d (bind_host, bind_port)' % (host, port)
    try:
        answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise ConfigurationError('Cannot listen on %s: %s.' % (where, error.strerror)) from None
    family, _, _, _, address = next(answer for answer in answers if answer[0] in (socket.AF_INET, socket.AF_INET6))
    give_up = time.monotonic() + retry_seconds
    while True:
        try:
            return Listener(_bound(family, address, settings.backlog), False)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise ConfigurationError('Cannot listen on %s: %s.' % (where, error.strerror)) from None
            if time.monotonic() >= give_up:
                raise ConfigurationError('Cannot listen on %s: the address is in use by another process.'
                                         % where) from None
        time.sleep(_RETRY_EVERY)


def _bound(family: int, address: tuple, backlog: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6 and address[0] != '::':
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        sock.listen(backlog)
    except OSError:
        sock.close()
        raise
    return sock


def _inherited(environment: MutableMapping[str, str]) -> socket.socket | None:
    """The socket that the environment names; its variables are consumed."""
    systemd_pid = environment.pop('LISTEN_PID', None)
    systemd_fds = environment.pop('LISTEN_FDS', None)
    environment.pop('LISTEN_FDNAMES', None)
    test_fd = environment.pop('GLANCE_TEST_SOCKET_FD', None)
    if systemd_fds and systemd_pid in (None, str(os.getpid())):
        return _adopt('LISTEN_FDS', systemd_fds, _FIRST_SYSTEMD_FD)
    if test_fd:
        return _adopt('GLANCE_TEST_SOCKET_FD', test_fd)
    return None


def _adopt(variable: str, value: str, fd: int | None = None) -> socket.socket | None:
    if not value.isdecimal():
        raise ConfigurationError('%s=%s in the environment is not a number.' % (variable, value))
    if variable == 'LISTEN_FDS' and int(value) == 0:
        return None
    fd = int(value) if fd is None else fd
    try:
        sock = socket.socket(fileno=fd)
        listening = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError:
        listening = False
    if not listening:
        raise ConfigurationError('%s=%s in the environment names no listening socket (file descriptor %d).'
                                 % (variable, value, fd))
    os.set_inheritable(fd, False)
    return sock
