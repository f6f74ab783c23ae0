"""Rules of the members of images."""
from oslo_policy import policy

from glance.policies import base

_DEFAULT = 'rule:default'
_MEMBERS = '/v2/images/{image_id}/members'
_MEMBER = _MEMBERS + '/{member_id}'
# The project of the image and the one that it is shared with.
_ADMIN_OR_CONCERNED = '%s or role:reader and (project_id:%%(project_id)s or project_id:%%(member_id)s)' % base.ADMIN
_ADMIN_OR_INVITED = '%s or (role:member and project_id:%%(member_id)s)' % base.ADMIN


def list_rules() -> list[policy.RuleDefault]:
    """Return the rules of the members of images."""
    return [
        base.project_rule('add_member', base.ADMIN_OR_MEMBER, 'Share an image with a project.', [('POST', _MEMBERS)],
                          _DEFAULT),
        base.project_rule('get_members', _ADMIN_OR_CONCERNED, 'List the members of an image.', [('GET', _MEMBERS)],
                          _DEFAULT),
        base.project_rule('get_member', _ADMIN_OR_CONCERNED,
                          'Show a member of an image. A member that fails this rule is left out of lists.',
                          [('GET', _MEMBER), ('PUT', _MEMBER), ('DELETE', _MEMBER), ('GET', _MEMBERS)], _DEFAULT),
        base.project_rule('modify_member', _ADMIN_OR_INVITED, 'Accept or reject a shared image.', [('PUT', _MEMBER)],
                          _DEFAULT),
        base.project_rule('delete_member', base.ADMIN_OR_MEMBER, 'Stop sharing an image with a project.',
                          [('DELETE', _MEMBER)], _DEFAULT),
    ]
