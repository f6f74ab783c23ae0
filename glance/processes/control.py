"""The commands of ``glance-control``: each takes servers, says what it does on standard output, returns an exit code."""
import dataclasses
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence

from glance.exceptions import GlanceError
from glance.processes.keeper import STOP_SECONDS, Keeper
from glance.processes.server import Server, raise_limits

# More than the servers take by default to finish running requests (60 s) and to end the rest (5 s).
SHUTDOWN_SECONDS = 75.0
KILL_SECONDS = 5.0
NOT_RUNNING = 3         # of "status", as in the Linux Standard Base


@dataclasses.dataclass(frozen=True, slots=True)
class StartOptions:
    """How servers are started.

    ``arguments`` are given to them. ``await_child`` is how many seconds to see whether one ends at once. ``respawn``
    stays and starts again what ends.
    """

    arguments: Sequence[str] = ()
    capture_output: bool = False
    await_child: float = 0
    respawn: bool = False


def start(servers: Sequence[Server], options: StartOptions) -> int:
    """Start what does not run yet; returns 0, 1 when a server cannot be started, or the code of one that ended."""
    for problem in raise_limits():
        print('WARNING: ' + problem, file=sys.stderr)
    keeper = Keeper(lambda server: server.launch(options.arguments, options.capture_output), _say)
    code = _for_each(servers, lambda server: _start_one(server, options, keeper))
    if options.respawn:
        keeper.watch()
    return code


def _start_one(server: Server, options: StartOptions, keeper: Keeper) -> int:
    elsewhere = server.prepare_directory()
    with server.locked():
        with server.process() as process:
            if process is not None:
                _say('%s is running already, as process %d' % (server.name, process.pid))
                return 0
        if server.pid_file.exists():
            _say('Removing the stale pid file %s' % server.pid_file)
            server.forget()
        _say(' '.join(('Starting', server.name, *options.arguments)))
        if options.respawn:
            keeper.start(server)
        else:
            child = server.launch(options.arguments, options.capture_output)
    if elsewhere:
        _say('The pid file is %s, because the usual directory cannot be written. To stop the server:\n'
             '  glance-control --pid-file %s %s stop' % (server.pid_file, server.pid_file, server.name))
    return 0 if options.respawn else _code_of_child(server, child, options.await_child)


def _code_of_child(server: Server, child: subprocess.Popen, seconds: float) -> int:
    """Return the exit code of a server that ends within the time, else 0."""
    if not seconds:
        return 0
    try:
        code = child.wait(seconds)
    except subprocess.TimeoutExpired:
        return 0
    with server.locked():
        if server.recorded_pid() == child.pid:
            server.forget()
    _complain('%s ended at once with %s; run it in a terminal to see why'
              % (server.name, 'exit code %d' % code if code >= 0 else 'signal %d' % -code))
    return code if code >= 0 else 128 - code


def stop(servers: Sequence[Server]) -> int:
    """End servers with TERM, and with KILL those that take longer than 15 s; returns 1 when one lives on."""
    return _for_each(servers, _stop_one)


def _stop_one(server: Server) -> int:
    with server.locked(), server.process() as process:
        if process is None:
            return _tell_not_running(server)
        _say('Stopping %s, process %d' % (server.name, process.pid))
        if server.terminate(process, STOP_SECONDS):
            return 0
        _say('%s did not end within %d s; killing it' % (server.name, STOP_SECONDS))
        process.kill()
        if process.ends_within(KILL_SECONDS):
            return 0
        _complain('%s, process %d, did not end' % (server.name, process.pid))
        return 1


def shut_down(servers: Sequence[Server]) -> int:
    """End servers with TERM and give them time to finish requests; returns 1 when one needs more than 75 s."""
    return _for_each(servers, _shut_down_one)


def _shut_down_one(server: Server) -> int:
    with server.locked(), server.process() as process:
        if process is None:
            return _tell_not_running(server)
        _say('Shutting down %s, process %d, once it has finished its requests' % (server.name, process.pid))
        if server.terminate(process, SHUTDOWN_SECONDS):
            return 0
        _complain('%s is still finishing requests; "kill -KILL %d" ends it' % (server.name, process.pid))
        return 1


def restart(servers: Sequence[Server], options: StartOptions) -> int:
    """Stop servers, then start them; one that does not end keeps all from being started."""
    return stop(servers) or start(servers, options)


def reload(servers: Sequence[Server]) -> int:
    """Have servers read their configuration again; returns 1 when one cannot do that, or does not run."""
    return _for_each(servers, _reload_one)


def _reload_one(server: Server) -> int:
    if not server.program.reloads:
        _say('%s cannot reload its configuration; restart it' % server.name)
        return 1
    with server.process() as process:
        if process is None:
            _say('%s is not running' % server.name)
            return 1
        _say('Reloading %s, process %d' % (server.name, process.pid))
        process.send(signal.SIGHUP)
    return 0


def status(servers: Sequence[Server]) -> int:
    """Tell which servers run; returns 3 when one does not."""
    return _for_each(servers, _tell_status)


def _tell_status(server: Server) -> int:
    with server.process() as process:
        if process is not None:
            _say('%s is running, as process %d' % (server.name, process.pid))
            return 0
    pid = server.recorded_pid()
    _say('%s is stopped%s' % (server.name, ' (its pid file names process %d, which is not it)' % pid if pid else ''))
    return NOT_RUNNING


def _tell_not_running(server: Server) -> int:
    _say('%s is not running' % server.name)
    if server.pid_file.exists():
        _say('Removing the stale pid file %s' % server.pid_file)
        server.forget()
    return 0


def _for_each(servers: Sequence[Server], action: Callable[[Server], int]) -> int:
    """Do it with every server, also after one has failed; returns the highest exit code."""
    codes = [0]
    for server in servers:
        try:
            codes.append(action(server))
        except PermissionError:
            _complain('%s belongs to another user; run this as root or as that user' % server.name)
            codes.append(1)
        except GlanceError as error:
            _complain(str(error))
            codes.append(1)
    return max(codes)


def _say(text: str) -> None:
    print(text, flush=True)


def _complain(text: str) -> None:
    print('ERROR: ' + text, file=sys.stderr, flush=True)
