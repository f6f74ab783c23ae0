"""``[DEFAULT]``: notifications about images. How they are transported is an option of oslo.messaging."""

from oslo_config import cfg

OPTIONS = {None: [
    cfg.StrOpt(
        'default_publisher_id', default='image.localhost',
        help='Sender named in every notification.'),
    cfg.ListOpt(
        'disabled_notifications', default=[],
        help='Notifications that are not sent: event types such as image.upload, or everything below a prefix: image, '
             'image.member, task, metadef_namespace, metadef_object, metadef_property, metadef_resource_type, '
             'metadef_tag.'),
]}
