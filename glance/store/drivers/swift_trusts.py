"""Trusts by which a service acts as the user whose upload takes longer than his token lives."""
import dataclasses
import datetime
import logging
from typing import TYPE_CHECKING, Any

from keystoneauth1.exceptions import ClientException
from keystoneauth1.session import Session
from keystoneauth1.token_endpoint import Token

from glance import exceptions
from glance.store.drivers import swift_client
from glance.store.drivers.swift_accounts import Reference

if TYPE_CHECKING:
    from glance.store.drivers.swift_tenants import TenantAccounts

LOG = logging.getLogger(__name__)

_LIFE = datetime.timedelta(days=1)
"""The longest life of a trust, should nobody end it."""


@dataclasses.dataclass(frozen=True)
class Trust:
    """One trust: ``session`` acts as the user who gave it."""

    session: Session
    _user: Session = dataclasses.field(repr=False)
    _url: str

    @classmethod
    def create(cls, accounts: 'TenantAccounts', service: Reference, context: Any) -> 'Trust | None':
        """Have the user trust the service with his project; None where that is not possible, which the log tells."""
        if not service.auth_version.startswith('3') or not service.user:
            return None
        user = accounts.session(Token(None, context.auth_token))
        base = service.auth_address.rstrip('/').removesuffix('/v3') + '/v3/OS-TRUST/trusts'
        expires = datetime.datetime.now(datetime.UTC) + _LIFE
        try:
            with swift_client.errors(accounts.title):
                trustee = accounts.session(service.plugin(0)).get_user_id()
                answer = user.post(base, log=False, json={'trust': {
                    'trustor_user_id': context.user_id, 'trustee_user_id': trustee, 'impersonation': True,
                    'project_id': context.project_id, 'roles': [{'name': role} for role in context.roles],
                    'expires_at': expires.strftime('%Y-%m-%dT%H:%M:%S.%fZ')}})
            trust_id = answer.json()['trust']['id']
        except (exceptions.StoreError, ValueError, KeyError):
            LOG.warning('%s: no trust of user %s; the upload has as long as his token lives.', accounts.title, context.user_id)
            return None
        return cls(accounts.session(service.plugin(accounts.renew_before, trust_id)), user, '%s/%s' % (base, trust_id))

    def delete(self) -> None:
        """End the trust; one that cannot be ended does so by itself."""
        try:
            self._user.delete(self._url, log=False)
        except ClientException as error:
            LOG.warning('A trust stays until its end of life: %s', type(error).__name__)
