"""The cache as JSON tells of it, and the work that requests leave behind."""
from typing import Any

from glance import exceptions, upkeep
from glance.cache.core import Cache
from glance.cache.drivers.centralized_db import CentralizedDriver
from glance.environment import Environment


def cache_of(env: Environment) -> Cache:
    """Return the cache of this node. Raises NotFound where there is none."""
    if env.cache is None:
        raise exceptions.NotFound('This node has no image cache.')
    return env.cache


def entries(cache: Cache) -> list[dict[str, Any]]:
    """Every entry, with times in seconds since 1970."""
    central = isinstance(cache.driver, CentralizedDriver)
    return [{'image_id': entry.image_id, 'hits': entry.hits, 'last_accessed': entry.last_accessed,
             'last_modified': entry.last_modified, 'size': entry.size,
             **({'id': entry.id, 'checksum': entry.checksum} if central else {})} for entry in cache.entries()]


def fetch_soon(env: Environment, image_id: str) -> None:
    """Queue an image for the cache, and have it fetched by this process in the background."""
    if env.cache.queue(image_id):
        env.cache.background.submit(lambda: upkeep.prefetcher(env).fetch(image_id))
