"""A server with its pid file: whether it runs, how it is started and stopped."""
import contextlib
import fcntl
import os
import pathlib
import resource
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence

from glance.exceptions import ConfigurationError
from glance.processes import programs
from glance.processes.process import Process
from glance.processes.programs import Program

DEFAULT_DIRECTORY = pathlib.Path('/var/run/glance')
_LIMITS = {resource.RLIMIT_NOFILE: ('open files', 32768), resource.RLIMIT_DATA: ('data segment', 2 << 30)}


class Server:
    """A program, and the file that holds the number of its process.

    Whoever starts or stops holds a lock on the directory of the file, so that two of them do not start the same server.
    """

    def __init__(self, program: Program, pid_file: str | None = None):
        self.program = program
        self.pid_file = pathlib.Path(pid_file or DEFAULT_DIRECTORY / (program.name + '.pid')).absolute()

    @property
    def name(self) -> str:
        """The name of the program."""
        return self.program.name

    def recorded_pid(self) -> int | None:
        """The number in the pid file; None when there is no file, or no number in it. Raises ConfigurationError."""
        try:
            text = self.pid_file.read_text(errors='replace').strip()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ConfigurationError('The pid file %s cannot be read: %s' % (self.pid_file, error.strerror)) from error
        return int(text) if text.isascii() and text.isdigit() and 0 < len(text) < 10 else None

    @contextlib.contextmanager
    def process(self) -> Iterator[Process | None]:
        """The running process; None when the pid file names none, one that has ended, or some other program."""
        pid = self.recorded_pid()
        try:
            process = Process(pid) if pid else None
        except OSError:         # there is none, or it is a thread of another process
            process = None
        if process is None:
            yield None
            return
        with process:
            # In this order: what is asked about the number holds for the process that has been taken hold of.
            is_ours = programs.is_run_by(self.program, process.pid) and not process.ends_within(0)
            yield process if is_ours else None

    def prepare_directory(self) -> bool:
        """Make the directory of the pid file; where that, or writing to it, is not permitted, choose a new one.

        Returns whether another one was chosen.
        """
        with contextlib.suppress(OSError):
            self.pid_file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        if os.access(self.pid_file.parent, os.W_OK | os.X_OK):
            return False
        self.pid_file = pathlib.Path(tempfile.mkdtemp(prefix=self.name + '-')) / self.pid_file.name
        return True

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep others from starting and stopping servers with pid files in the same directory."""
        try:
            descriptor = os.open(self.pid_file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:         # no directory, no pid file, nothing to be in the way of
            yield
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def launch(self, arguments: Sequence[str], capture_output: bool) -> subprocess.Popen:
        """Start the program in a session of its own and record its process. Raises ConfigurationError, leaving none behind.

        With ``capture_output`` what it prints goes to syslog.
        """
        command = [programs.executable(self.program), *arguments]
        environment = {**os.environ, 'PYTHON_EGG_CACHE': '/tmp'}
        reading, writing = os.pipe() if capture_output else (None, None)
        try:
            process = subprocess.Popen(command, env=environment, start_new_session=True, stdin=subprocess.DEVNULL,
                                       stdout=writing or subprocess.DEVNULL, stderr=subprocess.STDOUT)
            try:
                if reading is not None:
                    _start_logger('%s[%d]' % (self.name, process.pid), reading)
                self._record(process)
            except ConfigurationError:
                process.terminate()
                process.wait()
                raise
        finally:
            for descriptor in (reading, writing):
                if descriptor is not None:
                    os.close(descriptor)
        return process

    def _record(self, process: subprocess.Popen) -> None:
        """Write the pid file whole or not at all. Raises ConfigurationError."""
        temporary = self.pid_file.with_name('.%s.%d' % (self.pid_file.name, os.getpid()))
        try:
            temporary.write_text('%d\n' % process.pid)
            temporary.replace(self.pid_file)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise ConfigurationError('The pid file %s cannot be written: %s' % (self.pid_file, error.strerror)) from error

    def forget(self) -> None:
        """Remove the pid file. Raises ConfigurationError."""
        try:
            self.pid_file.unlink(missing_ok=True)
        except OSError as error:
            raise ConfigurationError('The pid file %s cannot be removed: %s' % (self.pid_file, error.strerror)) from error

    def terminate(self, process: Process, patience: float) -> bool:
        """Forget the process and ask it to end; return whether it does within ``patience`` seconds.

        Raises PermissionError for a process of somebody else, which stays on record.
        """
        process.send(0)
        self.forget()
        process.send(signal.SIGTERM)
        return process.ends_within(patience)


def raise_limits() -> list[str]:
    """Raise the limits of this process, which servers inherit; return a sentence for each that stays too low."""
    problems = []
    for limit, (title, wanted) in _LIMITS.items():
        soft, hard = resource.getrlimit(limit)
        if _reaches(soft, wanted):
            continue
        try:
            resource.setrlimit(limit, (wanted, hard if _reaches(hard, wanted) else wanted))
        except (OSError, ValueError):
            resource.setrlimit(limit, (hard, hard))
            problems.append('The limit "%s" is %d instead of %d: raising it is not permitted.' % (title, hard, wanted))
    return problems


def _reaches(value: int, wanted: int) -> bool:
    return value == resource.RLIM_INFINITY or value >= wanted


def _start_logger(tag: str, source: int) -> None:
    """Have ``logger`` pass lines of the descriptor on to syslog, until their writer ends."""
    try:
        subprocess.Popen(['logger', '-t', tag], stdin=source, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                         start_new_session=True)
    except OSError as error:
        raise ConfigurationError('--capture-output needs the program "logger": %s' % error.strerror) from error
