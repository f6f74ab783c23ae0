"""``glance-api``: serves the image API. Exit codes and signals are those of ``glance.wsgi.program``."""

import sys
from collections.abc import Sequence

from glance.wsgi import program
from glance.wsgi.application import api_parts

PROG = 'glance-api'


def main(args: Sequence[str] | None = None) -> int:
    """Serve until a signal ends it; returns the exit code. ``args`` is the command line without the program's name."""
    return program.run(PROG, api_parts, args)


if __name__ == '__main__':
    sys.exit(main())
