"""The clients that people use, run as they come."""

import json
import os
import pathlib
import subprocess
import sys

PROGRAMS = pathlib.Path(sys.executable).parent


class Client:
    """Somebody at a terminal: ``openstack``, ``glance`` and Python, with nothing of the caller's settings.

    :param variables: the ``OS_…`` variables of that terminal
    :param folder: current and home folder of what is run
    """

    def __init__(self, variables: dict[str, str], folder: pathlib.Path):
        inherited = {name: value for name, value in os.environ.items() if name in ('PATH', 'LANG', 'LD_LIBRARY_PATH')}
        self.variables = {**inherited, 'HOME': str(folder), 'NO_PROXY': '127.0.0.1', **variables}
        self.folder = folder

    def run(self, program: str, *arguments: object) -> subprocess.CompletedProcess:
        """Run a program; its output as text, its exit code not judged."""
        return subprocess.run([PROGRAMS / program, *map(str, arguments)], env=self.variables, cwd=self.folder,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)

    def call(self, program: str, *arguments: object) -> str:
        """Run a program that must succeed; what it printed.

        :raises AssertionError: it failed
        """
        result = self.run(program, *arguments)
        if result.returncode:
            raise AssertionError(f'{result.args} ended with {result.returncode}: {result.stdout}{result.stderr}')
        return result.stdout

    def refused(self, program: str, *arguments: object) -> str:
        """Run a program that must fail; its complaint.

        :raises AssertionError: it succeeded
        """
        result = self.run(program, *arguments)
        if not result.returncode:
            raise AssertionError(f'{result.args} succeeded: {result.stdout}')
        return result.stderr

    def ask(self, *arguments: object):
        """What an ``openstack`` command that must succeed shows, as it says it in JSON."""
        return json.loads(self.call('openstack', *arguments, '-f', 'json'))
