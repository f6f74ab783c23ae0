"""Options of stores of type ``rbd``."""
from oslo_config import cfg

OPTIONS = [
    cfg.StrOpt('rbd_store_pool', default='images', help='Ceph pool in which images are kept.'),
    cfg.StrOpt('rbd_store_user',
               help='Ceph user without the prefix "client.". When unset, the library takes the one of the Ceph '
                    'configuration, or admin.'),
    cfg.StrOpt('rbd_store_ceph_conf', default='',
               help='Ceph configuration file, which also names the keyring of the user. Empty searches the usual places.'),
    cfg.IntOpt('rbd_store_chunk_size', default=8, min=1, max=32,
               help='Size in MiB of the objects into which Ceph cuts an image, rounded down to a power of two.'),
    cfg.IntOpt('rados_connect_timeout', default=-1,
               help='Seconds after which a connection to, or an operation of the Ceph cluster counts as failed. Negative '
                    'leaves it to the Ceph configuration, or where that sets no limit to store_connect_timeout and '
                    'store_idle_timeout; 0 waits for ever.'),
    cfg.BoolOpt('rbd_thin_provisioning', default=False,
                help='Do not write parts of images that hold nothing but zeros.'),
]
