"""One process that serves: an eventlet hub accepts and parses, native threads run the application.

Two directions lead across: the hub gives a complete request to the thread pool, and a thread that is done puts the
connection into a queue and rings the doorbell, a pipe that the hub watches. Signals arrive through the same pipe. A thread
that nobody else waits for stays with its connection for a moment, and serves what follows there by itself.
"""

import collections
import contextlib
import io
import logging
import os
import signal
import socket
import ssl
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import greenlet

os.environ.setdefault('EVENTLET_NO_GREENDNS', 'yes')  # the hub resolves no names
with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    import eventlet
    from eventlet import hubs, semaphore
    from eventlet.event import Event

from glance.wsgi.body import Body
from glance.wsgi.connection import FOREVER, Connection, TLSConnection
from glance.wsgi.conversation import DRAIN_IDLE_SECONDS, Conversation, Stalled
from glance.wsgi.environ import EnvironBuilder
from glance.wsgi.follower import follower
from glance.wsgi.head import Head, Limits
from glance.wsgi.listener import Listener
from glance.wsgi.response import Outcome, Response
from glance.wsgi.settings import Settings
from glance.wsgi.threads import ThreadPool

LOG = logging.getLogger(__name__)

_SWEEP_SECONDS = 0.25
_STOP_SECONDS = 3
"""How long requests that were cut off may take to clean up after themselves."""
_ACCEPT_PAUSE = 0.1
_COURTESY, _LONGEST_COURTESY = 0.0001, 0.002
_MOST_REQUESTS_PER_CONNECTION = 1000
_FOLLOWER_SECONDS = 0.002
"""How long a thread stays with a connection when nobody else has come: what follows is then served without the hub."""


class Application:
    """A WSGI callable and how many requests it is serving. Used by the hub only."""

    def __init__(self, call: Callable):
        self.call = call
        self.running = 0

    def close(self) -> None:
        """Let the application end its threads and connections; it may wait for its background work."""
        close = getattr(self.call, 'close', None)
        if close is not None:
            try:
                close()
            except Exception:
                LOG.exception('Closing the application failed')


@dataclass(frozen=True, slots=True)
class Parts:
    """What a worker serves with; a reload in place exchanges all of it."""

    settings: Settings
    listener: Listener
    tls: ssl.SSLContext | None
    application: Application


@dataclass(slots=True)
class _Request:
    connection: Connection
    head: Head
    body: Body | io.BytesIO
    parts: Parts
    environs: EnvironBuilder
    outcome: Outcome = Outcome.ABORT


class Worker:
    """Serves until it is told to drain, retire or stop. All methods are for the hub's thread, unless they say otherwise."""

    def __init__(self, parts: Parts, multiprocess: bool):
        self._multiprocess = multiprocess
        self._hub = _fresh_hub()
        self._connections: set[Connection] = set()
        self._returned: collections.deque[_Request] = collections.deque()
        self._rung = False
        self._bell_out, self._bell_in = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._signals: Mapping[int, Callable[[], None]] = {}
        self._finished = Event()
        self._draining = self._ending = False
        self._stop_at = FOREVER
        self._pool = ThreadPool(self._serve, parts.settings.max_connections, self._hub.schedule_call_global)
        self._use(parts)

    def _use(self, parts: Parts) -> None:
        settings = parts.settings
        self.parts = parts
        self._pool.limit = settings.max_connections
        self._environs = EnvironBuilder(parts.listener.address, self._multiprocess, settings.secure_proxy_ssl_header,
                                        settings.trusted_proxies)
        self._slots = semaphore.Semaphore(settings.max_connections)
        self._acceptor = eventlet.spawn(self._accept, parts, self._slots)

    def run(self, signals: Mapping[int, Callable[[], None]], ready: Callable[[], None],
            lifeline: socket.socket | None = None) -> None:
        """Serve until ``drain``, ``retire`` or ``stop`` has come to its end.

        :param signals: what to do on which signal; the functions run in the hub
        :param ready: called once connections are being accepted
        :param lifeline: a socket whose other end the parent holds; when it closes, the worker stops
        """
        self._signals = signals
        self._hub.add(self._hub.READ, self._bell_out, self._answer_bell, None, None)
        signal.set_wakeup_fd(self._bell_in, warn_on_full_buffer=False)
        for number in signals:
            signal.signal(number, lambda *_: None)
        if lifeline is not None:
            self._watch_lifeline(lifeline)
        self._hub.schedule_call_global(_SWEEP_SECONDS, self._sweep)
        self._hub.schedule_call_global(0, ready)
        try:
            self._finished.wait()
        finally:
            signal.set_wakeup_fd(-1)
            for number in signals:
                signal.signal(number, signal.SIG_DFL)

    def drain(self, seconds: float = FOREVER) -> None:
        """The service ends: accept nothing more and finish what has begun; ``stop`` after so many seconds."""
        self._ending = True
        self._stop_at = min(self._stop_at, time.monotonic() + seconds)
        self.retire()

    def retire(self) -> None:
        """Accept nothing more, which others do from now on, and finish what has begun."""
        if self._draining:
            return
        self._draining = True
        self._acceptor.kill()
        self._accept_rest()
        self.parts.listener.close()
        silent = time.monotonic() + DRAIN_IDLE_SECONDS
        for connection in self._connections:
            if connection.idle:
                connection.deadline = min(connection.deadline, silent)
        # Connections that were accepted a moment ago come first and are counted.
        self._hub.schedule_call_global(0, self._finish_when_empty)

    def stop(self) -> None:
        """Cut every connection off; requests get a moment to undo what they had begun."""
        self.drain()
        self._stop_at = FOREVER
        for connection in self._connections:
            connection.interrupt()
        self._hub.schedule_call_global(_STOP_SECONDS, self._finish)

    def replace(self, parts: Parts) -> Application:
        """Serve new connections with other parts; returns the former application, which still has requests running.

        Connections that are open go on and have their next request served by the new application.
        """
        former = self.parts
        self._acceptor.kill()
        if parts.listener is not former.listener:
            former.listener.close()
        self._use(parts)
        return former.application

    def call_every(self, seconds: float, function: Callable[[], None]) -> None:
        """Call a quick function in the hub, now and again and again."""
        function()
        self._hub.schedule_call_global(seconds, self.call_every, seconds, function)

    def when_unused(self, application: Application, function: Callable[[], None]) -> None:
        """Call a quick function once the application serves no request any more."""
        if application.running:
            self._hub.schedule_call_global(_SWEEP_SECONDS, self.when_unused, application, function)
        else:
            function()

    # Connections.

    def _accept(self, parts: Parts, slots: semaphore.Semaphore) -> None:
        listener = parts.listener.socket
        while True:
            slots.acquire()
            try:
                hubs.trampoline(listener.fileno(), read=True)
                sock, address = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):  # another worker was faster, or the client gave up
                slots.release()
                continue
            except OSError as error:
                slots.release()
                LOG.error('No connection can be accepted at the moment: %s', error.strerror)
                eventlet.sleep(_ACCEPT_PAUSE)
                continue
            eventlet.spawn_n(self._attend, sock, address, parts, slots)
            if self._multiprocess:
                # The more connections a worker has, the longer it leaves the next one to the others.
                eventlet.sleep(min(len(self._connections) * _COURTESY, _LONGEST_COURTESY))

    def _accept_rest(self) -> None:
        """Accept what waits in the kernel: when the last process closes the listener, that would be reset."""
        with contextlib.suppress(OSError):
            while True:
                sock, address = self.parts.listener.socket.accept()
                eventlet.spawn_n(self._attend, sock, address, self.parts, self._slots)

    def _attend(self, sock: socket.socket, address, parts: Parts, slots: semaphore.Semaphore) -> None:
        """The green thread of one connection."""
        connection = None
        try:
            connection = _connection(sock, address, parts)
            connection.greenlet = greenlet.getcurrent()
            self._connections.add(connection)
            Conversation(connection, lambda: self.parts.settings, self._perform, lambda: self._draining).run()
        except OSError as error:
            LOG.debug('Connection from %s failed: %s', address, error)
        except Exception:
            LOG.exception('The server failed on a connection')
        finally:
            (connection or sock).close()
            self._connections.discard(connection)
            slots.release()
            self._finish_when_empty()

    def _perform(self, connection: Connection, head: Head, body: Body | io.BytesIO) -> Outcome:
        """Have a native thread serve the request; the green thread sleeps until it is done."""
        connection.deadline = FOREVER
        request = _Request(connection, head, body, self.parts, self._environs)
        application = request.parts.application
        application.running += 1
        self._latest = connection
        self._pool.submit(request)
        self._hub.switch()
        application.running -= 1
        return request.outcome

    def _serve(self, request: _Request) -> None:
        """Runs in a native thread."""
        self._respond(request)
        while request.outcome is Outcome.KEEP and self._follow(request):
            self._respond(request)
        self._returned.append(request)
        if not self._rung:
            self._rung = True
            os.write(self._bell_in, b'\0')

    def _follow(self, request: _Request) -> bool:
        """Go on with the next request of the connection, if it comes at once and nobody else has come meanwhile."""
        if self._latest is not request.connection or self._draining or self.parts is not request.parts:
            return False
        with self._pool.stepping_aside():
            following = follower(request.connection, _FOLLOWER_SECONDS, Limits(request.parts.settings.max_header_line))
        if following is None:
            return False
        request.head, request.body = following
        return True

    def _respond(self, request: _Request) -> None:
        connection, head, settings = request.connection, request.head, request.parts.settings
        try:
            environ = request.environs.build(head, connection, request.body)
            environ['glance.ending'] = self._ending
            response = Response(connection, head.method, head.protocol,
                                None if isinstance(request.body, io.BytesIO) else request.body,
                                lambda: (head.keep_alive and settings.http_keepalive and not self._draining
                                         and connection.requests < _MOST_REQUESTS_PER_CONNECTION))
            request.outcome = response.serve(request.parts.application.call, environ)
        except BaseException:
            request.outcome = Outcome.ABORT
            LOG.exception('The server failed on a request')

    # The hub's own callbacks.

    def _answer_bell(self, _fd: int) -> None:
        numbers = os.read(self._bell_out, 4096)
        self._rung = False  # before the queue is emptied: whoever comes later rings again
        while self._returned:
            self._returned.popleft().connection.greenlet.switch()
        for number in numbers:
            if number in self._signals:
                self._act(self._signals[number])

    def _act(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception:  # the hub would stop listening to the bell
            LOG.exception('A signal could not be obeyed')

    def _sweep(self) -> None:
        """Wake up whoever has waited for a client for too long."""
        self._hub.schedule_call_global(_SWEEP_SECONDS, self._sweep)
        now = time.monotonic()
        for connection in [each for each in self._connections if each.deadline <= now]:
            connection.deadline = FOREVER
            connection.greenlet.throw(Stalled())
        if now >= self._stop_at:
            self.stop()

    def _watch_lifeline(self, lifeline: socket.socket) -> None:
        def lost(_fd: int) -> None:
            self._hub.remove(listener)
            LOG.warning('The parent process is gone; worker %d stops.', os.getpid())
            self.stop()
        listener = self._hub.add(self._hub.READ, lifeline.fileno(), lost, None, None)

    def _finish_when_empty(self) -> None:
        if self._draining and not self._connections:
            self._finish()

    def _finish(self) -> None:
        if not self._finished.ready():
            self._finished.send()


def _fresh_hub():
    hubs.use_hub('epolls')
    return hubs.get_hub()


def _connection(sock: socket.socket, address, parts: Parts) -> Connection:
    # A socket for both versions of IP shows an IPv4 peer as ::ffff:192.0.2.1.
    peer = (address[0].removeprefix('::ffff:'), str(address[1])) if isinstance(address, tuple) else ('', '')
    if parts.tls is None:
        return Connection(sock, peer, parts.settings.client_socket_timeout)
    return TLSConnection(sock, peer, parts.settings.client_socket_timeout, parts.tls)
