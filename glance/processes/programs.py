"""The servers that can be controlled, where they are installed, and how a process is told to be one of them."""
import dataclasses
import os
import pathlib
import shutil
import sys
import time

from glance.exceptions import ConfigurationError

ALL = 'all'
_PREFIX = 'glance-'
_LOOKS, _MOMENT = 25, 0.002
_PACKAGE = 'glance.cmd.'


@dataclasses.dataclass(frozen=True, slots=True)
class Program:
    """A server. ``reloads`` tells whether it reads its configuration again on HUP."""

    name: str
    reloads: bool


_PROGRAMS = (Program('glance-api', reloads=True), Program('glance-registry', reloads=True),
             Program('glance-scrubber', reloads=False))

NAMES = (*(word for program in _PROGRAMS for word in (program.name.removeprefix(_PREFIX), program.name)), ALL)
"""How servers may be named on a command line."""


def named(server: str) -> list[Program]:
    """Return the programs that one of ``NAMES`` means."""
    return [program for program in _PROGRAMS if server in (ALL, program.name, program.name.removeprefix(_PREFIX))]


def executable(program: Program) -> str:
    """Return the path of the program: from PATH, else from beside the interpreter. Raises ConfigurationError."""
    path = shutil.which(program.name) or shutil.which(program.name, path=os.path.dirname(sys.executable))
    if path is None:
        raise ConfigurationError('%s is not installed: it was found neither in PATH nor beside %s'
                                 % (program.name, sys.executable))
    return path


def is_run_by(program: Program, pid: int) -> bool:
    """Tell whether the process executes the program, be it as a script or as a module of Python."""
    command = _command_line(pid)
    if not command:
        return False
    interpreter, *arguments = command
    if os.path.basename(interpreter) == program.name:
        return True
    if not os.path.basename(interpreter).startswith('python'):
        return False
    module = _PACKAGE + program.name.removeprefix(_PREFIX).replace('-', '_')
    for position, argument in enumerate(arguments):
        if argument == '-m':
            return arguments[position + 1:position + 2] == [module]
        if not argument.startswith('-'):
            return os.path.basename(argument) == program.name
    return False


def _command_line(pid: int) -> list[str]:
    """The words of the process; none when it has ended, or belongs to the kernel."""
    path = pathlib.Path('/proc/%d/cmdline' % pid)
    for _ in range(_LOOKS):
        try:
            text = path.read_bytes().decode(errors='replace')
        except OSError:
            return []
        if text:
            return text.split('\0')[:-1]
        time.sleep(_MOMENT)     # execve(2) is about to write them
    return []
