"""How images are imported: methods and staging (``[DEFAULT]``) and the sections of ``glance-image-import.conf``."""

import ipaddress

from oslo_config import cfg, types

from glance.conf.types import BracketList, DirectoryURI, HostPattern, Network

METHODS = ('glance-direct', 'web-download', 'copy-image', 'glance-download')
DISK_FORMATS = (('qcow2', 'grows with its content'), ('raw', 'fastest for stores that clone, such as Ceph'),
                ('vmdk', 'for VMware'))
_NETWORKS = [ipaddress.ip_network(text) for text in (
    '0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '100.100.100.200/32', '192.0.0.0/24', '224.0.0.0/4', '240.0.0.0/4',
    '::/128', '::1/128', 'fe80::/10', 'fec0::/10', 'ff00::/8', 'fd00:ec2::254/128')]
DEFAULT_STAGING_URI = 'file:///tmp/staging/'


def _list(name: str, item_type: types.ConfigType | None = None, **kwargs) -> cfg.Opt:
    return cfg.Opt(name, type=BracketList(item_type), **kwargs)


STAGING = {None: [
    _list(
        'enabled_import_methods', types.String(choices=METHODS, quotes=True),
        default=['glance-direct', 'web-download', 'copy-image'],
        help='Import methods that the API offers.'),
    cfg.Opt(
        'node_staging_uri', type=DirectoryURI(), default=DEFAULT_STAGING_URI,
        help='Directory for data on its way into an image, as file:// URI, when enabled_backends is unset. Put it on a '
             'disk that holds the largest image and that no other user can write to.'),
    cfg.URIOpt(
        'worker_self_reference_url', schemes=('http', 'https'),
        help='URL under which the other API nodes reach this one, to hand over staged data and cache requests. When '
             'unset, public_endpoint is taken, which is wrong with more than one node. '
             'Example: http://node1.example.com:9292'),
]}

OPTIONS = {
    'image_import_opts': [
        _list(
            'image_import_plugins', default=[], sample_default='[no_op]',
            help='Plugins that work on every imported image, in this order: no_op, inject_image_metadata, '
                 'image_conversion, image_decompression, or a third-party entry point of glance.image_import.plugins.'),
        cfg.IntOpt(
            'max_parallel_stores', default=1, min=1,
            help='Stores that one import writes at the same time. More is faster and takes more memory and network.'),
    ],
    'import_filtering_opts': [
        _list(
            'allowed_schemes', default=['http', 'https'],
            help='URI schemes that users may import from. A list that is not empty decides alone; empty leaves the '
                 'decision to disallowed_schemes.'),
        _list(
            'disallowed_schemes', default=[],
            help='URI schemes that are refused. Read only while allowed_schemes is empty.'),
        _list(
            'allowed_hosts', HostPattern(), default=[],
            help='Hosts that users may import from, by name, .suffix of names, address or network. A host listed here by '
                 'its whole name or by address may be a loopback or link-local address; these are refused otherwise.'),
        _list(
            'disallowed_hosts', HostPattern(), default=[],
            help='Hosts that are refused, by name, .suffix of names, address or network; the addresses of a name are '
                 'compared too. Read only while allowed_hosts is empty.'),
        _list(
            'allowed_ports', types.Integer(1, 65535), default=[80, 443],
            help='Ports that may be asked. A URI that names none means that of its scheme.'),
        _list(
            'disallowed_ports', types.Integer(1, 65535), default=[],
            help='Ports that are refused. Read only while allowed_ports is empty.'),
        _list(
            'allowed_networks', Network(), default=[],
            help='Networks that may be reached although disallowed_networks holds them, e.g. 127.0.0.0/8.'),
        _list(
            'disallowed_networks', Network(), default=_NETWORKS,
            help='Networks that may not be reached. The default holds loopback, link-local, unspecified, multicast and '
                 'reserved addresses and those of cloud metadata services.'),
        cfg.BoolOpt(
            'deny_private_networks', default=False,
            help='Refuse private networks as well (RFC 1918, RFC 4193), where no mirror of images is in one.'),
    ],
    'inject_metadata_properties': [
        cfg.DictOpt(
            'inject', default={},
            help='Properties that the plugin inject_image_metadata sets on imported images, as '
                 'name:value pairs. A name has at most 255 characters.'),
        cfg.ListOpt(
            'ignore_user_roles', default=['admin'],
            help='Users who hold one of these roles are exempt from injected properties.'),
    ],
    'image_conversion': [
        cfg.StrOpt(
            'output_format', default='raw', choices=DISK_FORMATS,
            help='Disk format into which the plugin image_conversion turns imported images.'),
    ],
    'glance_download_properties': [
        _list(
            'extra_properties', default=['hw_', 'trait:', 'os_distro', 'os_secure_boot', 'os_type'],
            help='Prefixes of the properties that the method glance-download copies from the other service. Properties '
                 'that begin with os_glance are never copied.'),
    ],
}
