"""One process of this host, held such that another one with the same number is never taken for it."""
import contextlib
import os
import select
import signal
from typing import Self


class Process:
    """A process that exists, or has ended and not been collected by its parent. Close it, or use it as a context.

    Raises ProcessLookupError when there is none with this number.
    """

    def __init__(self, pid: int):
        self.pid = pid
        self._descriptor = os.pidfd_open(pid)
        self._ending = select.poll()
        self._ending.register(self._descriptor, select.POLLIN)

    def ends_within(self, seconds: float) -> bool:
        """Wait until the process has ended, but not longer than this; return whether it has."""
        return bool(self._ending.poll(seconds * 1000))

    def send(self, number: int) -> None:
        """Send a signal, or with 0 only ask; nothing happens when the process has ended. Raises PermissionError."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._descriptor, number)

    def kill(self) -> None:
        """End the process, and its group where it leads one, at once. Raises PermissionError."""
        with contextlib.suppress(ProcessLookupError):
            leads_group = os.getpgid(self.pid) == self.pid and not self.ends_within(0)
            if leads_group:
                os.killpg(self.pid, signal.SIGKILL)
        self.send(signal.SIGKILL)

    def close(self) -> None:
        """Let go of the process; it goes on."""
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()
