"""The command line client of Sheepdog: how it is called, fed and read, and what its exit codes mean.

Arguments are lists, never lines for a shell. A call that takes and gives nothing for the idle timeout is killed.
"""
import contextlib
import logging
import os
import re
import select
import shutil
import subprocess
import time
from typing import NamedTuple, NoReturn

from glance import exceptions

LOG = logging.getLogger(__name__)

SECTOR = 512
"""What offsets and lengths are multiples of; the client cuts off what is beyond the end of a VDI."""
_PROGRAMS = ('dog', 'collie')
_PIPE_BYTES = 256 * 1024
_COMPLAINT_BYTES = 4096
_END_SECONDS = 10
_WORD = re.compile(r'((?:\\.|[^ \\])+)')

_UNREACHABLE, _EXISTS, _FULL, _MISSING = 2, 3, 4, 5
_ERRORS = {_EXISTS: exceptions.ObjectExists, _MISSING: exceptions.ObjectNotFound, _FULL: exceptions.StoreFull}


class Vdi(NamedTuple):
    """A disk of the cluster: its name, its size in bytes, and when it was made in seconds of the epoch."""

    name: str
    size: int
    created: float


def find() -> str | None:
    """The path of the client, in its current or its old name; None where it is not installed."""
    return next(filter(None, map(shutil.which, _PROGRAMS)), None)


class Process(subprocess.Popen):
    """The client at work."""

    complaint = ''
    """What it wrote on its standard error, known after ``end``."""

    def end(self) -> None:
        """Make sure that it is gone, and close its pipes; safe to call twice."""
        if self.poll() is None:
            self.kill()
        self.wait()
        if not self.stderr.closed:
            os.set_blocking(self.stderr.fileno(), False)
            self.complaint = (self.stderr.read(_COMPLAINT_BYTES) or b'').decode(errors='replace').strip()
        for pipe in (self.stdin, self.stdout, self.stderr):
            if pipe:
                pipe.close()


class Client:
    """The client for one node of a cluster.

    :param idle_timeout: seconds
    :param title: the store, for the log
    """

    def __init__(self, program: str, address: str, port: int, idle_timeout: float, title: str):
        self.program, self.address, self.port = program, address, port
        self.idle_timeout, self.title = idle_timeout, title

    def probe(self) -> bool:
        """Whether the program can be run at all; asks no server."""
        try:
            return not subprocess.run([self.program], stdin=subprocess.DEVNULL, capture_output=True,
                                      timeout=_END_SECONDS).returncode
        except (OSError, subprocess.TimeoutExpired):
            return False

    def list(self, name: str | None = None) -> list[Vdi]:
        """All disks, or the one of this name if there is one; snapshots left out."""
        listed = []
        for line in self.run('list', *([name] if name else []), raw=True).decode(errors='replace').splitlines():
            words = _WORD.findall(line)
            if len(words) < 7 or words[0] == 's':
                continue
            vdi = Vdi(re.sub(r'\\(.)', r'\1', words[1]), int(words[3]), float(words[6]))
            if name in (None, vdi.name):
                listed.append(vdi)
        return listed

    def run(self, action: str, *arguments: str, raw: bool = False, content: memoryview | bytes = b'') -> bytes:
        """Carry out one action on disks; what the client printed.

        :param content: what it finds on its standard input
        :raises ObjectExists, ObjectNotFound, StoreFull, StoreUnavailable, StoreError: by its exit code
        """
        process = self.start(action, *arguments, raw=raw, stdin=subprocess.PIPE)
        printed = bytearray()
        try:
            self._exchange(process, memoryview(content), printed)
        finally:
            process.end()
        self.check(process, action)
        return bytes(printed)

    def start(self, action: str, *arguments: str, raw: bool = False, stdin: int = subprocess.DEVNULL) -> Process:
        """Start one action and leave the rest to the caller. Raises StoreUnavailable when the program is gone."""
        command = [self.program, 'vdi', action, *(['-r'] if raw else []), '-a', self.address, '-p', str(self.port),
                   *arguments]
        try:
            return Process(command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
                                    env={**os.environ, 'LC_ALL': 'C'})
        except OSError as error:
            LOG.error('%s: %s cannot be run: %s', self.title, self.program, error.strerror)
            raise exceptions.StoreUnavailable() from error

    def wait_readable(self, process: Process) -> None:
        """Return when the process printed something, or ended. Raises StoreUnavailable when it is idle for too long."""
        poll = select.poll()
        poll.register(process.stdout, select.POLLIN | select.POLLHUP)
        if not poll.poll(self.idle_timeout * 1000):
            self._idle(process)

    def check(self, process: Process, action: str) -> None:
        """Raise what the exit code of a process that ended means."""
        code = process.returncode
        if not code:
            return
        if code in (1, _EXISTS) and 'exists already' in process.complaint:
            raise exceptions.ObjectExists()
        if code != _MISSING:
            LOG.error('%s: "vdi %s" ended with %d: %s', self.title, action, code, process.complaint)
        if code in _ERRORS:
            raise _ERRORS[code]()
        raise exceptions.StoreUnavailable() if code in (1, _UNREACHABLE) or code < 0 else exceptions.StoreError()

    def _exchange(self, process: Process, content: memoryview, printed: bytearray) -> None:
        """Feed a process, collect what it prints, and wait for its end."""
        os.set_blocking(process.stdin.fileno(), False)
        poll = select.poll()
        poll.register(process.stdout, select.POLLIN | select.POLLHUP)
        poll.register(process.stdin, select.POLLOUT)
        while True:
            ready = dict(poll.poll(self.idle_timeout * 1000))
            if not ready:
                self._idle(process)
            if not process.stdin.closed and process.stdin.fileno() in ready:
                try:
                    content = content[process.stdin.write(content[:_PIPE_BYTES]) or 0:]
                except BrokenPipeError:     # its exit code tells why it does not want more
                    content = content[:0]
                if not content:
                    poll.unregister(process.stdin)
                    process.stdin.close()
            if process.stdout.fileno() in ready:
                output = process.stdout.read(_PIPE_BYTES)
                if not output:
                    break
                printed += output
        process.stdin.close()
        try:
            process.wait(self.idle_timeout)
        except subprocess.TimeoutExpired:
            self._idle(process)

    def _idle(self, process: Process) -> NoReturn:
        process.kill()
        LOG.error('%s: %s did nothing for %d seconds and was killed', self.title, self.program, self.idle_timeout)
        raise exceptions.StoreUnavailable()


class ReadingProcess:
    """A part of a disk, read from the client's standard output.

    :param offset: the first byte wanted
    :param length: the number of bytes wanted
    """

    def __init__(self, client: Client, name: str, offset: int, length: int):
        self._client = client
        self._skip, self._left = offset % SECTOR, length
        first = offset - self._skip
        self._process = client.start('read', name, str(first), str(in_sectors(offset + length) - first))

    def readinto(self, buffer: memoryview) -> int:
        """Fill the buffer; the number of bytes, 0 when all wanted ones are delivered.

        :raises StoreError: when the client ends before; StoreUnavailable and others as ``Client.run``
        """
        while self._left:
            self._client.wait_readable(self._process)
            if self._skip:
                skipped = self._process.stdout.read(self._skip)
                self._skip -= len(skipped)
                if skipped:
                    continue
            else:
                count = self._process.stdout.readinto(buffer[:self._left])
                if count:
                    self._left -= count
                    return count
            self._fail()
        return 0

    def close(self) -> None:
        """End the process, also in the middle."""
        self._process.end()

    def _fail(self) -> NoReturn:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_SECONDS)
        self.close()
        self._client.check(self._process, 'read')
        raise exceptions.StoreError('The data of the image ends before its end.')


def in_sectors(length: int) -> int:
    """The length, rounded up to whole sectors."""
    return -(-length // SECTOR) * SECTOR


def now() -> float:
    """The time by which ages of disks are told: seconds of the epoch, as the cluster has it."""
    return time.time()
