"""Makes the request context from the identity headers that the token filter verified."""
import ipaddress
import json
from collections.abc import Callable, Iterable
from typing import Any

from glance import exceptions
from glance.api.middleware.base import Filter
from glance.context import RequestContext
from glance.wsgi import faults

# What an installation without Keystone lets everybody be.
_EVERY_ROLE = ['admin', 'member', 'reader', 'service']

# Arguments of the context and the headers they come from, the first that is present.
_HEADERS = {
    'auth_token': ('HTTP_X_AUTH_TOKEN', 'HTTP_X_STORAGE_TOKEN'),
    'user_id': ('HTTP_X_USER_ID', 'HTTP_X_USER'),
    'project_id': ('HTTP_X_PROJECT_ID', 'HTTP_X_TENANT_ID', 'HTTP_X_TENANT'),
    'domain_id': ('HTTP_X_DOMAIN_ID',),
    'domain_name': ('HTTP_X_DOMAIN_NAME',),
    'system_scope': ('HTTP_OPENSTACK_SYSTEM_SCOPE',),
    'user_domain_id': ('HTTP_X_USER_DOMAIN_ID',),
    'project_domain_id': ('HTTP_X_PROJECT_DOMAIN_ID',),
    'user_name': ('HTTP_X_USER_NAME',),
    'project_name': ('HTTP_X_PROJECT_NAME', 'HTTP_X_TENANT_NAME'),
    'user_domain_name': ('HTTP_X_USER_DOMAIN_NAME',),
    'project_domain_name': ('HTTP_X_PROJECT_DOMAIN_NAME',),
    'service_token': ('HTTP_X_SERVICE_TOKEN',),
    'service_user_id': ('HTTP_X_SERVICE_USER_ID',),
    'service_user_name': ('HTTP_X_SERVICE_USER_NAME',),
    'service_user_domain_id': ('HTTP_X_SERVICE_USER_DOMAIN_ID',),
    'service_user_domain_name': ('HTTP_X_SERVICE_USER_DOMAIN_NAME',),
    'service_project_id': ('HTTP_X_SERVICE_PROJECT_ID',),
    'service_project_name': ('HTTP_X_SERVICE_PROJECT_NAME',),
    'service_project_domain_id': ('HTTP_X_SERVICE_PROJECT_DOMAIN_ID',),
    'service_project_domain_name': ('HTTP_X_SERVICE_PROJECT_DOMAIN_NAME',),
}


class _ContextFilter(Filter):
    """Puts the context where handlers and the access log find it; a failure to make one is told to the client."""

    def __call__(self, environ: dict[str, Any], start_response: Callable) -> Iterable[bytes]:
        try:
            environ['glance.context'] = self.context(environ)
        except exceptions.GlanceError as error:
            return faults.response_for(error, environ)(environ, start_response)
        return super().__call__(environ, start_response)

    def context(self, environ: dict[str, Any]) -> RequestContext:
        """Return who asks. Raises NotAuthenticated."""
        raise NotImplementedError


class UnauthenticatedContextMiddleware(_ContextFilter):
    """Everybody is an administrator: for installations without Keystone."""

    def context(self, environ: dict[str, Any]) -> RequestContext:
        return RequestContext(roles=_EVERY_ROLE, is_admin=True, request_id=environ.get('glance.request_id'))


class ContextMiddleware(_ContextFilter):
    """The caller is whom the token filter confirmed, or, where that is allowed, nobody in particular."""

    def context(self, environ: dict[str, Any]) -> RequestContext:
        if environ.get('HTTP_X_IDENTITY_STATUS') != 'Confirmed' or self._is_forged(environ):
            if not self._conf.allow_anonymous_access:
                raise exceptions.NotAuthenticated()
            return RequestContext(read_only=True, is_admin=False, request_id=environ.get('glance.request_id'))
        context = RequestContext(
            **{name: _first(environ, headers) for name, headers in _HEADERS.items()},
            roles=_list(_first(environ, ('HTTP_X_ROLES', 'HTTP_X_ROLE'))),
            service_roles=_list(environ.get('HTTP_X_SERVICE_ROLES')),
            is_admin_project=environ.get('HTTP_X_IS_ADMIN_PROJECT', 'true').lower() in ('true', '1', 'yes'),
            service_catalog=_catalog(environ.get('HTTP_X_SERVICE_CATALOG')), is_admin=False,
            owner_is_tenant=self._conf.owner_is_tenant, request_id=environ.get('glance.request_id'))
        context.is_admin = self._is_admin(context, environ)
        return context

    def _is_forged(self, environ: dict[str, Any]) -> bool:
        """Tell whether the identity comes without proof, from a peer who is not trusted to tell it."""
        if 'trusted-auth' not in (self._conf.paste_deploy.flavor or '').split('+'):
            return False
        # A registry has more to go by than addresses.
        peers = getattr(environ['glance.environment'], 'peers', None)
        believed = peers.believed(environ) if peers else None
        return not (self._is_near(environ) if believed is None else believed)

    def _is_near(self, environ: dict[str, Any]) -> bool:
        """Tell whether the peer is on this host or in a network that is trusted."""
        try:
            peer = ipaddress.ip_address(environ.get('REMOTE_ADDR', ''))
        except ValueError:  # a Unix socket: a process of this host
            return True
        peer = getattr(peer, 'ipv4_mapped', None) or peer
        return peer.is_loopback or any(peer in network for network in self._conf.trusted_proxies)

    def _is_admin(self, context: RequestContext, environ: dict[str, Any]) -> bool:
        if self._conf.admin_role and self._conf.admin_role.strip().lower() in context.roles:
            return True
        enforcer = environ['glance.environment'].enforcer
        return enforcer.allows(context, 'context_is_admin', context.credentials)


def _first(environ: dict[str, Any], names: Iterable[str]) -> str | None:
    return next((environ[name] for name in names if name in environ), None)


def _list(value: str | None) -> list[str]:
    return [item.strip() for item in (value or '').split(',') if item.strip()]


def _catalog(value: str | None) -> list | None:
    if value is None:
        return None
    try:
        return json.loads(value)
    except ValueError:
        raise exceptions.Invalid('The header X-Service-Catalog does not hold valid JSON.') from None
