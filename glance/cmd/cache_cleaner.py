"""``glance-cache-cleaner``: removes what failed or stalled on its way into the cache. For cron, on each API node.

Exit codes are those of ``cache_tool``.
"""
import sys
from collections.abc import Sequence

from oslo_config import cfg

from glance.cache import cleaner
from glance.cmd import cache_tool

PROG = 'glance-cache-cleaner'


def main(args: Sequence[str] | None = None) -> int:
    """Clean once; returns the exit code. ``args`` is the command line without the program's name."""
    return cache_tool.run(PROG, _clean, args)


def _clean(config: cfg.ConfigOpts) -> int:
    with cache_tool.opened(config) as cache:
        cleaner.clean(cache)
    return 0


if __name__ == '__main__':
    sys.exit(main())
