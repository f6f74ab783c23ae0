"""``[DEFAULT]``: the image cache of an API node; also read by the cache programs."""

from oslo_config import cfg

from glance.conf.files import is_set
from glance.exceptions import ConfigurationError

OPTIONS = {None: [
    cfg.StrOpt(
        'image_cache_dir',
        help='Directory of the image cache of this node. When unset, there is no cache.'),
    cfg.StrOpt(
        'image_cache_driver', default='centralized_db', ignore_case=True,
        choices=(('centralized_db', 'in the database of the service, one list for all nodes'),
                 ('sqlite', 'in a file of this node'),
                 ('xattr', 'in extended attributes of the cached files')),
        help='Where the bookkeeping of the cache is kept.'),
    cfg.StrOpt(
        'image_cache_sqlite_db', default='cache.db',
        help='File of the sqlite driver, relative to image_cache_dir.'),
    cfg.IntOpt(
        'image_cache_max_size', default=10737418240, min=0,
        help='Largest size of the cache in bytes. The pruner shrinks the cache to it; with image_cache_prune_on_fill it is '
             'never exceeded.'),
    cfg.BoolOpt(
        'image_cache_prune_on_fill', default=True,
        help='Remove the least recently used images when a new one would make the cache larger than '
             'image_cache_max_size. When false, the cache grows until the pruner runs.'),
    cfg.IntOpt(
        'image_cache_stall_time', default=86400, min=0,
        help='Seconds after which the cleaner removes an entry that was never completed.'),
    cfg.FloatOpt(
        'cache_prefetcher_interval', default=300, min=0,
        help='Seconds between two looks of the API at the images queued for the cache. 0 looks only at its start.'),
]}


def in_pipeline(conf: cfg.ConfigOpts) -> bool:
    """Whether the configured flavor of the API passes image data through the cache."""
    parts = (conf.paste_deploy.flavor or '').split('+')
    return 'caching' in parts or 'cachemanagement' in parts


def driver(conf: cfg.ConfigOpts) -> str:
    """The driver in use, lower case: the configured one, but sqlite where the default lacks the URL of this node."""
    name = conf.image_cache_driver.lower()
    if name == 'centralized_db' and not conf.worker_self_reference_url and not is_set(conf, 'image_cache_driver'):
        return 'sqlite'
    return name


def check_node(conf: cfg.ConfigOpts) -> None:
    """Raise ConfigurationError when the driver needs the URL of this node and does not have it."""
    if driver(conf) == 'centralized_db' and not conf.worker_self_reference_url:
        raise ConfigurationError('[DEFAULT] image_cache_driver = centralized_db needs worker_self_reference_url, the '
                                 'URL of this node; set it, or choose the driver sqlite.')


def check(conf: cfg.ConfigOpts) -> None:
    """Raise ConfigurationError when there is to be a cache and it is not described well enough."""
    if not conf.image_cache_dir:
        raise ConfigurationError('[DEFAULT] image_cache_dir is not set; set it to the directory of the image cache.')
    check_node(conf)
