"""Rules of images and their data."""
from oslo_policy import policy

from glance.policies import base

_DEFAULT = 'rule:default'


def list_rules() -> list[policy.RuleDefault]:
    """Return the rules of images and their data."""
    return [
        base.project_rule('add_image', base.ADMIN_OR_CREATOR, 'Create an image.', [('POST', '/v2/images')], _DEFAULT),
        base.project_rule('get_image', base.ADMIN_OR_VISIBLE_TO_READER,
                          'Show an image. An image that fails this rule does not exist for the caller.',
                          [('GET', '/v2/images/{image_id}')], _DEFAULT),
        base.project_rule('get_images', base.ADMIN_OR_READER, 'List images.', [('GET', '/v2/images')], _DEFAULT),
        base.project_rule('modify_image', base.ADMIN_OR_MEMBER, 'Change the attributes of an image.',
                          [('PATCH', '/v2/images/{image_id}'), ('PUT', '/v2/images/{image_id}/tags/{tag}'),
                           ('DELETE', '/v2/images/{image_id}/tags/{tag}')], _DEFAULT),
        base.project_rule('delete_image', base.ADMIN_OR_MEMBER, 'Delete an image.',
                          [('DELETE', '/v2/images/{image_id}')], _DEFAULT),
        base.project_rule('publicize_image', base.ADMIN, 'Give an image the visibility "public".',
                          [('POST', '/v2/images'), ('PATCH', '/v2/images/{image_id}')]),
        base.project_rule('communitize_image', base.ADMIN_OR_MEMBER, 'Give an image the visibility "community".',
                          [('POST', '/v2/images'), ('PATCH', '/v2/images/{image_id}')], _DEFAULT),
        base.project_rule('download_image', base.ADMIN_OR_VISIBLE_TO_MEMBER, 'Download the data of an image.',
                          [('GET', '/v2/images/{image_id}/file')], _DEFAULT),
        base.project_rule('download_from_store', base.ADMIN_OR_VISIBLE_TO_MEMBER,
                          'Choose the stores from which the data of an image is downloaded, by "prefer".',
                          [('GET', '/v2/images/{image_id}/file')]),
        base.project_rule('upload_image', base.ADMIN_OR_MEMBER, 'Upload the data of an image.',
                          [('PUT', '/v2/images/{image_id}/file')], _DEFAULT),
        base.project_rule('set_image_location', base.ADMIN_OR_MEMBER,
                          'Add locations to an image, and replace their metadata, by a patch.',
                          [('PATCH', '/v2/images/{image_id}')], _DEFAULT),
        base.project_rule('delete_image_location', base.ADMIN, 'Remove a location of an image, and the data there.',
                          [('PATCH', '/v2/images/{image_id}'), ('DELETE', '/v2/stores/{store_id}/{image_id}')], _DEFAULT),
        base.project_rule('get_image_location', '%s or (%s)' % (base.ADMIN, base.READER),
                          'See the locations of an image where they are shown. When showing images this counts only if it '
                          'is overridden: services read locations of public images with the tokens of users.',
                          [('DELETE', '/v2/stores/{store_id}/{image_id}'), ('GET', '/v2/images/{image_id}')], _DEFAULT),
        base.project_rule('add_image_location', 'rule:service_api or (%s and project_id:%%(owner)s)' % base.MEMBER,
                          'Give a queued image its data by a location.', [('POST', '/v2/images/{image_id}/locations')]),
        base.project_rule('fetch_image_location', 'rule:service_api', 'Read the locations of an image.',
                          [('GET', '/v2/images/{image_id}/locations')]),
        base.project_rule('deactivate', base.ADMIN_OR_MEMBER, 'Withdraw the data of an image from all but administrators.',
                          [('POST', '/v2/images/{image_id}/actions/deactivate')], _DEFAULT),
        base.project_rule('reactivate', base.ADMIN_OR_MEMBER, 'Give back the data of a deactivated image.',
                          [('POST', '/v2/images/{image_id}/actions/reactivate')], _DEFAULT),
    ]
