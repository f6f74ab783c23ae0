"""Options of stores of type ``http``."""
from oslo_config import cfg

OPTIONS = [
    cfg.StrOpt('https_ca_certificates_file',
               help='File of the certificates, in PEM form, that web servers are trusted by instead of those of the '
                    'system. https_insecure does not count then.'),
    cfg.BoolOpt('https_insecure', default=True,
                help='Do not check the certificates of web servers. This counts only when the option is set: left alone, '
                     'certificates are checked against those of the system.'),
    cfg.DictOpt('http_proxy_information', default={},
                help='Proxies by scheme, for example http:10.0.0.1:3128,https:10.0.0.1:3129. The proxies of the '
                     'environment are not used.'),
]
