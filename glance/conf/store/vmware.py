"""Options of stores of type ``vmware``."""
from oslo_config import cfg

OPTIONS = [
    cfg.StrOpt('vmware_server_host', help='Address of the ESX host or vCenter server; with ":port" unless that is 443.'),
    cfg.StrOpt('vmware_server_username', help='Name with which to log in.'),
    cfg.StrOpt('vmware_server_password', secret=True, help='Password with which to log in.'),
    cfg.MultiStrOpt('vmware_datastores',
                    help='A datastore for images: datacenter_path:datastore_name:weight. The option may be repeated. A new '
                         'image goes to the datastore of the highest weight that has room, among equals to the one with '
                         'the most free space. The weight is 0 when left out.'),
    cfg.StrOpt('vmware_datacenter_path', default='ha-datacenter',
               help='Datacenter of vmware_datastore_name; use vmware_datastores instead.'),
    cfg.StrOpt('vmware_datastore_name', help='The one datastore for images; use vmware_datastores instead.'),
    cfg.StrOpt('vmware_store_image_dir', default='/openstack_glance', help='Directory of the images in the datastore.'),
    cfg.IntOpt('vmware_api_retry_count', default=10, min=1,
               help='How often a call is repeated after a new login, because its session had ended.'),
    cfg.IntOpt('vmware_task_poll_interval', default=5, min=1,
               help='The longest time in seconds between two looks at a task of the server.'),
    cfg.StrOpt('vmware_ca_file',
               help='File of the certificates, in PEM form, that the server is trusted by. vmware_insecure does not count '
                    'then.'),
    cfg.BoolOpt('vmware_insecure', default=False, deprecated_opts=[cfg.DeprecatedOpt('vmware_api_insecure')],
                help="Do not check the server's certificate."),
]
