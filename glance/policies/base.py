"""Rules that other rules are made of."""
from oslo_policy import policy

ADMIN = 'rule:context_is_admin'
MEMBER = 'role:member and project_id:%(project_id)s'
READER = 'role:reader and project_id:%(project_id)s'
ADMIN_OR_MEMBER = '%s or (%s)' % (ADMIN, MEMBER)
ADMIN_OR_READER = '%s or (%s)' % (ADMIN, READER)
# Who sees an image: its project, a project it is shared with, everybody when it is public or community. Real membership
# of a shared image is decided by the database layer before any rule is asked.
VISIBLE = ("project_id:%(project_id)s or project_id:%(member_id)s or 'community':%(visibility)s or "
           "'public':%(visibility)s or 'shared':%(visibility)s")
ADMIN_OR_VISIBLE_TO_READER = '%s or (role:reader and (%s))' % (ADMIN, VISIBLE)
ADMIN_OR_VISIBLE_TO_MEMBER = '%s or (role:member and (%s))' % (ADMIN, VISIBLE)
ADMIN_OR_CREATOR = '%s or (%s and project_id:%%(owner)s)' % (ADMIN, MEMBER)

_SINCE = '22.0.0'
_REASON = 'The default now asks for a role in the project; the old default let every caller pass.'


def project_rule(name: str, check: str, description: str, operations: list[tuple[str, str]], legacy: str | None = None
                 ) -> policy.DocumentedRuleDefault:
    """Make a rule for project-scoped tokens; ``legacy`` is OR-ed to it while ``enforce_new_defaults`` is off.

    ``operations`` holds pairs of method and path.
    """
    deprecated = None
    if legacy is not None:
        deprecated = policy.DeprecatedRule(name=name, check_str=legacy, deprecated_reason=_REASON,
                                           deprecated_since=_SINCE)
    return policy.DocumentedRuleDefault(
        name=name, check_str=check, scope_types=['project'], description=description, deprecated_rule=deprecated,
        operations=[{'method': method, 'path': path} for method, path in operations])


def list_rules() -> list[policy.RuleDefault]:
    """Return the base rules."""
    return [
        policy.RuleDefault(
            name='default', check_str='',
            description='Decides where the old default of a rule applies (enforce_new_defaults is off).',
            deprecated_rule=policy.DeprecatedRule(
                name='default', check_str='rule:context_is_admin', deprecated_since=_SINCE,
                deprecated_reason='Rules name the roles that they need instead of falling back to this one.')),
        policy.RuleDefault(
            name='context_is_admin', check_str='role:admin',
            description='Makes the caller an administrator of the image service: sees and changes images of every project.'),
        policy.RuleDefault(
            name='service_api', check_str='role:service or service_roles:service or role:admin',
            description='Calls meant for other services of the cloud rather than for people.'),
    ]
