"""Options of stores of type ``cinder``."""
from oslo_config import cfg

OPTIONS = [
    cfg.StrOpt('cinder_catalog_info', default='volumev3::publicURL',
               help='Which entry of the catalogue is Cinder: type:name:interface; the name may be empty.'),
    cfg.StrOpt('cinder_endpoint_template',
               help='Address of Cinder instead of the one in the catalogue, for example '
                    'https://cinder.example.com/v3/%(project_id)s; values of the request context can be named.'),
    cfg.StrOpt('cinder_os_region_name', deprecated_opts=[cfg.DeprecatedOpt('os_region_name')],
               help='Region whose Cinder is used, where the catalogue lists several.'),
    cfg.StrOpt('cinder_ca_certificates_file',
               help='File of the certificates, in PEM form, that Cinder is trusted by instead of those of the system.'),
    cfg.IntOpt('cinder_http_retries', default=3, min=0, help='How often a failed call of Cinder is repeated.'),
    cfg.IntOpt('cinder_state_transition_timeout', default=300, min=1,
               help='Seconds that a volume may take to become available, attached or larger.'),
    cfg.BoolOpt('cinder_api_insecure', default=False, help="Do not check Cinder's certificates."),
    cfg.StrOpt('cinder_store_auth_address',
               help='Address of the identity service, for volumes that belong to a user of the service: this, name, '
                    'password and project have to be set. Otherwise volumes belong to the project that uploads.'),
    cfg.StrOpt('cinder_store_user_name', help='Name of the user who owns the volumes.'),
    cfg.StrOpt('cinder_store_user_domain_name', default='Default', help='Domain of this user.'),
    cfg.StrOpt('cinder_store_password', secret=True, help='Password of this user.'),
    cfg.StrOpt('cinder_store_project_name', help='Project that owns the volumes.'),
    cfg.StrOpt('cinder_store_project_domain_name', default='Default', help='Domain of this project.'),
    cfg.StrOpt('cinder_store_application_credential_id',
               help='Application credential to log in with instead of name and password.'),
    cfg.StrOpt('cinder_store_application_credential_secret', secret=True, help='Secret of this application credential.'),
    cfg.StrOpt('cinder_volume_type',
               help="Type of the volumes. When unset, Cinder's default type. Several stores are told apart by it."),
    cfg.BoolOpt('cinder_use_multipath', default=False, help='Attach volumes by several paths where that is possible.'),
    cfg.BoolOpt('cinder_enforce_multipath', default=False, help='Fail where volumes cannot be attached by several paths.'),
    cfg.BoolOpt('cinder_do_extend_attached', default=False,
                help='Enlarge volumes of images of unknown size while they are attached. The backend of Cinder must be '
                     'able to.'),
    cfg.StrOpt('cinder_mount_point_base', default='/var/lib/glance/mnt',
               help='Directory below which exports of NFS are mounted.'),
    cfg.IntOpt('cinder_attachment_retry_attempts', default=5, min=1,
               help='How often attaching is tried while others use the volume.'),
    cfg.IntOpt('cinder_attachment_idle', default=30, min=0,
               help='Seconds for which an attached volume is kept for the next reader, where its type has multiattach and it '
                    'belongs to a user of the service. 0 detaches at once.'),
    cfg.StrOpt('rootwrap_config', default='/etc/glance/rootwrap.conf',
               help='Configuration of glance-rootwrap, which runs the commands that need root.'),
]
