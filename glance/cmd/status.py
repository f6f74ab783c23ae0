"""``glance-status``: tells whether an installation is ready for an upgrade, and what is wrong with it.

Exit codes: 0 all is well; 1 there are warnings, or the command line or a configuration file cannot be used (with
``ERROR: …`` on stderr); 2 there are failures, or an unknown option; 255 an error that nobody expected.
"""
import argparse
import sys
from collections.abc import Sequence

from oslo_config import cfg

from glance import conf
from glance.cmd.failure import fail, fail_unexpectedly
from glance.diagnosis import checks, report
from glance.diagnosis.result import exit_code, run
from glance.exceptions import GlanceError

PROG = 'glance-status'
USAGE = '%s [options] {upgrade check | doctor} [--json]' % PROG
_UNEXPECTED = 255


def main(args: Sequence[str] | None = None) -> int:
    """Run the checks of one command; returns the exit code. ``args`` is the command line without the program's name."""
    config = cfg.ConfigOpts()
    config.register_cli_opt(cfg.SubCommandOpt('command', title='commands', handler=_add_commands))
    try:
        conf.load(sys.argv[1:] if args is None else args, prog=PROG, usage=USAGE, conf=config)
        return config.command.run(config)
    except GlanceError as error:
        return fail(str(error))
    except Exception as error:
        if config.debug_examination:
            raise
        return fail_unexpectedly(error, _UNEXPECTED)


def _add_commands(commands: argparse._SubParsersAction) -> None:
    upgrade = commands.add_parser('upgrade', help='checks before an upgrade')
    actions = upgrade.add_subparsers(dest='action', required=True, metavar='check')
    for parser, run_command in (
            (actions.add_parser('check', help=_upgrade_check.__doc__, description=_upgrade_check.__doc__), _upgrade_check),
            (commands.add_parser('doctor', help=_doctor.__doc__, description=_doctor.__doc__), _doctor)):
        parser.add_argument('--json', action='store_true', help='print JSON, for programs')
        parser.set_defaults(run=run_command)


def _upgrade_check(config: cfg.ConfigOpts) -> int:
    """Tell whether the services of this release can be started."""
    title, results = 'Upgrade Check Results', list(run(checks.UPGRADE, config))
    print(report.as_json(title, results) if config.command.json else report.table(title, results))
    return exit_code(results)


def _doctor(config: cfg.ConfigOpts) -> int:
    """Look at everything this node needs, and say what to do."""
    results = list(run(checks.DOCTOR, config))
    print(report.as_json('Doctor Results', results) if config.command.json else report.lines(results))
    return exit_code(results)


if __name__ == '__main__':
    sys.exit(main())
