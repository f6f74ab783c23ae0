"""``[DEFAULT]``: the image cache of an API node; also read by the cache programs."""

from oslo_config import cfg

from glance.conf.files import is_set

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
        help='Bytes down to which the pruner shrinks the cache. Between two runs of the pruner the cache may be '
             'larger.'),
    cfg.IntOpt(
        'image_cache_stall_time', default=86400, min=0,
        help='Seconds after which the cleaner removes an entry that was never completed.'),
    cfg.FloatOpt(
        'cache_prefetcher_interval', default=300, min=0,
        help='Seconds between two looks of the API at the images queued for the cache.'),
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
