"""``[DEFAULT]`` of ``glance-replicator.conf``: tokens that stand in for those of the command line."""

from oslo_config import cfg

OPTIONS = {None: [
    cfg.StrOpt(
        'sourcetoken', default='', secret=True,
        help='Token for the service that is copied from.'),
    cfg.StrOpt(
        'targettoken', default='', secret=True,
        help='Token for the service that is copied to.'),
]}
