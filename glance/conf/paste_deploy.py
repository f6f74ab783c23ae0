"""``[paste_deploy]``: which pipeline the servers run."""

from oslo_config import cfg

OPTIONS = {'paste_deploy': [
    cfg.StrOpt(
        'flavor', sample_default='keystone',
        help='Pipeline of the paste file, as the part of its name after the program: keystone for '
             '[composite:glance-api-keystone]. When unset, requests are not authenticated.'),
    cfg.StrOpt(
        'config_file', sample_default='glance-api-paste.ini',
        help='The paste file. When unset, its name is the one of the last configuration file with -paste.ini instead '
             'of .conf, searched next to the configuration files.'),
]}
