"""Who asks: the context that accompanies one request through the service."""
import functools
from typing import Any

from oslo_context import context


class RequestContext(context.RequestContext):
    """The caller's identity, taken from the headers that the token filter verified.

    ``is_admin`` is the verdict of the policy rule ``context_is_admin``. ``owner_is_tenant`` False makes the user the
    owner of images instead of the project. A ``read_only`` caller (anonymous) is refused every change.
    """

    def __init__(self, *, owner_is_tenant: bool = True, service_catalog: list | None = None, **identity: Any):
        identity['roles'] = [role.strip().lower() for role in identity.get('roles') or ()]
        identity['service_roles'] = [role.strip().lower() for role in identity.get('service_roles') or ()]
        super().__init__(**identity)
        self.owner_is_tenant = owner_is_tenant
        self.service_catalog = service_catalog or []

    @property
    def owner(self) -> str | None:
        """The id that owns what the caller creates: project or user."""
        return self.project_id if self.owner_is_tenant else self.user_id

    @functools.cached_property
    def credentials(self) -> dict[str, Any]:
        """The left side of policy checks, computed once per request."""
        values = {**self.to_policy_values(), 'user': self.user_id, 'tenant': self.project_id, 'system': self.system_scope}
        # What the caller does not have is left out: None would equal an attribute that the target lacks.
        return {name: value for name, value in values.items() if value is not None}

    @property
    def scope(self) -> str:
        """``system``, ``domain`` or ``project``: what the caller's token is for."""
        if self.system_scope:
            return 'system'
        return 'domain' if self.domain_id else 'project'
