"""Keeps the cache at its size: what was not used for longest goes first."""
import dataclasses
import logging
from typing import TYPE_CHECKING

from glance.cache.layout import INCOMPLETE

if TYPE_CHECKING:
    from glance.cache.core import Cache

LOG = logging.getLogger(__name__)

LOCK = 'glance-cache-prune'
_BLOCK = 512


@dataclasses.dataclass(frozen=True, slots=True)
class Pruned:
    """How many entries were removed, and the bytes that they had."""

    files: int
    size: int


def prune(cache: 'Cache') -> Pruned:
    """Remove entries until those that are left are not larger than ``image_cache_max_size``; 0 leaves none.

    Raises CacheUnavailable, DatabaseUnavailable.
    """
    cache.reconcile()
    with cache.layout.lock(LOCK):
        return _shrink(cache, cache.max_size, sum(status.st_size for _, status in cache.layout.scan()))


def make_room(cache: 'Cache') -> bool:
    """Remove entries until all, with those that are being written, fit; tell whether they do.

    The caller holds the lock of the pruner.
    """
    writing = sum(max(status.st_size, status.st_blocks * _BLOCK) for _, status in cache.layout.scan(INCOMPLETE))
    size = writing + sum(status.st_size for _, status in cache.layout.scan())
    return size - _shrink(cache, cache.max_size, size).size <= cache.max_size


def _shrink(cache: 'Cache', limit: int, size: int) -> Pruned:
    if size <= limit:
        return Pruned(0, 0)
    files = freed = 0
    now = cache.clock()
    # A use in the future, where the clock was once, is one of this moment.
    for entry in sorted(cache.entries(), key=lambda entry: (min(entry.last_accessed, now), entry.image_id)):
        if size - freed <= limit:
            break
        if cache.remove_entry(entry.image_id):
            files, freed = files + 1, freed + entry.size
            LOG.info('Pruned image %s of %d bytes from the cache.', entry.image_id, entry.size)
    return Pruned(files, freed)
