"""``glance-registry``: serves the records to API nodes. Exit codes and signals are those of ``glance.wsgi.program``."""

import sys
from collections.abc import Sequence

from glance.registry import environment
from glance.wsgi import program

PROG = 'glance-registry'


def main(args: Sequence[str] | None = None) -> int:
    """Serve until a signal ends it; returns the exit code. ``args`` is the command line without the program's name."""
    return program.run(PROG, environment.build, args)


if __name__ == '__main__':
    sys.exit(main())
