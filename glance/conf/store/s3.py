"""Options of stores of type ``s3``."""
from oslo_config import cfg

_CHECKSUMS = (('when_required', 'only where the protocol demands them, which every server understands'),
              ('when_supported', 'for every request that can have them'))

OPTIONS = [
    cfg.StrOpt('s3_store_host',
               help='Address of the S3 server, for example https://s3.example.com:9000; without a scheme http is meant.'),
    cfg.StrOpt('s3_store_region_name', default='',
               help='Region of the bucket. When empty it is taken from the address where that is one of Amazon.'),
    cfg.StrOpt('s3_store_access_key', secret=True, help='Access key of the user whose bucket it is.'),
    cfg.StrOpt('s3_store_secret_key', secret=True, help='Secret key that belongs to the access key.'),
    cfg.StrOpt('s3_store_bucket', help='Bucket in which images are kept.'),
    cfg.BoolOpt('s3_store_create_bucket_on_put', default=False,
                help='Make the bucket with the first upload if it does not exist.'),
    cfg.StrOpt('s3_store_bucket_url_format', default='auto', choices=('auto', 'virtual', 'path', 'subdomain'),
               help='Where requests name the bucket: in the host name (virtual; its old name is subdomain), in the path '
                    '(path), or as the library thinks fit (auto). Servers other than those of Amazon mostly want path.'),
    cfg.IntOpt('s3_store_large_object_size', default=100, min=0,
               help='Size in MiB from which an image is uploaded in parts.'),
    cfg.IntOpt('s3_store_large_object_chunk_size', default=10, min=5,
               help='Size in MiB of these parts. Parts of very large images grow so that 10000 suffice.'),
    cfg.IntOpt('s3_store_thread_pools', default=10, min=1,
               help='How many parts of one image are sent at a time; each takes the memory of a part.'),
    cfg.StrOpt('s3_store_cacert', default='',
               help='File of the certificates, in PEM form, that the server is trusted by instead of those of the '
                    'system.'),
    cfg.BoolOpt('s3_store_enable_data_integrity_protection', default=False,
                help='Let s3_store_request_checksum_calculation and s3_store_response_checksum_validation count. When '
                     'off, checksums are used only where the protocol demands them.'),
    cfg.StrOpt('s3_store_request_checksum_calculation', default='when_required', choices=_CHECKSUMS,
               help='When the library adds checksums to requests.'),
    cfg.StrOpt('s3_store_response_checksum_validation', default='when_required', choices=_CHECKSUMS,
               help='When the library compares checksums of answers.'),
    cfg.StrOpt('s3_store_object_buffer_dir', help='Accepted for compatibility; nothing is written to the local disk.'),
    cfg.BoolOpt('s3_store_enable_proxy', default=False, help='Reach the server through the proxy named below.'),
    cfg.StrOpt('s3_store_proxy_host', help='Host name or address of the proxy.'),
    cfg.PortOpt('s3_store_proxy_port', default=8080, help='Port of the proxy.'),
    cfg.StrOpt('s3_store_proxy_user', help='Name with which to log in to the proxy.'),
    cfg.StrOpt('s3_store_proxy_password', secret=True, help='Password with which to log in to the proxy.'),
]
