"""How Cinder is reached, as a user of the service or with the token of the caller, and what its errors mean."""
import contextlib
import errno
import logging
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import requests
from cinderclient import api_versions
from cinderclient import exceptions as cinder_errors
from cinderclient.v3 import client as cinder
from keystoneauth1 import exceptions as keystone_errors
from keystoneauth1 import session, token_endpoint
from keystoneauth1.identity import v3
from os_brick.exception import BrickException
from oslo_concurrency.processutils import ProcessExecutionError
from oslo_context import context as request_context
from oslo_privsep.daemon import FailedToDropPrivileges

from glance import exceptions

LOG = logging.getLogger(__name__)

MICROVERSION = '3.54'
"""The version of the API from which on an attachment says whether it writes."""
_USER = ('cinder_store_user_name', 'cinder_store_password', 'cinder_store_project_name')
_CREDENTIAL = ('cinder_store_application_credential_id', 'cinder_store_application_credential_secret')
_FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
_OF_CEPH = ('rbd', 'rados')
_DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)


def is_service(options) -> bool:
    """Whether volumes belong to a user of the service, not to those who upload.

    :raises ConfigurationError: when the user is described in part
    """
    address = options.cinder_store_auth_address
    for names in (_CREDENTIAL, _USER):
        missing = [name for name in names if not getattr(options, name)]
        if not missing and address:
            return True
        if not missing or len(missing) < len(names):
            missing = missing or ['cinder_store_auth_address']
            raise exceptions.ConfigurationError(
                '[%s] %s is not set, though other options describe the user who owns the volumes; set it, or none of '
                'them for volumes of those who upload.' % (options.section, missing[0]))
    return False


def check_catalog_info(options) -> None:
    """Raise ConfigurationError for an entry of the catalogue that is not written ``type:name:interface``."""
    parts = options.cinder_catalog_info.split(':')
    if len(parts) != 3 or not parts[0] or not parts[2]:
        raise exceptions.ConfigurationError('[%s] cinder_catalog_info = %s is not of the form type:name:interface.'
                                            % (options.section, options.cinder_catalog_info))


class Connections:
    """Makes the clients of one store. As a user of the service they share one session; else nothing outlives a call."""

    def __init__(self, options):
        self._options = options
        self.service = is_service(options)
        self._type, self._name, self._interface = options.cinder_catalog_info.split(':')
        self._lock = threading.Lock()
        self._client: Any = None

    def client(self) -> Any:
        """A client of Cinder for whoever asks at the moment. Raises StoreError where that cannot be told."""
        if not self.service:
            return self._client_of_caller()
        with self._lock:
            if self._client is None:
                self._client = self._client_of_service()
            return self._client

    def owner(self) -> str | None:
        """The project of the caller, where there is one."""
        return getattr(request_context.get_current(), 'project_id', None)

    def close(self) -> None:
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.client.session.session.close()

    def _client_of_service(self) -> Any:
        options = self._options
        if options.cinder_store_application_credential_id:
            login = v3.ApplicationCredential(
                options.cinder_store_auth_address, options.cinder_store_application_credential_secret,
                application_credential_id=options.cinder_store_application_credential_id)
        else:
            login = v3.Password(
                options.cinder_store_auth_address, username=options.cinder_store_user_name,
                password=options.cinder_store_password, user_domain_name=options.cinder_store_user_domain_name,
                project_name=options.cinder_store_project_name,
                project_domain_name=options.cinder_store_project_domain_name)
        connection = self._session(login)
        endpoint = None
        if options.cinder_endpoint_template:
            project = connection.get_project_id()
            endpoint = self._endpoint({'project_id': project, 'tenant_id': project, 'tenant': project})
        return self._client_with(connection, endpoint)

    def _client_of_caller(self) -> Any:
        caller = request_context.get_current()
        if caller is None or not getattr(caller, 'auth_token', None):
            raise exceptions.StoreError('The volumes of this store belong to those who upload; without the token of '
                                        'one of them it cannot be used.')
        if self._options.cinder_endpoint_template:
            endpoint = self._endpoint({**caller.to_policy_values(), **caller.to_dict()})
        else:
            endpoint = self._from_catalog(getattr(caller, 'service_catalog', None) or ())
        return self._client_with(self._session(token_endpoint.Token(endpoint, caller.auth_token)), endpoint)

    def _endpoint(self, values: dict[str, Any]) -> str:
        try:
            return self._options.cinder_endpoint_template % values
        except (KeyError, ValueError, TypeError) as error:
            LOG.error('[%s] cinder_endpoint_template = %s cannot be filled in: %s', self._options.section,
                      self._options.cinder_endpoint_template, error)
            raise exceptions.StoreError('The image store is not configured correctly.') from error

    def _from_catalog(self, catalog) -> str:
        """The address that the catalogue in the caller's token has. Raises StoreError when there is none."""
        for service in catalog:
            if service.get('type') != self._type or (self._name and service.get('name') != self._name):
                continue
            for endpoint in service.get('endpoints', ()):
                if self._options.cinder_os_region_name in (None, '', endpoint.get('region')) \
                        and endpoint.get(self._interface):
                    return endpoint[self._interface]
        LOG.error('The catalogue of the caller has no %s in region %s, which [%s] cinder_catalog_info asks for.',
                  self._options.cinder_catalog_info, self._options.cinder_os_region_name or '(any)',
                  self._options.section)
        raise exceptions.StoreError('The service catalogue of the request does not say where volumes are.')

    def _session(self, login: Any) -> session.Session:
        transport = requests.Session()
        transport.trust_env = False         # neither proxies nor certificates of whoever started the service
        options = self._options
        return session.Session(auth=login, session=transport, timeout=options.store_idle_timeout,
                               verify=not options.cinder_api_insecure and (options.cinder_ca_certificates_file or True))

    def _client_with(self, connection: session.Session, endpoint: str | None) -> Any:
        retries = self._options.cinder_http_retries
        return cinder.Client(api_version=api_versions.APIVersion(MICROVERSION), session=connection, retries=retries,
                             connect_retries=retries, os_endpoint=endpoint, service_type=self._type,
                             service_name=self._name or None, endpoint_type=self._interface,
                             region_name=self._options.cinder_os_region_name)


@contextlib.contextmanager
def errors(title: str, denied: type[exceptions.StoreError] = exceptions.StoreForbidden) -> Iterator[None]:
    """Raise what the interface of stores promises instead of errors of the libraries.

    The log says what failed but not how a volume is connected, which can hold passwords; clients are told only what
    kind of failure it is.

    :param title: the store, for the log
    :param denied: what to raise where Cinder refuses
    """
    try:
        yield
    except exceptions.GlanceError:
        raise
    except cinder_errors.NotFound:
        raise exceptions.ObjectNotFound() from None
    except (cinder_errors.ClientException, keystone_errors.HttpError) as error:
        code = getattr(error, 'code', None) or getattr(error, 'http_status', 0)
        LOG.error('%s: Cinder or Keystone answered %s (%s)', title, code, type(error).__name__)
        raise _meaning(code, denied) from error
    except (keystone_errors.ClientException, requests.RequestException) as error:
        LOG.error('%s: Cinder or Keystone cannot be reached: %s', title, type(error).__name__)
        raise exceptions.StoreUnavailable() from error
    except (BrickException, ProcessExecutionError, subprocess.CalledProcessError, FailedToDropPrivileges) as error:
        LOG.error('%s: a volume cannot be connected or disconnected: %s', title, _without_arguments(error))
        raise exceptions.StoreUnavailable() from None
    except Exception as error:
        if isinstance(error, OSError) or type(error).__module__ in _OF_CEPH:
            raise _of_device(title, error) from error
        raise


def _meaning(code: int, denied: type[exceptions.StoreError]) -> exceptions.StoreError:
    if code in (413, 507):
        return exceptions.StoreFull()
    if code == 403:
        return denied()
    if code in (401, 408, 429) or code >= 500 or not code:
        return exceptions.StoreUnavailable()
    return exceptions.StoreError()


def _without_arguments(error: Exception) -> str:
    """What a command that failed said; with which arguments it was called may be secret."""
    output = getattr(error, 'stderr', None) or b''
    text = output.decode(errors='replace') if isinstance(output, bytes) else output
    return ('%s %s' % (type(error).__name__, text.strip()[-200:])).strip()


def _of_device(title: str, error: Exception) -> exceptions.StoreError:
    """What an error of reading and writing means: those of librbd have numbers like those of the system."""
    number = abs(getattr(error, 'errno', None) or 0)
    LOG.error('%s: a volume cannot be read or written: %s', title, errno.errorcode.get(number, type(error).__name__))
    if number in _FULL:
        return exceptions.StoreFull()
    if number in _DENIED:
        return exceptions.StoreWriteDenied()
    return exceptions.StoreUnavailable()
