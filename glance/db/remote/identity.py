"""Who calls the registry: the service itself, which shows a token of its own or, to a registry that trusts its address,
headers.

What the user may see or change is decided before the DAL is called, or follows from the ``caller`` among the arguments. So
a token of the user is of no use here, and one that expires during a long upload does no harm.
"""
import json
import logging
import os
import threading
from collections.abc import Callable
from typing import Any

from oslo_config import cfg
from oslo_context import context as request_context

from glance import exceptions

LOG = logging.getLogger(__name__)

_SECTION = 'keystone_authtoken'
# The domain in which identity v2, whose options these are, has all its users and projects.
_DEFAULT_DOMAIN = 'default'
_SERVICE_ROLE = 'service'


class Nobody:
    """Shows nothing but the caller's own token: there are no credentials of the service, or the registry asks for none."""

    def headers(self) -> dict[str, str]:
        """Return the headers that tell who calls."""
        token = getattr(request_context.get_current(), 'auth_token', None)
        return {'X-Auth-Token': token} if token else {}

    def renew(self, refused: dict[str, str]) -> bool:
        """Make other headers than those that were refused; return whether there are any."""
        return False


class Service:
    """Shows a token of the service, from the moment when the registry asks for one.

    :param get_token: returns a token; given one that is refused, another one. Raises RegistryUnavailable
    """

    def __init__(self, get_token: Callable[[str | None], str]):
        self._get_token = get_token
        self._token: str | None = None
        self._lock = threading.Lock()

    def headers(self) -> dict[str, str]:
        """Return the headers that tell who calls."""
        return {'X-Auth-Token': self._token} if self._token else {}

    def renew(self, refused: dict[str, str]) -> bool:
        """Make other headers than those that were refused; return whether there are any. Raises RegistryUnavailable."""
        with self._lock:
            if self.headers() == refused:
                self._token = self._get_token(self._token)
        return True


class Headers:
    """Tells the identity of the caller, and that a service speaks for him, without proof (flavor trusted-auth)."""

    def __init__(self, user: str | None, project: str | None):
        self._own = {'X-User-Id': user or 'glance', 'X-Tenant-Id': project or '', 'X-Roles': _SERVICE_ROLE}

    def headers(self) -> dict[str, str]:
        """Return the headers that tell who calls."""
        caller = request_context.get_current()
        found = self._own if caller is None or not caller.user_id else {
            'X-User-Id': caller.user_id, 'X-Tenant-Id': caller.project_id or '', 'X-Roles': ','.join(caller.roles)}
        catalog = getattr(caller, 'service_catalog', None)
        return {**found, 'X-Identity-Status': 'Confirmed', 'X-Service-Roles': _SERVICE_ROLE,
                'X-Service-Catalog': json.dumps(catalog or None)}

    def renew(self, refused: dict[str, str]) -> bool:
        """There are no others."""
        return False


Identity = Nobody | Service | Headers


def from_conf(conf: cfg.ConfigOpts) -> Identity:
    """Return the identity that the options describe. Raises ConfigurationError."""
    if conf.send_identity_headers:
        return Headers(conf.admin_user, conf.admin_tenant_name)
    if not conf.use_user_token and conf.admin_user:
        return Service(_tokens(conf, _classic_plugin(conf)))
    from keystoneauth1 import loading
    from keystoneauth1.exceptions import ClientException, auth_plugins
    loading.register_auth_conf_options(conf, _SECTION)
    if not (conf[_SECTION].auth_type or conf[_SECTION].auth_section):
        return Nobody()
    try:
        return Service(_tokens(conf, loading.load_auth_from_conf_options(conf, _SECTION)))
    except (auth_plugins.MissingRequiredOptions, auth_plugins.NoMatchingPlugin, ClientException) as error:
        raise exceptions.ConfigurationError('The credentials in [%s], with which glance-registry is called, cannot be '
                                            'used: %s' % (_SECTION, error)) from None


def _classic_plugin(conf: cfg.ConfigOpts) -> Any:
    url = os.environ.get('OS_AUTH_URL') or conf.auth_url
    if not url:
        raise exceptions.ConfigurationError('[DEFAULT] admin_user is to call glance-registry, and auth_url does not say '
                                            'where Keystone is.')
    from keystoneauth1.identity import generic
    return generic.Password(url, username=conf.admin_user, password=conf.admin_password,
                            project_name=conf.admin_tenant_name, user_domain_id=_DEFAULT_DOMAIN,
                            project_domain_id=_DEFAULT_DOMAIN)


def _tokens(conf: cfg.ConfigOpts, plugin: Any) -> Callable[[str | None], str]:
    """Return what fetches tokens from Keystone."""
    from keystoneauth1 import exceptions as errors
    from keystoneauth1 import session
    from keystonemiddleware import opts
    conf.register_opts([option for _, options in opts.list_auth_token_opts() for option in options], _SECTION)
    section = conf[_SECTION]
    connection = session.Session(verify=not section.insecure and (section.cafile or True), timeout=section.timeout or 30,
                                 cert=(section.certfile, section.keyfile) if section.certfile else None)

    def get_token(refused: str | None) -> str:
        try:
            if refused:
                plugin.invalidate()
            return plugin.get_access(connection).auth_token
        except errors.ClientException as error:
            LOG.error('No token for calling glance-registry could be got from Keystone: %s', error)
            raise exceptions.RegistryUnavailable() from None
    return get_token
