"""Removes what failed or was given up on its way into the cache."""
import contextlib
import logging
import os

from glance.cache.core import Cache
from glance.cache.filling import remove_dead
from glance.cache.layout import INCOMPLETE, INVALID, VERIFIED, Layout, is_image_id, unavailable

LOG = logging.getLogger(__name__)

LOCK = 'glance-cache-clean'
# Seconds that a stamp may lie there before its entry, or half-written.
_YOUNG = 3600


def clean(cache: Cache) -> int:
    """Remove refused files, and incomplete ones that nobody has written to for the stall time; return their number.

    An incomplete file with a time in the future, where the clock was once, goes as soon as its writer is dead. What a living
    writer works on always stays. Raises CacheUnavailable, DatabaseUnavailable.
    """
    layout = cache.layout
    with layout.lock(LOCK), unavailable('cleaned'):
        removed = sum(layout.remove(image_id, INVALID) for image_id, _ in layout.scan(INVALID))
        now = cache.clock()
        for image_id, status in layout.scan(INCOMPLETE):
            age = now - status.st_mtime
            if (age >= cache.stall_time or age < 0) and remove_dead(layout.path(image_id, INCOMPLETE)):
                removed += 1
        _remove_stamps(layout, now)
    cache.reconcile()
    LOG.info('Cleaned %d files from the cache.', removed)
    return removed


def _remove_stamps(layout: Layout, now: float) -> None:
    """Remove stamps of entries that are gone, and drafts of stamps."""
    folder = os.path.join(layout.directory, VERIFIED)
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        image_id = name.partition('.')[0]
        # Drafts are renamed, and stamps removed, meanwhile.
        with contextlib.suppress(FileNotFoundError):
            # Only what the cache could have made; a stamp is there shortly before its entry.
            if is_image_id(image_id) and abs(now - os.lstat(path).st_mtime) > _YOUNG \
                    and (name != image_id or layout.status(image_id) is None):
                os.unlink(path)
