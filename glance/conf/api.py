"""``[DEFAULT]``: what the API offers, whom it believes, and its limits."""

from oslo_config import cfg

from glance.conf.types import Size

_LARGEST_SIZE = 9223372036854775808

SURFACE = [
    cfg.BoolOpt(
        'enable_v1_api', default=False,
        help='Serve the Images API v1 and list it in the version document. Only for clients that know nothing newer.'),
    cfg.BoolOpt(
        'enable_v2_api', default=True,
        help='Serve the Images API v2, the one that every current client uses.'),
    cfg.URIOpt(
        'public_endpoint', schemes=('http', 'https'),
        help='URL under which clients reach the service, for the links in the version document. When unset, the links '
             'repeat the URL of the request, which is wrong behind a proxy that hides it. Example: '
             'https://image.example.com'),
    cfg.IntOpt(
        'limit_param_default', default=25, min=1,
        help='Items on one page of a list when the request names no limit.'),
    cfg.IntOpt(
        'api_limit_max', default=1000, min=1,
        help='Most items on one page of a list; a larger limit in a request is cut to it silently.'),
    cfg.IntOpt(
        'max_json_body_size', default=10485760, min=1,
        help='Longest JSON request body in bytes; a longer one is answered with 413. Image data is not JSON and not '
             'meant here.'),
    cfg.BoolOpt(
        'show_image_direct_url', default=False,
        help='Show the URL of the best location of an image as direct_url. The URL may carry credentials of the store; '
             'show it only where every user is trusted with them.'),
    cfg.BoolOpt(
        'show_multiple_locations', default=False,
        help='Show all locations of an image and let clients change them by PATCH, subject to policy. Whoever may set '
             'locations decides which bytes an image has.'),
    cfg.BoolOpt(
        'allow_additional_image_properties', default=True,
        help='Let users add properties that the image schema does not name. When false, such requests get 400.'),
    cfg.BoolOpt(
        'ownerless_images_visible', default=True,
        help='Show images without an owner to everybody, as the service always did. When false, only administrators '
             'see them.'),
    cfg.StrOpt(
        'property_protection_file',
        help='File that says who may create, read, update and delete which image property. A relative name is '
             'searched next to the configuration files. When unset, properties are not protected.'),
    cfg.StrOpt(
        'property_protection_rule_format', default='roles',
        choices=(('roles', 'by role'), ('policies', 'by rule of the policy file')),
        help='How the protection file names people.'),
    cfg.StrOpt(
        'metadata_source_path', default='/etc/glance/metadefs/',
        help='Directory of the metadata definition files that glance-manage loads, and to which it exports.'),
    cfg.StrOpt(
        'data_api', default='glance.db.sqlalchemy.api',
        choices=(('glance.db.sqlalchemy.api', 'the database named in [database]'),
                 ('glance.db.registry.api', 'a glance-registry that holds the database credentials'),
                 ('glance.db.simple.api', 'memory of the process, lost at its end; for tests only')),
        help='Where the records of the service are kept.'),
]

CALLERS = [
    cfg.BoolOpt(
        'allow_anonymous_access', default=False,
        help='Treat a request without a valid token as an anonymous reader. When false it gets 401.'),
    cfg.BoolOpt(
        'owner_is_tenant', default=True,
        help='An image belongs to the project of its creator; when false, to the user. Changing it on a service in use '
             'changes who owns the existing images.'),
    cfg.StrOpt(
        'admin_role',
        help='Role whose holders are administrators whatever the policy file says. When unset, policy decides alone, '
             'which is what you want.'),
    cfg.IntOpt(
        'max_request_id_length', default=64, min=0,
        help='Longest request id that a client may choose with X-Openstack-Request-Id; a longer one is answered with '
             '431. 0 sets no limit.'),
]

LIMITS = [
    cfg.IntOpt(
        'image_size_cap', default=1099511627776, min=1, max=_LARGEST_SIZE,
        help='Largest image in bytes that is accepted; the default is 1 TiB.'),
    cfg.Opt(
        'user_storage_quota', type=Size(), default='0',
        help='Storage that the images of one project may take, summed over all locations: a number with an optional '
             'unit of B, KB, MB, GB or TB (powers of 1024), e.g. 10GB. 0 sets no limit. Ignored '
             'with use_keystone_limits.'),
    cfg.IntOpt(
        'image_member_quota', default=128,
        help='Projects with which one image may be shared. A negative value sets no limit.'),
    cfg.IntOpt(
        'image_property_quota', default=128,
        help='Additional properties of one image. A negative value sets no limit.'),
    cfg.IntOpt(
        'image_tag_quota', default=128,
        help='Tags of one image. A negative value sets no limit.'),
    cfg.IntOpt(
        'image_location_quota', default=10,
        help='Locations of one image. A negative value sets no limit.'),
    cfg.IntOpt(
        'max_queued_images_per_project', default=0, min=0,
        help='Images without data that one project may have; one more is refused with 413. 0 sets no limit. A thousand is '
             'plenty where users are not trusted.'),
    cfg.FloatOpt(
        'api_create_rate', default=0, min=0,
        help='Images per second that one project may create through one worker process; more is refused with 429, which '
             'says when to try again. 0 sets no limit. Example: 10'),
    cfg.IntOpt(
        'queued_image_ttl', default=0, min=0,
        help='Seconds after which an image that got no data, and was not changed meanwhile, is deleted, unless it is '
             'protected. 0 keeps it for ever. A week is 604800.'),
    cfg.BoolOpt(
        'use_keystone_limits', default=False,
        help='Enforce the limits registered in Keystone: image_size_total and image_stage_total in MiB, '
             'image_count_total, image_count_uploading. A limit that is not registered counts as 0 and refuses '
             'everything.'),
]

OPTIONS = {None: SURFACE + CALLERS + LIMITS}
