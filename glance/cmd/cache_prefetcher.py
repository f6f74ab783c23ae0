"""``glance-cache-prefetcher``: fetches the queued images into the cache. For cron, on each API node.

Exit codes are those of ``cache_tool``; 2 also says that at least one image was not cached, which stays queued.
"""
import sys
from collections.abc import Sequence

from oslo_config import cfg

from glance import conf, environment, upkeep
from glance.cache import building
from glance.cmd import cache_tool

PROG = 'glance-cache-prefetcher'


def main(args: Sequence[str] | None = None) -> int:
    """Fetch the queue once; returns the exit code. ``args`` is the command line without the program's name."""
    return cache_tool.run(PROG, _prefetch, args)


def _prefetch(config: cfg.ConfigOpts) -> int:
    conf.require_database(config)
    env = environment.build(config)
    try:
        building.migrate(config, env.cache)
        return 2 if upkeep.prefetcher(env).run().failed else 0
    finally:
        env.close()


if __name__ == '__main__':
    sys.exit(main())
