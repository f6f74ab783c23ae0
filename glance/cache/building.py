"""The cache that the configuration describes."""
import logging
import os
from collections.abc import Callable

from oslo_config import cfg

from glance import exceptions
from glance.cache.core import Cache
from glance.cache.drivers.base import Driver
from glance.cache.drivers.centralized_db import CentralizedDriver
from glance.cache.drivers.sqlite import SqliteDriver
from glance.cache.drivers.xattr import XattrDriver
from glance.cache.layout import Layout
from glance.conf import cache as options
from glance.db.interface import Database

LOG = logging.getLogger(__name__)

MIGRATION_LOCK = 'sqlite_centralized_migrate'


def build(conf: cfg.ConfigOpts, database: Callable[[], Database]) -> Cache | None:
    """Make the cache of this node; None without ``image_cache_dir``.

    :param database: returns the database of the service; called for the driver that needs it
    :raises ConfigurationError: naming the option, when the cache cannot be used as it is configured
    """
    if not conf.image_cache_dir:
        return None
    layout = Layout(conf.image_cache_dir)
    try:
        layout.prepare()
        driver = _driver(conf, layout, database)
    except exceptions.CacheUnavailable as error:
        raise exceptions.ConfigurationError('[DEFAULT] image_cache_dir = %s: %s' % (conf.image_cache_dir, error)) from error
    return Cache(layout, driver, max_size=conf.image_cache_max_size, stall_time=conf.image_cache_stall_time,
                 prune_on_fill=conf.image_cache_prune_on_fill)


def _driver(conf: cfg.ConfigOpts, layout: Layout, database: Callable[[], Database]) -> Driver:
    name = options.driver(conf)
    if name == CentralizedDriver.name:
        options.check_node(conf)
        return CentralizedDriver(database(), conf.worker_self_reference_url)
    if name == XattrDriver.name:
        try:
            return XattrDriver(layout)
        except exceptions.ConfigurationError as error:
            LOG.warning('%s The driver sqlite is used instead.', error)
    return SqliteDriver(_sqlite_path(conf))


def _sqlite_path(conf: cfg.ConfigOpts) -> str:
    return os.path.join(os.path.abspath(conf.image_cache_dir), conf.image_cache_sqlite_db)


def migrate(conf: cfg.ConfigOpts, cache: Cache) -> int:
    """Move the books of the driver sqlite into those of centralized_db, where that is in use now; return how many entries.

    What the database knows already is kept as it is. Safe to run in several processes at once, and again after a crash.
    """
    path = _sqlite_path(conf)
    if not isinstance(cache.driver, CentralizedDriver) or not os.path.exists(path):
        return 0
    with cache.layout.lock(MIGRATION_LOCK):
        former = SqliteDriver(path)
        try:
            rows = former.entries()
            known = {entry.image_id for entry in cache.driver.entries()}
            for entry in rows:
                if entry.image_id not in known:
                    cache.driver.record(entry)
            arrived = {entry.image_id for entry in cache.driver.entries()}
            former.forget([entry.image_id for entry in rows if entry.image_id in arrived])
        finally:
            former.close()
    moved = sum(entry.image_id not in known for entry in rows)
    if moved:
        LOG.info('Moved the record of %d cached images from %s to the database.', moved, path)
    return moved
