"""The client side of the classic routes of the cache."""
import argparse
import os
import re
from typing import Any

from keystoneauth1 import exceptions as identity_errors
from keystoneauth1 import identity, session
from requests import exceptions as http_errors

# v2 is where the routes are now; older services have them in v1 alone.
_PREFIXES = ('/v2', '/v1')
_SECONDS = 600


class Failure(Exception):
    """What went wrong, as a sentence for the operator."""


def connect(options: argparse.Namespace) -> 'CacheClient':
    """The client that the options of the command line describe. Raises Failure."""
    host = '127.0.0.1' if options.host == '0.0.0.0' else options.host
    address = '[%s]' % host if ':' in host else host
    verify = not options.insecure and (options.os_cacert or True)
    connection = session.Session(verify=verify, timeout=_SECONDS, app_name='glance-cache-manage')
    return CacheClient('%s://%s:%d' % ('https' if options.ssl else 'http', address, options.port), connection,
                       _token(options, connection))


def _token(options: argparse.Namespace, connection: session.Session) -> str | None:
    """The token to send: the given one, or one of Keystone; None without either."""
    if options.os_auth_token:
        return options.os_auth_token
    if not options.os_auth_url:
        if options.os_auth_strategy == 'keystone':
            raise Failure('The URL of Keystone is missing; give --os-auth-url or OS_AUTH_URL.')
        return None
    for name, value in (('--os-username', options.os_username), ('--os-password', options.os_password),
                        ('--os-project-name', options.os_project_name or options.os_project_id)):
        if not value:
            raise Failure('%s is missing, which Keystone asks for.' % name)
    plugin = identity.Password(
        _identity_url(options.os_auth_url), username=options.os_username, password=options.os_password,
        project_id=options.os_project_id, project_name=options.os_project_name,
        user_domain_id=options.os_user_domain_id or options.os_domain_id,
        project_domain_id=options.os_project_domain_id or options.os_domain_id)
    try:
        return plugin.get_token(connection)
    except identity_errors.Unauthorized:
        raise Failure('Keystone does not accept user name and password.') from None
    except identity_errors.ClientException as error:
        raise Failure('Keystone cannot be asked for a token: %s' % ' '.join(str(error).split())) from None


def _identity_url(url: str) -> str:
    url = url.rstrip('/')
    if re.search(r'/v[23](\.\d+)?\Z', url):
        return url
    return url + ('/v2.0' if os.environ.get('OS_IDENTITY_API_VERSION', '3').startswith('2') else '/v3')


class CacheClient:
    """Requests to one API node. What it refuses is raised as Failure.

    :param url: address of the node, without a path
    :param token: None sends none
    """

    def __init__(self, url: str, connection: session.Session, token: str | None):
        self._url, self._connection = url, connection
        self._headers = {'X-Auth-Token': token} if token else {}

    def get(self, resource: str) -> list[Any]:
        """What is listed under this name."""
        return self._request('GET', resource)[resource]

    def put(self, resource: str, image_id: str) -> None:
        """Add an image to what is listed under this name."""
        self._request('PUT', '%s/%s' % (resource, image_id))

    def delete(self, resource: str, image_id: str) -> None:
        """Remove an image from it, if it is there."""
        self._request('DELETE', '%s/%s' % (resource, image_id))

    def delete_all(self, resource: str) -> int:
        """Remove all; return how many there were."""
        return self._request('DELETE', resource)['num_deleted']

    def _request(self, method: str, path: str) -> Any:
        for prefix in _PREFIXES:
            response = self._send(method, '%s%s/%s' % (self._url, prefix, path))
            if response.status_code not in (300, 404):
                break
        if response.status_code == 401:
            raise Failure('%s wants to know who you are; give a token or the credentials of an administrator.' % self._url)
        if response.status_code == 403:
            raise Failure('You are not permitted to manage the cache of %s.' % self._url)
        if response.status_code in (300, 404):
            raise Failure('%s does not manage a cache. Is the flavor cachemanagement in [paste_deploy] of its '
                          'glance-api.conf?' % self._url)
        if response.status_code != 200:
            raise Failure('%s answered %d: %s' % (self._url, response.status_code, ' '.join(response.text.split())[:500]))
        return response.json()

    def _send(self, method: str, url: str):
        try:
            return self._connection.request(url, method, headers=self._headers, authenticated=False, raise_exc=False,
                                            redirect=False)
        except (identity_errors.ClientException, http_errors.RequestException) as error:
            raise Failure('%s cannot be reached: %s' % (self._url, ' '.join(str(error).split()))) from None
