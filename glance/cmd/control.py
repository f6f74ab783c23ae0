"""``glance-control``: starts, stops and signals the servers of this host, by their pid files.

Exit codes: 0 done, also when there was nothing to do; 1 refused or failed, with ``ERROR: …`` on stderr; 2 wrong command
line; 3 answer of ``status`` when a server does not run. With ``--await-child`` the code of a server that ended.
"""
import os
import sys
from collections.abc import Sequence

from oslo_config import cfg

from glance import conf
from glance.cmd.failure import fail
from glance.conf.control import cli_options
from glance.exceptions import ConfigurationError, GlanceError
from glance.processes import control, programs
from glance.processes.control import StartOptions
from glance.processes.server import Server

PROG = 'glance-control'
USAGE = '%s [options] SERVER COMMAND [CONFPATH]' % PROG

COMMANDS = {
    'start': lambda servers, options: control.start(servers, options),
    'stop': lambda servers, _: control.stop(servers),
    'shutdown': lambda servers, _: control.shut_down(servers),
    'restart': lambda servers, options: control.restart(servers, options),
    'reload': lambda servers, _: control.reload(servers),
    'force-reload': lambda servers, _: control.reload(servers),
    'status': lambda servers, _: control.status(servers),
}


def main(args: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. ``args`` is the command line without the program's name."""
    config = cfg.ConfigOpts()
    config.register_cli_opts(cli_options(programs.NAMES, tuple(COMMANDS)))
    try:
        conf.parse(config, sys.argv[1:] if args is None else args, PROG, USAGE)
        mistake = _mistake(config)
        if mistake:
            print('usage: %s\n%s: error: %s' % (USAGE, PROG, mistake), file=sys.stderr)
            return 2
        servers = [Server(program, config.pid_file) for program in programs.named(config.server)]
        return COMMANDS[config.command](servers, _start_options(config))
    except GlanceError as error:
        return fail(str(error))


def _mistake(config: cfg.ConfigOpts) -> str | None:
    """What is wrong with the command line, if anything."""
    for title, value, known in (('SERVER', config.server, programs.NAMES), ('COMMAND', config.command, COMMANDS)):
        if value not in known:
            return '%s is %r; it must be one of: %s' % (title, value, ', '.join(known))
    if config.pid_file and config.server == programs.ALL:
        return '--pid-file names the file of one server; it cannot be used with "all"'
    return None


def _start_options(config: cfg.ConfigOpts) -> StartOptions:
    if config.await_child and config.respawn:
        raise ConfigurationError('--await-child and --respawn cannot be used together: one leaves, the other stays')
    if config.confpath and not os.path.isfile(config.confpath):
        raise ConfigurationError('The configuration file %s does not exist' % config.confpath)
    arguments = ('--config-file', os.path.abspath(config.confpath)) if config.confpath else ()
    return StartOptions(arguments, config.capture_output, config.await_child, config.respawn)


if __name__ == '__main__':
    sys.exit(main())
