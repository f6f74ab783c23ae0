"""``glance-cache-pruner``: removes what was not used for longest until the cache has its size. For cron, on each API node.

Exit codes are those of ``cache_tool``.
"""
import sys
from collections.abc import Sequence

from oslo_config import cfg

from glance.cache import pruner
from glance.cmd import cache_tool

PROG = 'glance-cache-pruner'


def main(args: Sequence[str] | None = None) -> int:
    """Prune once; returns the exit code. ``args`` is the command line without the program's name."""
    return cache_tool.run(PROG, _prune, args)


def _prune(config: cfg.ConfigOpts) -> int:
    with cache_tool.opened(config) as cache:
        pruner.prune(cache)
    return 0


if __name__ == '__main__':
    sys.exit(main())
