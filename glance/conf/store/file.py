"""Options of stores of type ``file``."""
from oslo_config import cfg

OPTIONS = [
    cfg.StrOpt('filesystem_store_datadir', default='/var/lib/glance/images',
               help='Directory in which images are kept. It is created if its parent permits. No two stores may share '
                    'a directory. Mutually exclusive with filesystem_store_datadirs.'),
    cfg.MultiStrOpt('filesystem_store_datadirs',
                    help='Directory in which images are kept, with a priority: /srv/images:100. The option may be '
                         'repeated. A new image goes to the directory of the highest priority that has room for it, '
                         'among equals to the one with the most free space. The priority is 0 when left out.'),
    cfg.StrOpt('filesystem_store_metadata_file',
               help='JSON file with an object, or a list of objects, that have the strings "id" and "mountpoint". The '
                    'object whose mountpoint holds an image is given to clients who see the locations of the image, so '
                    'that they can read it directly.'),
    cfg.IntOpt('filesystem_store_file_perm', default=0,
               help='Permissions of image files in octal digits, for example 640. 0 leaves them to the umask, never '
                    'more than 640.'),
    cfg.IntOpt('filesystem_store_chunk_size', default=64 * 1024, min=1,
               help='Accepted for compatibility. Images are read and written in blocks of at least 1 MiB.'),
    cfg.BoolOpt('filesystem_thin_provisioning', default=False,
                help='Leave holes in image files where images hold nothing but zeros.'),
    cfg.BoolOpt('filesystem_store_fsync', default=True,
                help='Have the disk confirm an image before its upload is confirmed. When this is off a power failure '
                     'can leave active images with missing or wrong data.'),
    cfg.IntOpt('filesystem_store_timeout', default=0, min=0,
               help='Seconds after which examining or removing a file counts as failed, for directories on network '
                    'file systems that can hang. 0 waits for ever and uses no threads.'),
    cfg.IntOpt('filesystem_store_thread_pool_size', default=10, min=1,
               help='Threads for operations with filesystem_store_timeout.'),
    cfg.IntOpt('filesystem_store_threadpool_threshold', default=75, min=0, max=100,
               help='Percentage of these threads in use from which on a warning is logged.'),
]
