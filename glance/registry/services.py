"""Which callers are services: they decide themselves what their own callers may."""
from oslo_config import cfg

from glance.context import RequestContext


class Services:
    """Callers with one of the roles of ``registry_service_roles``, and administrators."""

    def __init__(self, conf: cfg.ConfigOpts):
        self.roles = frozenset(role.strip().lower() for role in conf.registry_service_roles)

    def include(self, context: RequestContext) -> bool:
        """Whether the caller is a service."""
        return not context.read_only and (
            context.is_admin or not self.roles.isdisjoint((*context.roles, *context.service_roles)))
