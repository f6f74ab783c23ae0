"""From command line, environment and files to a checked configuration, and to the log that it describes."""

import argparse
import contextlib
import importlib.metadata
import io
import logging
import re
import sys
from collections.abc import Sequence

from oslo_config import cfg
from oslo_log import log

from glance.conf import legacy, libraries, redaction, replicator, scrubber, sections
from glance.conf.errors import InvalidOptionValue
from glance.conf.files import PROJECT, default_directories, default_files, files_of
from glance.conf.validation import SERVERS, advice, plain, validate
from glance.exceptions import ConfigurationError

LOG = log.getLogger(__name__)

_IGNORED_OPTIONS = [
    cfg.BoolOpt('verbose', short='v', default=False, help='Without effect; accepted for old scripts.'),
    cfg.StrOpt('log-format', metavar='FORMAT', help='Without effect; accepted for old scripts.'),
]
# Codes with which releases of oslo.config exit when a file gives a wrong value to an option of the command line.
_BAD_VALUE = (None, 1)
_COMPLAINT = re.compile(r'argument --([a-z_-]+).*?: (.*)', re.DOTALL)
_PROGRAM_OPTIONS = {'glance-scrubber': scrubber.CLI_OPTIONS, 'glance-replicator': replicator.CLI_OPTIONS}
# What is wrong with the configuration is the result of this program; it reads the files of the servers, not their log.
_EXAMINER = 'glance-status'
# "debug" in those files is about the servers, therefore this option has a name of its own there.
_EXAMINER_OPTIONS = [cfg.BoolOpt('debug', short='d', dest='debug_examination', default=False,
                                 help='Log what is done to stderr, with tracebacks.')]


def version() -> str:
    """The version of the installed package; ``unknown`` when run from a tree that is not installed."""
    try:
        return importlib.metadata.version(PROJECT)
    except importlib.metadata.PackageNotFoundError:
        return 'unknown'


def load(args: Sequence[str] | None = None, prog: str = 'glance-api', default_config_files: list[str] | None = None,
         usage: str | None = None, *, default_config_dirs: list[str] | None = None,
         conf: cfg.ConfigOpts = cfg.CONF) -> cfg.ConfigOpts:
    """Read the configuration of a program, check it and set up logging; returns ``conf``.

    :param args: command line without the program name; ``sys.argv[1:]`` by default
    :param prog: name of the program; decides which files are read when ``args`` name none, and what is checked
    :param default_config_files: files to read instead of the searched ones, weakest first
    :param usage: usage line for ``--help``
    :param default_config_dirs: ``*.conf.d`` directories to read instead of the searched ones

    Raises InvalidOptionValue for a bad value, ConfigurationError for files that are missing or malformed and for
    options that do not fit together; SystemExit for ``--help``, ``--version`` and a wrong command line.
    """
    files = default_files(prog) if default_config_files is None else default_config_files
    directories = default_directories(prog) if default_config_dirs is None else default_config_dirs
    _register(conf, prog)
    warnings = _read(conf, sys.argv[1:] if args is None else args, prog, files, directories, usage)
    set_up_logging(conf, prog)
    for sentence in [*warnings, *advice(conf, prog)]:
        LOG.warning('%s', sentence)
    return conf


def parse(conf: cfg.ConfigOpts, args: Sequence[str], prog: str, usage: str | None = None) -> None:
    """Read command line and files of a program that has only the options registered with ``conf``, and no log.

    Raises as ``load`` does.
    """
    _parse(conf, args, prog, default_files(prog), default_directories(prog), usage)


def reload(args: Sequence[str] | None = None, conf: cfg.ConfigOpts = cfg.CONF) -> bool:
    """Read the files of a loaded configuration again, with the same command line; returns whether they were taken over.

    New values are checked aside first: when one is wrong, an error is logged and all old values stay.
    """
    args = sys.argv[1:] if args is None else args
    candidate = cfg.ConfigOpts()
    try:
        _register(candidate, conf.prog)
        _read(candidate, args, conf.prog, conf.default_config_files, conf.default_config_dirs, None)
    except ConfigurationError as error:
        LOG.error('The configuration was not read again: %s', error)
        return False
    if not conf.reload_config_files():
        return False
    legacy.apply(conf)
    set_up_logging(conf, conf.prog)
    return True


def set_up_logging(conf: cfg.ConfigOpts, prog: str = 'glance-api') -> None:
    """Send the log where the configuration says. Utilities write to stderr, servers only without a log file.

    Raises ConfigurationError when the log cannot be written or its own configuration file is wrong.
    """
    if prog == _EXAMINER:
        logging.basicConfig(level=logging.DEBUG if conf.debug_examination else logging.CRITICAL + 1)
        return
    conf.set_default('use_stderr', prog not in SERVERS or not (conf.log_file or conf.log_dir))
    try:
        log.setup(conf, PROJECT, version())
    except log.LogConfigError as error:
        raise ConfigurationError('[DEFAULT] log_config_append: %s' % error) from None
    except OSError as error:
        raise ConfigurationError('The log cannot be written: %s: %s' % (error.filename, error.strerror)) from None
    redaction.install()


def _register(conf: cfg.ConfigOpts, prog: str) -> None:
    conf.clear()
    libraries.set_log_defaults()
    if prog == 'glance-api':
        libraries.set_cors_defaults()
    if prog == _EXAMINER:
        conf.register_cli_opts(_EXAMINER_OPTIONS)
    else:
        log.register_options(conf)
        conf.register_cli_opts(_IGNORED_OPTIONS)
    libraries.register_group(conf, 'database')
    sections.register(conf)
    conf.register_cli_opts(_PROGRAM_OPTIONS.get(prog, ()))


def _read(conf: cfg.ConfigOpts, args: Sequence[str], prog: str, files: list[str], directories: list[str],
          usage: str | None) -> list[str]:
    """Parse and check; returns warnings about old names."""
    _parse(conf, args, prog, files, directories, usage)
    warnings = legacy.apply(conf)
    if prog == _EXAMINER:
        return warnings
    validate(conf, prog)
    for name in ('verbose', 'log_format'):
        if conf[name]:
            warnings.append('--%s has no effect any more.' % name.replace('_', '-'))
    return warnings


def _parse(conf: cfg.ConfigOpts, args: Sequence[str], prog: str, files: list[str], directories: list[str],
           usage: str | None) -> None:
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            conf(args, project=PROJECT, prog=prog, version=version(), usage=usage, default_config_files=files,
                 default_config_dirs=directories)
    except SystemExit as stop:
        if stop.code not in _BAD_VALUE:
            sys.stderr.write(complaint.getvalue())
            raise
        raise InvalidOptionValue(_explained(complaint.getvalue().strip(), args, files, directories)) from None
    except cfg.ConfigFileValueError as error:
        raise InvalidOptionValue(str(error)) from None
    except cfg.Error as error:
        raise ConfigurationError(str(error)) from None
    except OSError as error:
        raise ConfigurationError('The configuration file %s cannot be read: %s'
                                 % (error.filename, error.strerror)) from None
    except UnicodeDecodeError as error:
        raise ConfigurationError('A configuration file is not UTF-8 text: %s' % error) from None


def _explained(complaint: str, args: Sequence[str], files: list[str], directories: list[str]) -> str:
    """A sentence with the file of a bad value; oslo.config tells of an option of the command line only its name."""
    match = _COMPLAINT.fullmatch(complaint)
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument('--config-file', action='append')
    parser.add_argument('--config-dir', action='append')
    named, _ = parser.parse_known_args(args)
    settings = legacy.read_files(files_of(named.config_file or files, named.config_dir or directories)) if match else {}
    setting = match and settings.get(('DEFAULT', match[1].replace('-', '_')))
    if not setting:
        return 'Command line or configuration file: %s' % complaint
    return '%s: [DEFAULT] %s = %s is not valid: %s' % (setting.path, setting.name, setting.value, plain(match[2]))
