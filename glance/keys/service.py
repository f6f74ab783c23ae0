"""The service's own credentials, for work that nobody's token accompanies.

They are castellan's options in ``[key_manager]``: ``auth_type = keystone_password``, ``auth_url``, ``username`` (or
``user_id``), ``user_domain_name`` (or ``user_domain_id``), ``password``. The project of a token is the one whose keys are
meant, so the key manager decides by its own rules, and the service needs a role in that project.
"""
import logging

from oslo_config import cfg

from glance import exceptions
from glance.context import RequestContext

LOG = logging.getLogger(__name__)


class ServiceCredentials:
    """Fetches tokens of the service for projects; keystoneauth1 and castellan are imported at the first use."""

    def __init__(self, conf: cfg.ConfigOpts):
        self._conf = conf

    def context_for(self, project_id: str | None) -> RequestContext:
        """Return the context of the service in a project. Raises KeyManagerError with a sentence that says why not."""
        if project_id is None or not self._conf.owner_is_tenant:
            raise exceptions.KeyManagerError('the image belongs to no project.')
        from castellan.common.utils import OPT_GROUP, credential_opts
        self._conf.register_opts(credential_opts, group=OPT_GROUP)
        if self._conf.key_manager.auth_type != 'keystone_password':
            raise exceptions.KeyManagerError('the service has no credentials of its own; set [key_manager] auth_type = '
                                             'keystone_password and the options that belong to it.')
        from keystoneauth1 import exceptions as keystone_errors
        try:
            token = self._token(project_id)
        except keystone_errors.ClientException as error:
            LOG.error('Keystone gives the service no token for project %s: %s', project_id, error)
            raise exceptions.KeyManagerError('the service has no access to project %s.' % project_id) from error
        return RequestContext(auth_token=token, project_id=project_id, overwrite=False)

    def _token(self, project_id: str) -> str:
        from keystoneauth1 import identity, session
        options = self._conf.key_manager
        password = identity.Password(
            auth_url=options.auth_url, username=options.username, user_id=options.user_id, password=options.password,
            user_domain_id=options.user_domain_id, user_domain_name=options.user_domain_name, project_id=project_id)
        return session.Session().get_token(password)
