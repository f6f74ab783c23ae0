"""The accounts that a Swift store uses, and how it logs in to them."""
import configparser
import logging
import threading
from dataclasses import dataclass, field
from typing import Any

from keystoneauth1.exceptions import CatalogException
from keystoneauth1.identity import v2, v3
from keystoneauth1.session import Session
from swiftclient import authv1

from glance import exceptions
from glance.store.drivers.swift_client import Account, Transport
from glance.store.drivers.swift_locations import Place

LOG = logging.getLogger(__name__)

INTERFACES = {'publicURL': 'public', 'adminURL': 'admin', 'internalURL': 'internal'}
"""What keystoneauth calls the values of swift_store_endpoint_type."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Who logs in where: ``user`` is project:user, except with version 1, which takes it as it is."""

    auth_address: str
    user: str | None = None
    key: str | None = field(default=None, repr=False)
    application_credential_id: str | None = None
    application_credential_secret: str | None = field(default=None, repr=False)
    auth_version: str = '3'
    user_domain_id: str | None = None
    user_domain_name: str | None = None
    project_domain_id: str | None = None
    project_domain_name: str | None = None

    @property
    def problem(self) -> str | None:
        """What is missing to log in, as words after a section or an option; None when nothing is."""
        if not self.auth_address:
            return 'auth_address is not set'
        if self.auth_version.partition('.')[0] not in ('1', '2', '3'):
            return 'auth_version = %s is none of 1, 2 and 3' % self.auth_version
        if bool(self.application_credential_id) != bool(self.application_credential_secret):
            return 'one of application_credential_id and application_credential_secret is not set'
        if self.application_credential_id:
            return None
        if not self.user or not self.key:
            return 'user and key are not set, nor is an application credential'
        if not self.auth_version.startswith('1') and ':' not in self.user:
            return 'user is not of the form project:user'
        return None

    def plugin(self, renew_before: int, trust_id: str | None = None) -> Any:
        """What logs in for keystoneauth.

        :param renew_before: seconds before its end of life from which a token is renewed
        :param trust_id: act as who gave this trust, instead of as the user himself
        """
        plugin: Any
        project, _, user = (self.user or '').partition(':')
        if self.auth_version.startswith('1'):
            plugin = authv1.PasswordPlugin(self.auth_address, self.user, self.key)
        elif self.auth_version.startswith('2'):
            plugin = v2.Password(self.auth_address, user, self.key, tenant_name=project)
        elif self.application_credential_id:
            plugin = v3.ApplicationCredential(self.auth_address, self.application_credential_secret,
                                              self.application_credential_id)
        else:
            scope = {'trust_id': trust_id} if trust_id else {
                'project_name': project, **_domain('project', self.project_domain_id, self.project_domain_name)}
            plugin = v3.Password(self.auth_address, self.key, username=user, **scope,
                                 **_domain('user', self.user_domain_id, self.user_domain_name))
        plugin.MIN_TOKEN_LIFE_SECONDS = renew_before
        return plugin


def _domain(whose: str, domain_id: str | None, name: str | None) -> dict[str, str]:
    if name and not domain_id:
        return {whose + '_domain_name': name}
    return {whose + '_domain_id': domain_id or 'default'}


def references_of(options) -> dict[str, Reference]:
    """The accounts of the configuration by name. Raises ConfigurationError when the one for new images is not complete."""
    name = options.default_swift_reference
    if options.swift_store_config_file:
        references = _from_file(options)
        if name not in references:
            raise exceptions.ConfigurationError(
                '[%s] default_swift_reference = %s is not a complete section of swift_store_config_file = %s.'
                % (options.section, name, options.swift_store_config_file))
        return references
    reference = Reference(
        options.swift_store_auth_address or '', options.swift_store_user, options.swift_store_key,
        options.swift_store_application_credential_id, options.swift_store_application_credential_secret,
        options.swift_store_auth_version)
    if reference.problem:
        raise exceptions.ConfigurationError('[%s] The account of the Swift store cannot be used: swift_store_%s.'
                                            % (options.section, reference.problem))
    return {name: reference}


def _from_file(options) -> dict[str, Reference]:
    path = options.swift_store_config_file
    parser = configparser.ConfigParser(interpolation=None)
    try:
        with open(path, encoding='utf-8') as file:
            parser.read_file(file)
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        # The text of the error may hold the line, and that the key.
        raise exceptions.ConfigurationError('[%s] swift_store_config_file = %s cannot be read (%s).'
                                            % (options.section, path, type(error).__name__)) from None
    references = {}
    for section in parser.sections():
        try:
            values = {key: _unquoted(value) for key, value in parser.items(section)
                      if key in Reference.__dataclass_fields__}
        except ValueError:
            LOG.error('%s: section [%s] is left out: a quotation mark is not closed.', path, section)
            continue
        reference = Reference(**{'auth_address': '', 'auth_version': options.swift_store_auth_version, **values})
        if reference.problem:
            LOG.error('%s: section [%s] is left out: %s.', path, section, reference.problem)
            continue
        references[section] = reference
    return references


def _unquoted(value: str) -> str:
    """A value without the quotation marks around it. Raises ValueError when one is missing."""
    for mark in '"\'':
        if value.startswith(mark) or value.endswith(mark):
            if len(value) < 2 or not (value.startswith(mark) and value.endswith(mark)):
                raise ValueError('unclosed')
            return value[1:-1]
    return value


class Accounts:
    """The accounts of a store: those of the configuration, and those that old locations log in to.

    :param options: the options of the store as attributes
    :raises ConfigurationError: when there is none for new images
    """

    def __init__(self, options, references: dict[str, Reference], title: str):
        self._options, self._references, self.title = options, references, title
        self._lock = threading.Lock()
        self._transport: Transport | None = None
        self._accounts: dict[Reference, Account] = {}

    @property
    def transport(self) -> Transport:
        """The connections, made when they are first needed: a process that forks must not share them."""
        with self._lock:
            if self._transport is None:
                self._transport = Transport(self._options)
            return self._transport

    def default(self) -> Account:
        """The account for new images."""
        return self._logged_in(self._references[self._options.default_swift_reference])

    def at(self, place: Place) -> Account:
        """The account in which an object is. Raises BadLocation."""
        if place.reference is not None:
            if place.reference not in self._references:
                raise exceptions.BadLocation('The location names an account that the Swift store does not have')
            return self._logged_in(self._references[place.reference])
        if place.user is None:
            return self.at_url(place.url or '')
        return self._logged_in(self._known(place) or self._stored(place))

    def at_url(self, url: str) -> Account:
        """The account of this URL, as the account for new images may use it. Raises BadLocation for a foreign cluster."""
        own = self.default()
        check_cluster(own, url)
        return own if own.url == url else Account(self.transport, own.session, lambda session: url, self.title)

    def close(self) -> None:
        with self._lock:
            transport, self._transport = self._transport, None
            self._accounts.clear()
        if transport is not None:
            transport.close()

    @property
    def renew_before(self) -> int:
        """Seconds before its end of life from which a token is renewed."""
        return self._options.swift_store_expire_soon_interval

    def session(self, plugin: Any) -> Session:
        """A session of an identity."""
        return self.transport.session(plugin)

    def find_url(self, session: Session) -> str | None:
        """The URL of the account of a session; None when the catalogue does not have it."""
        options = self._options
        try:
            return options.swift_store_endpoint or session.get_endpoint(
                service_type=options.swift_store_service_type, interface=INTERFACES[options.swift_store_endpoint_type],
                region_name=options.swift_store_region)
        except CatalogException:
            return None

    def _logged_in(self, reference: Reference) -> Account:
        transport = self.transport
        with self._lock:
            if reference not in self._accounts:
                session = transport.session(reference.plugin(self.renew_before))
                self._accounts[reference] = Account(transport, session, self.find_url, self.title)
            return self._accounts[reference]

    def _known(self, place: Place) -> Reference | None:
        """The account of the configuration with this user, whose key may be another by now."""
        for reference in self._references.values():
            if reference.user == place.user and _same_address(reference.auth_address, place.url or ''):
                return reference
        return None

    def _stored(self, place: Place) -> Reference:
        version = self._options.swift_store_auth_version
        if version.startswith('3') and ':' not in (place.user or ''):
            return Reference(place.url or '', application_credential_id=place.user,
                             application_credential_secret=place.key)
        return Reference(place.url or '', place.user, place.key, auth_version=version)


def check_cluster(account: Account, url: str) -> None:
    """Raise BadLocation unless the URL is of the cluster of the account: tokens are for nobody else to see."""
    own, _, path = account.url.rpartition('/')
    other, _, name = url.rpartition('/')
    if own != other or not name or name in ('.', '..'):
        raise exceptions.BadLocation('The location is not in the Swift cluster of the store')


def _same_address(one: str, other: str) -> bool:
    return one.partition('://')[2].rstrip('/') == other.partition('://')[2].rstrip('/')
