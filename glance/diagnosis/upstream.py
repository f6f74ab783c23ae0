"""Checks of what is supported here and was removed from the upstream project: it binds the operator to this one."""
from collections.abc import Iterator

from oslo_config import cfg

from glance.diagnosis.result import Finding, warning


def sheepdog(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    """No store is of the type that upstream has no driver for."""
    kinds = [*(conf.enabled_backends or {}).values(), *conf.glance_store.stores, conf.glance_store.default_store]
    if any('sheepdog' in kind for kind in kinds):
        yield warning('A store of type sheepdog is configured. This differs from upstream, which has no driver for it any '
                      'more; move its images to another store before you go there.')


def json_policy(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    """The policy file is in YAML."""
    from oslo_policy import opts
    opts.set_defaults(conf)
    name = conf.oslo_policy.policy_file
    path = conf.find_file(name) or (conf.find_file('policy.json') if name == 'policy.yaml' else None)
    if path and path.endswith('.json'):
        yield warning('The policy file %s is in JSON. This differs from upstream, which reads YAML only; convert it with '
                      'oslopolicy-convert-json-to-yaml.' % path)


def owner_is_tenant(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    """Images belong to projects."""
    if not conf.owner_is_tenant:
        yield warning('[DEFAULT] owner_is_tenant is false: images belong to users. This differs from upstream, where they '
                      'always belong to projects.')
