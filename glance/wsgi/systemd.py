"""Notifications to systemd (sd_notify(3)): readiness, reloads, status and the watchdog."""

import os
import socket
import time
from collections.abc import Mapping


class Notifier:
    """Sends to ``NOTIFY_SOCKET``; without it every call does nothing. A failure to send is not our caller's problem."""

    def __init__(self, environment: Mapping[str, str] = os.environ):
        path = environment.get('NOTIFY_SOCKET', '')
        self._address = '\0' + path[1:] if path.startswith('@') else path
        microseconds = environment.get('WATCHDOG_USEC', '')
        pid = environment.get('WATCHDOG_PID', '')
        wanted = self._address and microseconds.isdecimal() and pid in ('', str(os.getpid()))
        self.watchdog_interval: float | None = int(microseconds) / 2e6 if wanted and int(microseconds) else None
        """Seconds between two signs of life; None when systemd wants none."""

    def ready(self, status: str) -> None:
        """The service can be used, after a start or a reload."""
        self._send('READY=1', 'STATUS=' + status)

    def reloading(self) -> None:
        """A reload has begun; ``ready`` follows."""
        self._send('RELOADING=1', 'MONOTONIC_USEC=%d' % (time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000),
                   'STATUS=Reloading the configuration')

    def stopping(self) -> None:
        """The service ends."""
        self._send('STOPPING=1', 'STATUS=Finishing running requests')

    def alive(self) -> None:
        """The sign of life that the watchdog waits for."""
        self._send('WATCHDOG=1')

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.setblocking(False)
                sock.sendto('\n'.join(lines).encode(), self._address)
        except OSError:
            pass
