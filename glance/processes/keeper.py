"""Stays with servers and starts those again that end, unless somebody meant them to."""
import collections
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from types import FrameType

from glance.processes.process import Process
from glance.processes.server import Server

# A server that ends this soon is not started again.
BOUNCING_SECONDS = 1.0
# Nor is one that has ended this often within so many seconds of its start, as with a configuration that it refuses.
SHORT_LIVES, SHORT_SECONDS = 10, 10.0
STOP_SECONDS = 15.0

Launch = Callable[[Server], subprocess.Popen]


class _Stopped(Exception):
    """Somebody sent this process TERM or INT."""


class Keeper:
    """Watches the servers that this process has started.

    ``launch`` starts a server. ``tell`` is given sentences about what happens.
    """

    def __init__(self, launch: Launch, tell: Callable[[str], None]):
        self._launch, self._tell = launch, tell
        self._kept: dict[int, tuple[Server, subprocess.Popen, float]] = {}
        self._short_lives: collections.Counter[str] = collections.Counter()

    def start(self, server: Server) -> None:
        """Start a server and keep it running."""
        process = self._launch(server)
        self._kept[process.pid] = (server, process, time.monotonic())

    def watch(self) -> None:
        """Return when no server is left; on TERM or INT stop all of them first."""
        handlers = {number: signal.signal(number, _raise_stopped) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            while self._kept:
                self._attend(os.waitpid(-1, 0)[0])
        except _Stopped:
            for number in handlers:
                signal.signal(number, signal.SIG_IGN)
            self._stop_all()
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def _attend(self, pid: int) -> None:
        """Decide what becomes of a server whose process has ended."""
        server, process, started = self._kept.pop(pid, (None, None, 0.0))
        if server is None:      # some helper of a server, such as logger
            return
        process.returncode = -1     # waited for above; keeps subprocess from waiting again
        with server.locked():
            if server.recorded_pid() != pid:
                self._tell('%s[%d] was stopped deliberately' % (server.name, pid))
                return
            server.forget()
            if self._is_bouncing(server, time.monotonic() - started):
                self._tell('%s[%d] is bouncing: it ends soon after it is started; it is not started again'
                           % (server.name, pid))
                return
            self.start(server)
        self._tell('%s[%d] ended; started again as %d' % (server.name, pid, next(reversed(self._kept))))

    def _is_bouncing(self, server: Server, life: float) -> bool:
        self._short_lives[server.name] = self._short_lives[server.name] + 1 if life < SHORT_SECONDS else 0
        return life < BOUNCING_SECONDS or self._short_lives[server.name] >= SHORT_LIVES

    def _stop_all(self) -> None:
        for pid, (server, popen, _) in self._kept.items():
            self._tell('Stopping %s[%d]' % (server.name, pid))
            # The signal may have come when the process had just been waited for.
            with contextlib.suppress(ProcessLookupError), Process(pid) as process:
                if not server.terminate(process, STOP_SECONDS):
                    process.kill()
            popen.wait()


def _raise_stopped(_number: int, _frame: FrameType | None) -> None:
    raise _Stopped
