"""A Swift store that keeps each image in the account of the project that uploads it, in a container of its own.

Who asks is told by ``oslo_context.context.get_current()``. In the account of his project he acts himself; in others, and
for work of the service itself, the account of the configuration acts, which needs the role of a reseller's administrator
in Swift. Without such an account the requester acts everywhere, as far as the containers let him.
"""
import logging
from collections.abc import Iterator, Sequence

from keystoneauth1 import exceptions as auth_errors
from keystoneauth1.access.service_catalog import ServiceCatalogV2, ServiceCatalogV3
from keystoneauth1.token_endpoint import Token
from oslo_context import context as contexts

from glance import exceptions
from glance.store.base import Location, StoredObject
from glance.store.drivers import swift_locations
from glance.store.drivers.swift import SwiftStore
from glance.store.drivers.swift_accounts import INTERFACES, Accounts, Reference, check_cluster, references_of
from glance.store.drivers.swift_client import Account
from glance.store.drivers.swift_trusts import Trust

LOG = logging.getLogger(__name__)

_EVERYBODY_LOGGED_IN = '*:*'
_EVERYBODY = '.r:*,.rlistings'
_CREDENTIALS = ('swift_store_auth_address', 'swift_store_user', 'swift_store_key', 'swift_store_application_credential_id',
                'swift_store_application_credential_secret')


class TenantAccounts(Accounts):
    """The accounts of the projects whose users ask, and, where there is one, that of the configuration."""

    @classmethod
    def from_options(cls, options, title: str) -> 'TenantAccounts':
        """The accounts that a configuration section describes. Raises ConfigurationError."""
        if options.swift_store_config_file:
            raise exceptions.ConfigurationError(
                '[%s] swift_store_config_file = %s cannot be used together with swift_store_multi_tenant.'
                % (options.section, options.swift_store_config_file))
        configured = any(getattr(options, option) for option in _CREDENTIALS[1:])
        return cls(options, references_of(options) if configured else {}, title)

    def default(self) -> Account:
        """The account of the project whose user asks. Raises StoreForbidden where nobody does."""
        account = self._of_requester()
        if account is None:
            raise exceptions.StoreForbidden('The image store needs to know the user, and nobody asks.')
        return account

    def for_long_upload(self) -> Account:
        """The account of ``default``, with a token that can be renewed where the options allow that."""
        account, context = self.default(), contexts.get_current()
        if not self._options.swift_store_use_trusts or self._service_reference is None:
            return account
        trust = Trust.create(self, self._service_reference, context)
        if trust is None:
            return account
        return Account(self.transport, trust.session, lambda _session: account.url, self.title, release=trust.delete)

    def at_url(self, url: str) -> Account:
        own = self._of_requester()
        if own is not None and own.url == url:
            return own
        acting = own
        if self._service_reference is not None:
            acting = self._logged_in(self._service_reference)
        if acting is None:
            LOG.error('%s: nobody asks, and there is no account that may act for others; set swift_store_auth_address, '
                      'swift_store_user and swift_store_key.', self.title)
            raise exceptions.StoreForbidden()
        check_cluster(acting, url)
        return Account(self.transport, acting.session, lambda _session: url, self.title)

    @property
    def _service_reference(self) -> Reference | None:
        return self._references.get(self._options.default_swift_reference)

    def _of_requester(self) -> Account | None:
        context = contexts.get_current()
        if context is None or not context.auth_token:
            return None
        catalog = getattr(context, 'service_catalog', None)
        session = self.session(Token(None, context.auth_token))
        return Account(self.transport, session, lambda _session: self._url_in(catalog), self.title)

    def _url_in(self, catalog: list | None) -> str | None:
        """The URL of the account that a catalogue, in the form of either version, tells."""
        options = self._options
        if options.swift_store_endpoint or not catalog:
            return options.swift_store_endpoint
        endpoints = [endpoint for service in catalog for endpoint in service.get('endpoints', ())]
        kind = ServiceCatalogV3 if any('interface' in endpoint for endpoint in endpoints) else ServiceCatalogV2
        try:
            return kind(catalog).url_for(
                service_type=options.swift_store_service_type, interface=INTERFACES[options.swift_store_endpoint_type],
                region_name=options.swift_store_region)
        except auth_errors.CatalogException:
            return None


class TenantSwiftStore(SwiftStore):
    """A ``store.base.Store`` in the accounts of all projects; ``store.base.AccessControl``, too."""

    accounts: TenantAccounts
    creates_containers = True

    def account_for_upload(self, size: int | None) -> Account:
        if size is None or size >= self.large_object_size:
            return self.accounts.for_long_upload()
        return self.accounts.default()

    def container_of(self, image_id: str) -> str:
        return '%s_%s' % (self._container, image_id)

    def segment_container(self, container: str) -> str:
        # Who may read the image has to be able to read its segments.
        return container

    def location(self, account: Account, container: str, image_id: str) -> Location:
        url = swift_locations.in_account(account.url, container, image_id)
        return Location(url, {'store': self.name} if self.name else {})

    def remove(self, account: Account, container: str, name: str) -> None:
        super().remove(account, container, name)
        self.abandoned(account, container)

    def abandoned(self, account: Account, container: str) -> None:
        """Remove the container of an image that has none any more, unless something else is in it."""
        if container.startswith(self._container + '_'):
            account.request('DELETE', container, expected=(404, 409))

    def set_acls(self, location: Location, public: bool, read_projects: Sequence[str]) -> None:
        """See ``store.base.AccessControl``. What lies in a container that images share is nobody's to read directly."""
        account, place = self._find(location)
        if place.container != self.container_of(place.name) or place.reference or place.user:
            return
        everybody = _EVERYBODY if self._options.swift_store_allow_anonymous_public else _EVERYBODY_LOGGED_IN
        readers = everybody if public else _list_of(read_projects)
        account.request('POST', place.container, headers={
            'X-Container-Read': readers, 'X-Container-Write': _list_of(self._options.swift_store_admin_tenants)})

    def discard(self, image_id: str, attempt: str | None = None, committed: bool = False) -> int:
        current = contexts.get_current()
        if current is None or not current.auth_token:
            # The next upload of the image, or its deletion, knows the account.
            LOG.warning('%s: what a dead upload of image %s may have left cannot be looked for: its project is not known.',
                        self.title, image_id)
            return 0
        return super().discard(image_id, attempt, committed)

    def sweep(self, older_than: float = 3600.0) -> list[str]:
        """Nothing: the accounts of all projects cannot be listed."""
        return []

    def walk(self) -> Iterator[StoredObject]:
        raise exceptions.WalkNotSupported()

    def _url_prefixes(self) -> tuple[str, ...]:
        endpoint = self._options.swift_store_endpoint
        return ('swift+%s/' % endpoint.rstrip('/'),) if endpoint else ('swift+https://', 'swift+http://')


def _list_of(projects: Sequence[str]) -> str:
    return ','.join('%s:*' % project for project in dict.fromkeys(projects))
