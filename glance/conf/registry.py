"""``[DEFAULT]``: what glance-registry serves, and how the other programs reach it (``data_api``)."""

from oslo_config import cfg

_SECRET = cfg.StrOpt(
    'registry_shared_secret', secret=True,
    help='Secret that glance-registry of flavor trusted-auth and its API nodes have in common: the nodes sign their requests '
         'with it (HMAC-SHA256), and identity headers are believed only in signed requests and from holders of a '
         'certificate. The clocks of the hosts may be 5 minutes apart.')

SERVER = [
    _SECRET,
    cfg.BoolOpt(
        'registry_trust_any_peer', default=False,
        help='Believe the identity headers of whoever reaches a glance-registry of flavor trusted-auth. When false, a '
             'certificate (ca_file) or a signature (registry_shared_secret) is needed; where neither is configured, headers '
             'from this host and from trusted_proxies are believed.'),
    cfg.ListOpt(
        'registry_allowed_client_names', default=[],
        help='Names of which the certificate of a client must have one, as common name or alternative name. Empty accepts '
             'every certificate that an authority in ca_file signed.'),
    cfg.ListOpt(
        'allowed_rpc_exception_modules', default=['glance.common.exception', 'builtins', 'exceptions'],
        help='Modules whose exceptions are told to API nodes of former releases by their names; others become RPCError. '
             'No class is ever loaded by a name in an answer.'),
    cfg.BoolOpt(
        'enable_v1_registry', default=True,
        help='Serve the REST interface of glance-registry, which old API nodes speak.'),
    cfg.BoolOpt(
        'enable_v2_registry', default=True,
        help='Serve the RPC interface of glance-registry, for API nodes with data_api = glance.db.registry.api.'),
    cfg.ListOpt(
        'registry_service_roles', default=['service'],
        help='Roles of the users that are services: an API node with one of them may read and change every record, for '
             'it decides itself what its callers may. Administrators always may.'),
    cfg.BoolOpt(
        'registry_trust_user_tokens', default=False,
        help='Let whoever shows a token of the owner of an image change its status, locations and checksums. API nodes '
             'of former releases need it, for they pass on the token of the user and show nothing of their own. Users '
             'must not be able to reach the port of such a registry.'),
    cfg.IntOpt(
        'registry_max_body', default=16777216, min=1,
        help='Longest request in bytes that is accepted; a longer one is answered with 413.'),
    cfg.IntOpt(
        'registry_max_list', default=10000, min=1,
        help='Most images that one command may list.'),
    cfg.IntOpt(
        'registry_request_key_ttl', default=120, min=0,
        help='Seconds for which the answer to a write is remembered, in the database, so that an API node that lost it '
             'may ask again. 0 remembers nothing.'),
]

CLIENT = [
    _SECRET,
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
        sample_default=60,
        help='Seconds that a request to glance-registry may take, with all that is tried for it. 0 waits for ever.'),
    cfg.IntOpt(
        'registry_client_connect_timeout', default=5, min=1,
        help='Seconds that making a connection to glance-registry may take.'),
    cfg.IntOpt(
        'registry_client_max_retries', default=2, min=0,
        help='How often a request is repeated that did not reach glance-registry, or whose answer was lost and that '
             'changes nothing.'),
    cfg.IntOpt(
        'registry_client_pool_size', default=10, min=0,
        help='Connections to glance-registry that a worker keeps open while they are idle.'),
    cfg.IntOpt(
        'registry_client_pool_max', default=100, min=1,
        help='Connections to glance-registry that a worker has at most; further requests wait.'),
    cfg.IntOpt(
        'registry_client_idle_timeout', default=60, min=1,
        help='Seconds after which an idle connection is closed. To be shorter than keepalive_timeout of glance-registry.'),
    cfg.ListOpt(
        'registry_endpoints', default=[],
        help='Several glance-registry as host:port, used in turn; one that fails is left out until it is back. When set, '
             'registry_host and registry_port have no effect.'),
    cfg.IntOpt(
        'registry_list_page_size', default=500, min=1,
        help='Images that are fetched from glance-registry at a time when all are wanted.'),
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
]

SERVER_OPTIONS = {None: SERVER}
CLIENT_OPTIONS = {None: CLIENT}
