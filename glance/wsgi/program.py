"""A server as a program: from the command line to the exit code, the same for each of them.

Exit codes: 0 stopped by TERM or INT; 1 the configuration, the address or the certificates cannot be used, or the
workers fail again and again; 2 wrong command line; 3 a store cannot be used as it is configured; 4 an unexpected value;
5 an option with an invalid value; 99 anything else. Signals: TERM finishes running requests, a second TERM or INT stops
at once, HUP reloads, USR2 writes a diagnostic report.
"""

import logging
import os
import sys
from collections.abc import Callable, Sequence

from glance import conf, exceptions
from glance.conf import server as server_options
from glance.metrics import recorder as metrics
from glance.wsgi import application, debugger, report, settings
from glance.wsgi.server import Server

LOG = logging.getLogger(__name__)

_UMASK = 0o027


def run(prog: str, build: application.Builder, args: Sequence[str] | None = None) -> int:
    """Serve until a signal ends it; returns the exit code.

    :param prog: name of the program and of its application in the paste file
    :param build: makes the parts of a process from its configuration
    :param args: the command line without the program's name
    """
    args = sys.argv[1:] if args is None else list(args)
    os.umask(_UMASK)
    _lead_own_process_group()
    try:
        conf.load(args, prog=prog)
        with metrics.common_folder(conf.CONF):
            application.check(conf.CONF, prog, build)
            return Server(_settings(prog), lambda: _load(prog, build), _reloader(prog, build, args),
                          lambda: report.write(prog)).run()
    except conf.InvalidOptionValue as error:
        return _fail(5, error)
    except exceptions.StoreConfigurationError as error:
        return _fail(3, error)
    except exceptions.GlanceError as error:
        return _fail(1, error)
    except ValueError as error:
        LOG.critical('%s failed', prog, exc_info=True)
        return _fail(4, error)
    except Exception as error:
        LOG.critical('%s failed', prog, exc_info=True)
        return _fail(99, error)


def _lead_own_process_group() -> None:
    try:
        os.setpgid(0, 0)
    except OSError:  # a session leader has its group already
        pass


def _load(prog: str, build: application.Builder) -> Callable:
    """What each worker serves."""
    debugger.attach(conf.CONF)
    return application.load(conf.CONF, prog, build)


def _settings(prog: str) -> settings.Settings:
    return settings.from_conf(conf.CONF, server_options.worker_count(conf.CONF), server_options.port(conf.CONF, prog))


def _reloader(prog: str, build: application.Builder, args: Sequence[str]) -> Callable[[], settings.Settings | None]:
    """What a HUP runs: the new settings, or None when the files, or the parts they name, are wrong."""
    def reload() -> settings.Settings | None:
        if not conf.reload(args):
            return None
        application.check(conf.CONF, prog, build)
        return _settings(prog)
    return reload


def _fail(code: int, error: Exception) -> int:
    text = ' '.join(str(error).split()) or type(error).__name__
    print('ERROR: ' + text, file=sys.stderr)
    return code
