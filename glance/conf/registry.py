"""``[DEFAULT]``: what glance-registry serves, and how the other programs reach it (``data_api``)."""

from oslo_config import cfg

SERVER = [
    cfg.BoolOpt(
        'enable_v1_registry', default=True,
        help='Serve the REST interface of glance-registry, which old API nodes speak.'),
    cfg.BoolOpt(
        'enable_v2_registry', default=True,
        help='Serve the RPC interface of glance-registry, for API nodes with data_api = glance.db.registry.api.'),
]

CLIENT = [
    cfg.HostAddressOpt(
        'registry_host', default='0.0.0.0',
        help='Host of glance-registry. 0.0.0.0 means this host.'),
    cfg.PortOpt(
        'registry_port', default=9191,
        help='Port of glance-registry.'),
    cfg.StrOpt(
        'registry_client_protocol', default='http', choices=(('http', 'plain text'), ('https', 'encrypted')),
        help='Whether the connection to glance-registry is encrypted.'),
    cfg.StrOpt(
        'registry_client_key_file',
        help='PEM file with the private key that is shown to glance-registry. The environment variable '
             'GLANCE_CLIENT_KEY_FILE stands in when unset.'),
    cfg.StrOpt(
        'registry_client_cert_file',
        help='PEM file with the certificate that is shown to glance-registry; it needs the key. The environment '
             'variable GLANCE_CLIENT_CERT_FILE stands in when unset.'),
    cfg.StrOpt(
        'registry_client_ca_file',
        help='PEM file with the authorities that may sign the certificate of glance-registry. The environment variable '
             'GLANCE_CLIENT_CA_FILE stands in when unset, then the bundle of the system.'),
    cfg.BoolOpt(
        'registry_client_insecure', default=False,
        help='Do not verify the certificate of glance-registry. Anybody on the path can then read and change records.'),
    cfg.IntOpt(
        'registry_client_timeout', default=600, min=0,
        help='Seconds that a request to glance-registry may take. 0 waits for ever.'),
    cfg.BoolOpt(
        'send_identity_headers', default=False,
        help='Send user, project and roles as headers, for a glance-registry of flavor trusted-auth. Users must not be '
             'able to reach the port of such a registry.'),
    cfg.BoolOpt(
        'use_user_token', default=True,
        help="Pass the caller's token on to glance-registry. When false, the credentials below are used."),
    cfg.StrOpt(
        'admin_user',
        help='User as which glance-registry is called when use_user_token is false.'),
    cfg.StrOpt(
        'admin_password', secret=True,
        help='Password of admin_user.'),
    cfg.StrOpt(
        'admin_tenant_name',
        help='Project of admin_user.'),
    cfg.StrOpt(
        'auth_url',
        help='URL of Keystone for these credentials. When set, auth_strategy is keystone. The environment variable '
             'OS_AUTH_URL wins over it.'),
    cfg.StrOpt(
        'auth_strategy', default='noauth',
        choices=(('noauth', 'no token is fetched'), ('keystone', 'a token is fetched with the credentials above')),
        help='Whether a token is fetched from Keystone before glance-registry is called.'),
    cfg.StrOpt(
        'auth_region',
        help='Region of the service catalog in which glance-registry is looked up.'),
    cfg.ListOpt(
        'allowed_rpc_exception_modules', default=['glance.common.exception', 'builtins', 'exceptions'],
        help='Modules whose exceptions, named in an answer of glance-registry, may be raised here.'),
]

OPTIONS = {None: SERVER + CLIENT}
