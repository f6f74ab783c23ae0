"""Commands of the project as processes of their own, without the second that Python needs to import them.

A process that has imported them once (``forkserver`` of multiprocessing) makes a copy of itself for each run.
"""
import importlib
import multiprocessing
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence

_PROCESSES = multiprocessing.get_context('forkserver')
_PROCESSES.set_forkserver_preload(['glance.cmd.manage', 'glance.cmd.cache_manage'])
_OUTPUTS = ('stdout', 'stderr')


def run(module: str, *arguments: str, variables: Mapping[str, str], folder: str | os.PathLike = '/',
        seconds: float = 300) -> subprocess.CompletedProcess:
    """Run ``main`` of *module* (``glance.cmd.…``) to its end; output as text, exit code not judged.

    :param variables: the whole environment of the process
    :param folder: its working folder
    :raises subprocess.TimeoutExpired: it ran longer than *seconds*, and was killed
    """
    with tempfile.TemporaryDirectory(prefix='glance-test-') as outputs:
        process = _PROCESSES.Process(target=_main, args=(module, arguments, dict(variables), os.fspath(folder), outputs))
        process.start()
        process.join(seconds)
        if process.is_alive():
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired([module, *arguments], seconds, *_texts(outputs))
        return subprocess.CompletedProcess([module, *arguments], process.exitcode, *_texts(outputs))


def _texts(outputs: str) -> list[str]:
    return [(pathlib.Path(outputs) / name).read_text() for name in _OUTPUTS]


def _main(module: str, arguments: Sequence[str], variables: dict[str, str], folder: str, outputs: str) -> None:
    for number, path in ((0, os.devnull), *((number + 1, f'{outputs}/{name}') for number, name in enumerate(_OUTPUTS))):
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(variables)
    os.chdir(folder)
    sys.argv = [module, *arguments]
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, 'w', 1), open(2, 'w', 1)
    sys.exit(importlib.import_module(module).main())
