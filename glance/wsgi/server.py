"""The server as a program sees it: settings and an application in, an exit code out."""

import gc
import logging
import os
import signal
import socket
import ssl
import threading
from collections.abc import Callable

from glance.exceptions import ConfigurationError
from glance.wsgi import listener as listeners
from glance.wsgi.listener import Listener
from glance.wsgi.settings import Settings
from glance.wsgi.supervisor import DRAIN, RETIRE, Generation, Supervisor
from glance.wsgi.systemd import Notifier
from glance.wsgi.tls import make_context
from glance.wsgi.worker import Application, Parts, Worker

LOG = logging.getLogger(__name__)

_BIND_RETRY_SECONDS = 30


class Server:
    """Listens and serves, in worker processes or (``workers`` 0) in this one.

    :param settings: see Settings
    :param load_application: makes the WSGI callable; runs in each worker after the fork, and again after a reload. The
        callable may have ``close()``. Raises ConfigurationError
    :param reload: reads the configuration again and returns the new settings; None, having logged why, when it
        is wrong and all values stay as before
    :param report: writes a diagnostic report of the process in which it is called
    :param bind_retry: seconds to wait for an address that is in use
    """

    def __init__(self, settings: Settings, load_application: Callable[[], Callable],
                 reload: Callable[[], Settings | None] | None = None, report: Callable[[], None] = lambda: None,
                 bind_retry: float = _BIND_RETRY_SECONDS):
        self._settings = settings
        self._load_application = load_application
        self._reload = reload or (lambda: settings)
        self._report = lambda: _safely(report)
        self._bind_retry = bind_retry
        self._notifier = Notifier()
        self._listener: Listener | None = None
        self._tls: ssl.SSLContext | None = None
        self._pending: tuple[Settings, Listener, ssl.SSLContext | None] | None = None

    def run(self) -> int:
        """Serve until a signal ends it; returns the exit code of the program.

        :raises ConfigurationError: the certificates or the address cannot be used
        """
        self._tls = make_context(self._settings)
        self._listener = listeners.open_listener(self._settings, self._bind_retry)
        LOG.info('Listening on %s port %d', *self._listener.address)
        if self._settings.workers:
            return self._run_workers()
        return self._run_alone()

    # With worker processes.

    def _run_workers(self) -> int:
        gc.collect()
        gc.freeze()  # what exists now is shared with the workers; their collectors need not touch it
        first = self._generation(self._settings, self._listener, self._tls)
        return Supervisor(first, self._next_generation, self._adopt, lambda: self._listener.close(), self._report,
                          self._notifier).run()

    def _generation(self, settings: Settings, listener: Listener, tls: ssl.SSLContext | None) -> Generation:
        def serve(lifeline: socket.socket, ready: Callable[[], None]) -> int:
            return self._serve_in_child(settings, listener, tls, lifeline, ready)
        return Generation(settings.workers, serve, settings.graceful_shutdown_timeout)

    def _serve_in_child(self, settings: Settings, listener: Listener, tls: ssl.SSLContext | None,
                        lifeline: socket.socket, ready: Callable[[], None]) -> int:
        self._close_other_listeners(listener)
        try:
            application = Application(self._load_application())
        except ConfigurationError as error:
            LOG.error('Worker %d cannot start: %s', os.getpid(), error)
            return 1
        gc.collect()
        gc.freeze()
        worker = Worker(Parts(settings, listener, tls, application), multiprocess=settings.workers > 1)
        worker.run({RETIRE: worker.retire, DRAIN: worker.drain, signal.SIGTERM: worker.stop, signal.SIGUSR2: self._report},
                   ready, lifeline)
        application.close()
        return 0

    def _close_other_listeners(self, own: Listener) -> None:
        """A descriptor left open here would keep the kernel queueing connections that nobody accepts."""
        for other in (self._listener, self._pending and self._pending[1]):
            if other and other is not own:
                other.close()

    def _next_generation(self) -> Generation | None:
        parts = self._reloaded()
        if parts is None:
            return None
        if not parts[0].workers:
            LOG.error('workers = 0 takes effect after a restart only; the number of workers stays %d.',
                      self._settings.workers)
            if parts[1] is not self._listener:
                parts[1].close()
            return None
        self._pending = parts
        return self._generation(*parts)

    def _adopt(self, succeeded: bool) -> None:
        former = self._listener
        pending, self._pending = self._pending, None
        if succeeded:
            self._settings, self._listener, self._tls = pending
            if former is not self._listener:
                former.close()
        elif pending[1] is not former:
            pending[1].close()

    def _reloaded(self) -> tuple[Settings, Listener, ssl.SSLContext | None] | None:
        """What the new configuration asks for; None, having logged why, when it cannot be had."""
        try:
            settings = self._reload()
            if settings is None:
                return None
            tls = make_context(settings)
            return settings, self._listener_for(settings), tls
        except ConfigurationError as error:
            LOG.error('The configuration was not reloaded, the former values stay: %s', error)
        except Exception:  # no reload may end a service that runs
            LOG.exception('The configuration was not reloaded, the former values stay')
        return None

    def _listener_for(self, settings: Settings) -> Listener:
        """The present listener, or a new one when the address has changed."""
        moved = (settings.bind_host, settings.bind_port) != (self._settings.bind_host, self._settings.bind_port)
        listener = self._listener
        if moved and not listener.inherited:
            listener = listeners.bind(settings, retry_seconds=0)
            LOG.info('Listening on %s port %d', *listener.address)
        listener.tune(settings)
        return listener

    # In one process.

    def _run_alone(self) -> int:
        application = Application(self._load_application())
        worker = Worker(Parts(self._settings, self._listener, self._tls, application), multiprocess=False)
        stopping = []

        def terminate() -> None:
            self._notifier.stopping()
            seconds = 0 if stopping else self._settings.graceful_shutdown_timeout
            stopping.append(True)
            if seconds:
                worker.drain(seconds)
            else:
                worker.stop()

        def interrupt() -> None:
            stopping.append(True)
            terminate()

        def reload() -> None:
            if not stopping:
                self._reload_in_place(worker)

        worker.run({signal.SIGTERM: terminate, signal.SIGINT: interrupt, signal.SIGQUIT: interrupt,
                    signal.SIGHUP: reload, signal.SIGUSR2: self._report},
                   lambda: self._announce(worker))
        worker.parts.application.close()
        return 0

    def _announce(self, worker: Worker) -> None:
        self._notifier.ready('serving in one process')
        if self._notifier.watchdog_interval:
            worker.call_every(self._notifier.watchdog_interval, self._notifier.alive)

    def _reload_in_place(self, worker: Worker) -> None:
        self._notifier.reloading()
        parts = self._reloaded()
        if parts and parts[0].workers:
            LOG.warning('workers = %d takes effect after a restart only; one process goes on serving.', parts[0].workers)
        application = self._reloaded_application() if parts else None
        if application:
            self._settings, self._listener, self._tls = parts
            former = worker.replace(Parts(*parts, application))
            worker.when_unused(former, lambda: threading.Thread(target=former.close, daemon=True).start())
        elif parts and parts[1] is not self._listener:
            parts[1].close()
        self._notifier.ready('serving in one process')

    def _reloaded_application(self) -> Application | None:
        try:
            return Application(self._load_application())
        except ConfigurationError as error:
            LOG.error('The application was not reloaded, the former one goes on: %s', error)
        except Exception:
            LOG.exception('The application was not reloaded, the former one goes on')
        return None


def _safely(report: Callable[[], None]) -> None:
    try:
        report()
    except Exception:
        LOG.exception('The diagnostic report could not be written')
