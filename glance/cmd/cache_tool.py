"""What the programs that look after the cache of a node have in common.

Exit codes: 0 done; 1 the configuration or the cache cannot be used, with one line ``ERROR: …`` on stderr; 2 wrong command
line, or, of the prefetcher, an image that was not cached.
"""
import contextlib
import logging
import sys
from collections.abc import Callable, Iterator, Sequence

from oslo_config import cfg

from glance import conf, environment
from glance.cache import building
from glance.cache.core import Cache
from glance.cmd.failure import fail, fail_unexpectedly
from glance.exceptions import GlanceError

LOG = logging.getLogger(__name__)


def run(prog: str, work: Callable[[cfg.ConfigOpts], int], args: Sequence[str] | None = None) -> int:
    """Read the configuration of the program, do its work, and return the exit code."""
    config = cfg.ConfigOpts()
    try:
        conf.load(sys.argv[1:] if args is None else list(args), prog=prog, conf=config)
        return work(config)
    except GlanceError as error:
        return fail(str(error))
    except Exception as error:
        LOG.critical('%s failed.', prog, exc_info=config.debug)
        return fail_unexpectedly(error)


@contextlib.contextmanager
def opened(config: cfg.ConfigOpts) -> Iterator[Cache]:
    """The cache of this node, without what only an API needs. Raises ConfigurationError."""
    with contextlib.ExitStack() as parts:
        def database():
            found = environment.open_database(config)
            parts.callback(found.close)
            return found
        cache = building.build(config, database)
        parts.callback(cache.close)
        building.migrate(config, cache)
        yield cache
