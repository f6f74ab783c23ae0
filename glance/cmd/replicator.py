"""``glance-replicator``: copies images between services, or to and from a directory, and compares services.

Exit codes: 0 done, whatever ``compare`` has found; 1 a command that makes no sense, a service that cannot be used, or
images that failed, each with an error on stderr; 2 an unknown option. With ``--exit-code``, ``compare`` answers 1 when
it has found differences. Interrupted: 130; the same command goes on where it was.
"""
import sys
from collections.abc import Callable, Sequence

from oslo_config import cfg

from glance import conf
from glance.cmd.failure import fail, fail_unexpectedly
from glance.exceptions import GlanceError
from glance.replication import commands
from glance.replication.address import Address
from glance.replication.commands import Options
from glance.replication.errors import ReplicationFailed
from glance.replication.http import Connection
from glance.replication.service import Service, connect

PROG = 'glance-replicator'
USAGE = '%s COMMAND [ARGUMENTS] [options]' % PROG
_ADDRESSES = 'HOST:PORT, [IPV6]:PORT or a URL such as https://image.example.com:9292'
# Options of old releases whose names others have taken.
_CLASSIC = {'-l': '--log-file', '-s': '--use-syslog'}


class _UsageError(GlanceError):
    """The command line makes no sense; the text says why."""


def main(args: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. ``args`` is the command line without the program's name."""
    args = [_CLASSIC.get(arg, arg) for arg in (sys.argv[1:] if args is None else args)]
    config = cfg.ConfigOpts()
    try:
        conf.load(args, prog=PROG, usage=USAGE, conf=config)
        return _run(config)
    except KeyboardInterrupt:
        print('Interrupted; the same command goes on where it was', file=sys.stderr)
        return 130
    except _UsageError as error:
        code = fail(str(error))
        print(_overview(), file=sys.stderr)
        return code
    except GlanceError as error:
        return fail(str(error))
    except Exception as error:
        if config.debug:
            raise
        return fail_unexpectedly(error)


def _run(config: cfg.ConfigOpts) -> int:
    name, *arguments = config.command or ['help']
    if name == 'help':
        return _help(arguments)
    if name not in _COMMANDS:
        raise _UsageError('There is no command %r' % name)
    names, run = _COMMANDS[name]
    if len(arguments) != len(names):
        raise _UsageError('"%s" takes the arguments %s' % (name, ' '.join(names)))
    return run(config, *arguments)


# The commands. Their docstrings are the help that operators read.

def _size(config: cfg.ConfigOpts, server: str) -> int:
    """Tell how much data the active images of a service have."""
    return commands.size(_target(config, server))


def _dump(config: cfg.ConfigOpts, server: str, path: str) -> int:
    """Write the images of a service to a directory. Files that are there stay as they are."""
    return commands.dump(_source(config, server), path, _options(config))


def _load(config: cfg.ConfigOpts, server: str, path: str) -> int:
    """Bring the images of a directory to a service: records are updated, missing images created with their data."""
    return commands.load(_target(config, server), path, _options(config))


def _livecopy(config: cfg.ConfigOpts, source: str, target: str) -> int:
    """Bring the images of a service to another one, as "dump" and "load" would."""
    return commands.livecopy(_source(config, source), _target(config, target), _options(config))


def _compare(config: cfg.ConfigOpts, source: str, target: str) -> int:
    """Log every difference between the images of a service and those of another one."""
    return commands.compare(_source(config, source), _target(config, target), _options(config))


_COMMANDS: dict[str, tuple[tuple[str, ...], Callable[..., int]]] = {
    'size': (('SERVER',), _size),
    'dump': (('SERVER', 'PATH'), _dump),
    'load': (('SERVER', 'PATH'), _load),
    'livecopy': (('SOURCE', 'TARGET'), _livecopy),
    'compare': (('SOURCE', 'TARGET'), _compare),
}


def _help(arguments: Sequence[str]) -> int:
    if not arguments:
        print(_overview())
        return 0
    if arguments[0] not in _COMMANDS:
        raise _UsageError('There is no command %r' % arguments[0])
    names, run = _COMMANDS[arguments[0]]
    print('usage: %s %s %s [options]\n\n%s\n\nServices are written as %s.'
          % (PROG, arguments[0], ' '.join(names), run.__doc__, _ADDRESSES))
    return 0


def _overview() -> str:
    lines = ['usage: ' + USAGE, '', 'commands:']
    for name, (names, run) in _COMMANDS.items():
        lines.append('  %-24s %s' % (' '.join((name, *names)), run.__doc__))
    lines += ['  %-24s %s' % ('help [COMMAND]', 'Show this, or how a command is used.'), '',
              'Services are written as %s.' % _ADDRESSES, '"%s --help" lists the options.' % PROG]
    return '\n'.join(lines)


def _source(config: cfg.ConfigOpts, text: str) -> Service:
    return _service(config, text, 'sourcetoken')


def _target(config: cfg.ConfigOpts, text: str) -> Service:
    return _service(config, text, 'targettoken')


def _service(config: cfg.ConfigOpts, text: str, token: str) -> Service:
    try:
        address = Address.parse(text)
    except ReplicationFailed as error:
        raise _UsageError(str(error)) from error
    return connect(Connection(address, _token(config, token), not config.insecure, config.os_cacert))


def _token(config: cfg.ConfigOpts, name: str) -> str:
    """The token for one side: --token comes before what a file says of that side, and after the command line."""
    location = config.get_location(name)
    is_on_command_line = location is not None and location.location is cfg.Locations.command_line
    return config[name] if is_on_command_line else config.token or config[name]


def _options(config: cfg.ConfigOpts) -> Options:
    return Options(config.chunksize, tuple(config.dontreplicate.split()), config.metaonly, config.exit_code)


if __name__ == '__main__':
    sys.exit(main())
