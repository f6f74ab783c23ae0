"""Options of stores of type ``swift``."""
from oslo_config import cfg

OPTIONS = [
    cfg.StrOpt('default_swift_reference', default='ref1',
               help='Section of swift_store_config_file with the account for new images. Without such a file it is the '
                    'name that locations give the account of the options below.'),
    cfg.StrOpt('swift_store_config_file',
               help='File with one section for each account that holds images: auth_address, user (project:user) and key, '
                    'or application_credential_id and application_credential_secret. Not with swift_store_multi_tenant.'),
    cfg.StrOpt('swift_store_auth_address', help='Address of the identity service, with its version: https://…/v3.'),
    cfg.StrOpt('swift_store_user', secret=True, help='The user who owns the containers, as project:user.'),
    cfg.StrOpt('swift_store_key', secret=True, help='Password of this user.'),
    cfg.StrOpt('swift_store_auth_version', default='3',
               help='Version of the identity service: 3 is Keystone; 1 is the built-in login of Swift and of Ceph RGW.'),
    cfg.BoolOpt('swift_store_auth_insecure', default=False,
                help='Do not check the certificates of the identity service and of Swift.'),
    cfg.StrOpt('swift_store_cacert',
               help='File of the certificates, in PEM form, that both are trusted by instead of those of the system.'),
    cfg.StrOpt('swift_store_region', help='Region whose Swift is used, where the catalogue lists several.'),
    cfg.StrOpt('swift_store_endpoint', help='Address of the account in Swift, instead of the one in the catalogue.'),
    cfg.StrOpt('swift_store_endpoint_type', default='publicURL', choices=('publicURL', 'adminURL', 'internalURL'),
               help='Which of the addresses in the catalogue is used.'),
    cfg.StrOpt('swift_store_service_type', default='object-store', help='Type of the service in the catalogue.'),
    cfg.StrOpt('swift_store_container', default='glance',
               help='Container of the images; the beginning of its name where there are several.'),
    cfg.IntOpt('swift_store_large_object_size', default=5120, min=1,
               help='Size in MB (of 1024000 bytes) from which an image is uploaded in segments.'),
    cfg.IntOpt('swift_store_large_object_chunk_size', default=200, min=1,
               help='Size in MB (of 1024000 bytes) of these segments, and of those of images whose size is not known.'),
    cfg.BoolOpt('swift_store_create_container_on_put', default=False,
                help='Make the container with the first upload if it does not exist. With swift_store_multi_tenant it is made '
                     'in any case.'),
    cfg.BoolOpt('swift_store_multi_tenant', default=False,
                help='Keep each image in the Swift account of the project that uploads it, a container for each image, '
                     'readable for those who may see the image.'),
    cfg.IntOpt('swift_store_multiple_containers_seed', default=0, min=0, max=32,
               help='Spread images over containers named by so many of the first characters of the image ID; 0 uses one '
                    'container. Changing it leaves existing images where they are.'),
    cfg.ListOpt('swift_store_admin_tenants', default=[],
                help='Projects that get write access to the containers of all images, with swift_store_multi_tenant.'),
    cfg.BoolOpt('swift_store_ssl_compression', default=True,
                help='Accepted for compatibility; data is never compressed on its way.'),
    cfg.IntOpt('swift_store_retry_get_count', default=0, min=0,
               help='How often a download that breaks off is taken up again.'),
    cfg.IntOpt('swift_store_expire_soon_interval', default=60, min=0,
               help='Seconds before its end of life from which a token is renewed.'),
    cfg.BoolOpt('swift_store_use_trusts', default=True,
                help='With swift_store_multi_tenant, have long transfers renew the token of the user by a trust.'),
    cfg.BoolOpt('swift_buffer_on_upload', default=False,
                help='Write each segment to the local disk before it is sent, so that it can be repeated, instead of '
                     'keeping it in memory.'),
    cfg.StrOpt('swift_upload_buffer_dir', help='Directory for swift_buffer_on_upload, with room for a few segments.'),
    cfg.StrOpt('swift_store_project_id', help='Accepted for compatibility; an application credential knows its project.'),
    cfg.StrOpt('swift_store_project_name', help='Accepted for compatibility; an application credential knows its project.'),
    cfg.StrOpt('swift_store_application_credential_id',
               help='Application credential to log in with instead of user and password.'),
    cfg.StrOpt('swift_store_application_credential_secret', secret=True, help='Secret of this application credential.'),
    cfg.BoolOpt('swift_enable_snet', default=False, help='Accepted for compatibility; use swift_store_endpoint.'),
    cfg.StrOpt('swift_store_segment_container',
               help='Container of the segments of large images. When unset, and with swift_store_multi_tenant, they lie in '
                    'the container of the image.'),
    cfg.BoolOpt('swift_store_allow_anonymous_public', default=False,
                help='With swift_store_multi_tenant, let everybody read the containers of public images, also without '
                     'logging in. When off, everybody who has logged in.'),
]
