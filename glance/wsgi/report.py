"""The diagnostic report that a running program writes when it gets the signal USR2."""
import os
import sys

from glance import conf


def write(prog: str) -> None:
    """Write the report of this process to stderr, or into ``[oslo_reports] log_dir``."""
    from oslo_reports import guru_meditation_report, opts  # for the rare moment when it is asked for
    opts.set_defaults(conf.CONF)
    guru_meditation_report.TextGuruMeditation.handle_signal(
        _Version, '%s-%d' % (prog, os.getpid()), conf.CONF.oslo_reports.log_dir, sys._getframe())


class _Version:
    """What oslo.reports wants to know of the program."""

    @staticmethod
    def vendor_string() -> str:
        return 'OpenStack'

    @staticmethod
    def product_string() -> str:
        return 'Glance'

    @staticmethod
    def version_string_with_package() -> str:
        return conf.version()
