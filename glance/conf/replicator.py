"""``[DEFAULT]`` of ``glance-replicator.conf``, and the command line of glance-replicator."""

from oslo_config import cfg

CLI_OPTIONS = [
    cfg.MultiStrOpt(
        'command', positional=True, required=False,
        help='size, dump, load, livecopy, compare or help, and its arguments; "help" describes them.'),
    cfg.IntOpt(
        'chunksize', short='c', default=65536, min=1, max=1 << 30, metavar='BYTES',
        help='How much is read at a time.'),
    cfg.StrOpt(
        'dontreplicate', short='D', default='created_at date deleted_at location updated_at', metavar='FIELDS',
        help='Attributes of images, separated by spaces, that are neither copied nor compared.'),
    cfg.BoolOpt(
        'metaonly', short='m', default=False,
        help='Leave the data of images out.'),
    cfg.StrOpt(
        'token', short='t', default='', secret=True,
        help='Token for both services. Other users of this host can see it; the configuration file or the environment '
             'variable OS_DEFAULT__TOKEN keeps it to yourself.'),
    cfg.StrOpt(
        'sourcetoken', short='M', default='', secret=True, deprecated_name='mastertoken',
        help='Token for the service that is copied from, in place of --token.'),
    cfg.StrOpt(
        'targettoken', short='S', default='', secret=True, deprecated_name='slavetoken',
        help='Token for the service that is copied to, in place of --token.'),
    cfg.BoolOpt(
        'insecure', default=False,
        help='Believe https servers without checking their certificates. Whoever is in between can read the token.'),
    cfg.StrOpt(
        'os-cacert', metavar='PATH',
        help='File of the certificates, in PEM form, that https servers are checked against instead of those of the '
             'system.'),
    cfg.BoolOpt(
        'exit-code', default=False,
        help='Let "compare" exit with 1 when the services differ.'),
]
