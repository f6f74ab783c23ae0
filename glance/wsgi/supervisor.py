"""The parent of the workers: it forks them, replaces the dead, and hands over from one generation to the next.

A reload never leaves the service without workers: the new generation is forked first, and only when all of it serves is
the old one told to finish. All of them accept from the same socket, so no connection is refused in between.
"""

import collections
import contextlib
import logging
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable

from glance.wsgi.systemd import Notifier

LOG = logging.getLogger(__name__)

_FIRST_DELAY, _LONGEST_DELAY = 0.1, 30.0
_NO_ROOM_DELAY = 1.0
_MOST_FAILURES, _FAILURE_WINDOW = 10, 60.0
_KILL_AFTER = 5.0
RETIRE, DRAIN = signal.SIGHUP, signal.SIGUSR1
"""What workers are told: to leave new connections to others, or that the service ends; either way to finish what has begun."""
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR2, signal.SIGCHLD)
_READY = b'R'
FOREVER = float('inf')


class Failures:
    """When a worker failed lately, and what follows from it."""

    def __init__(self):
        self._times: collections.deque[float] = collections.deque(maxlen=_MOST_FAILURES)

    def add(self, now: float) -> None:
        """Take note of one more."""
        self._times.append(now)

    def _recent(self, now: float) -> int:
        return sum(now - moment <= _FAILURE_WINDOW for moment in self._times)

    def delay(self, now: float) -> float:
        """Seconds to wait before the next attempt."""
        recent = self._recent(now)
        return min(_FIRST_DELAY * 2 ** (recent - 1), _LONGEST_DELAY) if recent else 0.0

    def too_many(self, now: float) -> bool:
        """Whether it fails again and again, so that another attempt makes no sense."""
        return self._recent(now) >= _MOST_FAILURES


class Child:
    """A forked worker. It writes to ``channel``, the parent's end of it, when it serves, and ends when that closes."""

    def __init__(self, pid: int, channel: socket.socket):
        self.pid = pid
        self.channel = channel
        self.ready = False

    def signal(self, number: int) -> None:
        """Send a signal; nothing happens when it has ended."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def reap(self) -> int | None:
        """The exit code once it has ended (negative for a signal), else None."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if pid else None


class Slot:
    """The place of one worker: its present process, and its history of failures."""

    def __init__(self):
        self.child: Child | None = None
        self.failures = Failures()
        self.start_at = 0.0


class Generation:
    """The workers that were started with one configuration.

    :param serve: what a worker runs in its own process: ``serve(lifeline, ready)`` returns the exit code
    :param drain_seconds: ``graceful_shutdown_timeout`` of that configuration
    """

    def __init__(self, workers: int, serve: Callable[[socket.socket, Callable[[], None]], int], drain_seconds: float):
        self.slots = [Slot() for _ in range(workers)]
        self.serve = serve
        self.drain_seconds = drain_seconds

    @property
    def children(self) -> list[Child]:
        """Those of its workers that have not ended."""
        return [slot.child for slot in self.slots if slot.child]

    @property
    def ready(self) -> bool:
        """Whether all of its workers serve."""
        return all(slot.child and slot.child.ready for slot in self.slots)


class Supervisor:
    """Runs until TERM, INT or QUIT, or until a worker fails for good.

    :param next_generation: makes the generation that a HUP asks for; returns None, having said why, when the present
        one has to go on
    :param adopt: called with ``True`` when the new generation has taken over, with ``False`` when it failed to start
    :param stop_listening: closes the listening socket of the parent
    :param report: writes the diagnostic report of this process
    """

    def __init__(self, generation: Generation, next_generation: Callable[[], Generation | None],
                 adopt: Callable[[bool], None], stop_listening: Callable[[], None], report: Callable[[], None],
                 notifier: Notifier):
        self._current = generation
        self._incoming: Generation | None = None
        self._retired: list[Child] = []
        self._next_generation = next_generation
        self._adopt = adopt
        self._stop_listening = stop_listening
        self._report = report
        self._notifier = notifier
        self._selector = selectors.DefaultSelector()
        self._announced = False
        self._reload_again = False
        self._stopping = False
        self._exit_code = 0
        self._term_at = self._kill_at = FOREVER
        self._alive_at = 0.0 if notifier.watchdog_interval else FOREVER

    def run(self) -> int:
        """The exit code of the program."""
        bell_out, bell_in = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._bell = (bell_out, bell_in)
        self._selector.register(bell_out, selectors.EVENT_READ)
        signal.set_wakeup_fd(bell_in, warn_on_full_buffer=False)
        for number in _SIGNALS:
            signal.signal(number, lambda *_: None)
        self._handle(signal.SIGCHLD)
        while not (self._stopping and not self._all_children()):
            for key, _ in self._selector.select(self._next_wakeup()):
                if key.fd == bell_out:
                    for number in os.read(bell_out, 4096):
                        self._handle(number)
                else:
                    self._hear(key.data)
            self._look_after_children()
            self._keep_time()
        return self._exit_code

    # What the parent is told.

    def _handle(self, number: int) -> None:
        if number == signal.SIGTERM and not self._stopping:
            self._stop(self._current.drain_seconds)
        elif number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            self._stop(0)
        elif number == signal.SIGHUP and not self._stopping:
            self._reload()
        elif number == signal.SIGUSR2:
            self._report()
            for child in self._all_children():
                if child.ready:
                    child.signal(signal.SIGUSR2)

    def _hear(self, child: Child) -> None:
        """A worker says that it serves, or has closed its end."""
        if child.channel.recv(1) == _READY:
            child.ready = True
            self._check_progress()
        else:
            self._selector.unregister(child.channel)

    def _check_progress(self) -> None:
        if self._incoming and self._incoming.ready:
            self._hand_over(self._incoming)
        elif not self._announced and self._current.ready:
            self._announced = True
            LOG.info('%d workers are serving', len(self._current.slots))
            self._notifier.ready(self._status())

    def _status(self) -> str:
        return '%d workers' % len(self._current.slots)

    # Reload and stop.

    def _reload(self) -> None:
        if self._incoming:
            self._reload_again = True
            return
        LOG.info('Reloading the configuration')
        self._notifier.reloading()
        self._incoming = self._next_generation()
        if self._incoming is None:
            self._notifier.ready(self._status())

    def _hand_over(self, incoming: Generation) -> None:
        for child in self._current.children:
            child.signal(RETIRE)
            self._retired.append(child)
        self._current, self._incoming = incoming, None
        self._announced = True
        self._adopt(True)
        LOG.info('%d workers serve with the new configuration', len(incoming.slots))
        self._notifier.ready(self._status())
        self._reload_if_asked_again()

    def _give_up_reload(self, incoming: Generation) -> None:
        LOG.error('A worker with the new configuration failed to start; the former workers go on serving.')
        for child in incoming.children:
            child.signal(signal.SIGTERM)
            self._retired.append(child)
        self._incoming = None
        self._adopt(False)
        self._notifier.ready(self._status())
        self._reload_if_asked_again()

    def _reload_if_asked_again(self) -> None:
        again, self._reload_again = self._reload_again, False
        if again:
            self._reload()

    def _stop(self, drain_seconds: float) -> None:
        """Let running requests finish for so many seconds, then end the workers."""
        if not self._stopping:
            self._stopping = True
            self._notifier.stopping()
            self._stop_listening()
        if drain_seconds:
            LOG.info('Stopping; running requests have %d seconds to finish', drain_seconds)
            for child in self._all_children():
                child.signal(DRAIN)
            self._term_at = time.monotonic() + drain_seconds
        else:
            self._term_at = min(self._term_at, time.monotonic())

    # Children.

    def _all_children(self) -> list[Child]:
        incoming = self._incoming.children if self._incoming else []
        return self._current.children + incoming + self._retired

    def _look_after_children(self) -> None:
        for generation in (self._current, self._incoming):
            for slot in generation.slots if generation else ():
                self._look_after(generation, slot)
        for child in list(self._retired):
            if child.reap() is not None:
                self._forget(child)
                self._retired.remove(child)

    def _look_after(self, generation: Generation, slot: Slot) -> None:
        if slot.child and (code := slot.child.reap()) is not None:
            self._mourn(slot, code)
            failed = True
        else:
            abandoned = generation is not self._current and generation is not self._incoming
            due = not slot.child and not self._stopping and not abandoned and time.monotonic() >= slot.start_at
            failed = due and not self._start(generation, slot)
        if failed and generation is self._incoming and not self._stopping:
            self._give_up_reload(generation)

    def _start(self, generation: Generation, slot: Slot) -> bool:
        """Fork a worker; False when the system has no room for one at the moment."""
        try:
            slot.child = self._fork(generation)
        except OSError as error:
            LOG.error('No worker can be started at the moment: %s', error.strerror)
            slot.start_at = time.monotonic() + _NO_ROOM_DELAY
        return slot.child is not None

    def _mourn(self, slot: Slot, code: int) -> None:
        now, pid = time.monotonic(), slot.child.pid
        self._forget(slot.child)
        slot.child = None
        if self._stopping:
            return
        if code:
            slot.failures.add(now)
        slot.start_at = now + slot.failures.delay(now)
        LOG.log(logging.ERROR if code else logging.INFO, 'Worker %d ended with %s', pid,
                'status %d' % code if code >= 0 else 'signal %d' % -code)
        if slot.failures.too_many(now):
            LOG.critical('A worker failed %d times within %d seconds; giving up.', _MOST_FAILURES, _FAILURE_WINDOW)
            self._exit_code = 1
            self._stop(self._current.drain_seconds)

    def _forget(self, child: Child) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(child.channel)
        child.channel.close()

    def _fork(self, generation: Generation) -> Child:
        ours, theirs = socket.socketpair()
        everything = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())

        def let_go() -> None:
            ours.close()
            self._become_child()
            signal.pthread_sigmask(signal.SIG_SETMASK, everything)
        try:
            pid = os.fork()
        except OSError:
            ours.close()
            theirs.close()
            signal.pthread_sigmask(signal.SIG_SETMASK, everything)
            raise
        if not pid:
            _run_child(let_go, generation.serve, theirs)
        signal.pthread_sigmask(signal.SIG_SETMASK, everything)
        theirs.close()
        child = Child(pid, ours)
        self._selector.register(ours, selectors.EVENT_READ, child)
        LOG.info('Started worker %d', pid)
        return child

    def _become_child(self) -> None:
        """Let go of what belongs to the parent; no signal can arrive before that is done."""
        signal.set_wakeup_fd(-1)
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for child in self._all_children():
            child.channel.close()
        self._selector.close()
        for fd in self._bell:
            os.close(fd)

    # Time.

    def _next_wakeup(self) -> float | None:
        moments = [self._alive_at, self._term_at, self._kill_at]
        for generation in (self._current, self._incoming):
            if generation and not self._stopping:
                moments += [slot.start_at for slot in generation.slots if not slot.child]
        moment = min(moments)
        return None if moment == FOREVER else max(moment - time.monotonic(), 0)

    def _keep_time(self) -> None:
        now = time.monotonic()
        if now >= self._term_at:
            self._term_at, self._kill_at = FOREVER, min(self._kill_at, now + _KILL_AFTER)
            for child in self._all_children():
                child.signal(signal.SIGTERM)
        if now >= self._kill_at:
            self._kill_at = FOREVER
            for child in self._all_children():
                child.signal(signal.SIGKILL)
        if now >= self._alive_at:
            self._alive_at = now + self._notifier.watchdog_interval
            if any(child.ready for child in self._all_children()):
                self._notifier.alive()


def _run_child(let_go: Callable[[], None], serve: Callable[[socket.socket, Callable[[], None]], int],
               lifeline: socket.socket) -> None:
    """The life of a worker; does not return."""
    code = 1
    try:
        let_go()
        code = serve(lifeline, lambda: lifeline.send(_READY))
    except Exception:
        LOG.critical('Worker %d failed', os.getpid(), exc_info=True)
    finally:
        logging.shutdown()
        os._exit(code)
