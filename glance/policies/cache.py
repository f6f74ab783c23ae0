"""Rules of the image cache."""
from oslo_policy import policy

from glance.policies import base

_MANAGE = 'manage_image_cache'
_CACHE, _ENTRY = '/v2/cache', '/v2/cache/{image_id}'
_CACHED, _QUEUED = '/v2/cached_images', '/v2/queued_images'


def list_rules() -> list[policy.RuleDefault]:
    """Return the rules of the image cache."""
    return [
        base.project_rule(_MANAGE, base.ADMIN, 'Manage the image cache by its classic routes.', [
            ('GET', _CACHED), ('DELETE', _CACHED), ('DELETE', _CACHED + '/{image_id}'), ('GET', _QUEUED),
            ('DELETE', _QUEUED), ('PUT', _QUEUED + '/{image_id}'), ('DELETE', _QUEUED + '/{image_id}')]),
        _successor('cache_image', 'Have an image fetched into the cache.', [('PUT', _ENTRY)]),
        _successor('cache_list', 'List the images that are in the cache or queued for it.', [('GET', _CACHE)]),
        _successor('cache_delete', 'Remove images from the cache and its queue.', [('DELETE', _CACHE), ('DELETE', _ENTRY)]),
        base.project_rule('cache_clean', base.ADMIN, 'Remove what failed on its way into the cache.',
                          [('POST', _CACHE + '/clean')]),
        base.project_rule('cache_prune', base.ADMIN, 'Remove what was not used for longest until the cache has its size.',
                          [('POST', _CACHE + '/prune')]),
        base.project_rule('list_cached_nodes', base.ADMIN, 'List the nodes that have an image in their cache.',
                          [('GET', _CACHE + '/nodes/{image_id}')]),
    ]


def _successor(name: str, description: str, operations: list[tuple[str, str]]) -> policy.DocumentedRuleDefault:
    """Make a rule that follows the one of the classic routes where the operator changed only that."""
    former = policy.DeprecatedRule(
        name=_MANAGE, check_str='rule:' + _MANAGE, deprecated_since='24.0.0',
        deprecated_reason='The calls of the API have a rule each; the old one goes on to guard the classic routes.')
    return policy.DocumentedRuleDefault(
        name=name, check_str=base.ADMIN, scope_types=['project'], description=description, deprecated_rule=former,
        operations=[{'method': method, 'path': path} for method, path in operations])
