"""``[keystone_authtoken]``: the one option that the service adds to those of keystonemiddleware."""

from oslo_config import cfg

OPTIONS = {'keystone_authtoken': [
    cfg.IntOpt(
        'timeout', min=0,
        help='Seconds that Keystone has to answer when the service renews a token during a long upload. When unset, '
             'there is no limit.'),
]}
