"""The servers that scripts in tools/backends start, shared by all test processes of a machine."""

import atexit
import fcntl
import functools
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / 'tools' / 'backends'
INSTALL_SECONDS = 900


class Backend:
    """One such server: ``name`` is that of its script."""

    def __init__(self, name: str):
        self.script = SCRIPTS / f'{name}.sh'
        cache = os.environ.get('XDG_CACHE_HOME') or pathlib.Path.home() / '.cache'
        self._folder = pathlib.Path(os.environ.get('GLANCE_BACKENDS') or pathlib.Path(cache) / 'glance-backends') / name

    def run(self, *arguments: str) -> str:
        """Run the script; what it printed.

        :raises AssertionError: it failed
        """
        result = subprocess.run([self.script, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                timeout=INSTALL_SECONDS)
        if result.returncode:
            raise AssertionError(f'{self.script.name} {" ".join(arguments)} ended with {result.returncode}:\n{result.stderr}')
        return result.stdout

    def start(self, command: str = 'start') -> str:
        """Start the server (and install it) when it is not running; what the script printed.

        The last test process that leaves stops it again, unless it was running before the first one came.

        :param command: the word of the script that starts it
        :raises AssertionError: it cannot be installed or started
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._locked('tests.lock', fcntl.LOCK_EX):
            users = self._locked('tests.users', fcntl.LOCK_SH)
            if not self.answers():
                (self._folder / 'tests.started').touch()
            printed = self.run(command)
        atexit.register(self._leave, users)
        return printed

    def answers(self) -> bool:
        """Whether the server is running."""
        return not subprocess.run([self.script, 'status'], stdin=subprocess.DEVNULL, capture_output=True).returncode

    def _leave(self, users) -> None:
        with self._locked('tests.lock', fcntl.LOCK_EX):
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return  # other test processes still use it
            finally:
                users.close()
            if (self._folder / 'tests.started').exists():
                self.run('stop')
                (self._folder / 'tests.started').unlink()

    def _locked(self, name: str, kind: int):
        """A file of the backend's folder, open and locked; closing it unlocks."""
        file = (self._folder / name).open('a')
        fcntl.flock(file, kind)
        return file


@functools.cache
def shared_backend(name: str, command: str = 'start') -> dict[str, str]:
    """Start the backend unless it is running; the NAME=value lines with which its script describes it."""
    return dict(line.split('=', 1) for line in Backend(name).start(command).splitlines() if '=' in line)
