"""``glance-rootwrap``: runs a command as root if the filters permit it. Only stores of type cinder need it.

Exit codes: that of the command; 128+n when signal n ended it; 96 no such program; 97 the configuration cannot be used;
98 no command was given; 99 no filter permits the command.
"""
import sys
from collections.abc import Sequence

PROG = 'glance-rootwrap'
HELP = """usage: %s CONFIG COMMAND [ARGUMENTS]

Run COMMAND as root if one of the filters permits it that the file CONFIG, usually /etc/glance/rootwrap.conf, names. Made to
be called through sudo by stores of type cinder.""" % PROG
_BAD_CONFIGURATION = 97


def main(args: Sequence[str] | None = None) -> int:
    """Run one command; exits with its code. ``args`` is the command line without the program's name."""
    args = sys.argv[1:] if args is None else list(args)
    if args[:1] in (['-h'], ['--help']):
        print(HELP)
        return 0
    try:
        from oslo_rootwrap import cmd  # needed for nothing else, so it is installed with the cinder extra only
    except ImportError:
        print('ERROR: %s needs the library oslo.rootwrap: pip install glance[cinder]' % PROG, file=sys.stderr)
        return _BAD_CONFIGURATION
    sys.argv[1:] = args     # where the library looks
    return cmd.main()


if __name__ == '__main__':
    sys.exit(main())
