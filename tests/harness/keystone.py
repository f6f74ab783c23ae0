"""The real Keystone of tools/backends/keystone.sh, shared by all test processes of a machine."""

import functools
import shlex
import uuid

import requests

from glance.context import RequestContext
from tests.harness.backend import Backend

_BACKEND = Backend('keystone')


class Keystone:
    """A running Keystone with the users that keystone.sh lists; obtained through :func:`shared_keystone`."""

    def __init__(self, url: str):
        self.url = url

    @functools.cache  # noqa: B019 - one instance lives as long as the process
    def environment(self, user: str) -> dict[str, str]:
        """The ``OS_…`` variables with which the clients act as *user*."""
        words = (shlex.split(line) for line in _BACKEND.run('env', user).splitlines())
        return dict(assignment.split('=', 1) for _export, assignment in words)

    @functools.cache  # noqa: B019
    def token(self, user: str) -> str:
        """A token of *user* for the user's project."""
        return self._issue(user).headers['X-Subject-Token']

    @functools.cache  # noqa: B019
    def project_id(self, user: str) -> str:
        """The id of the project that tokens of *user* are for."""
        return self._issue(user).json()['token']['project']['id']

    def new_token(self, user: str) -> str:
        """A token that no other test holds, so that it may be revoked."""
        return self._issue(user).headers['X-Subject-Token']

    def trusts(self, context: RequestContext) -> list[dict]:
        """The trusts that a user gave."""
        return self._call('GET', f'/OS-TRUST/trusts?trustor_user_id={context.user_id}', 200,
                          headers={'X-Auth-Token': context.auth_token}).json()['trusts']

    def new_application_credential(self, user: str) -> dict:
        """An application credential of *user*, with its secret."""
        issued = self._issue(user)
        path = '/users/%s/application_credentials' % issued.json()['token']['user']['id']
        return self._call('POST', path, 201, headers={'X-Auth-Token': issued.headers['X-Subject-Token']}, json={
            'application_credential': {'name': uuid.uuid4().hex}}).json()['application_credential']

    def context(self, user: str) -> RequestContext:
        """What the service knows of a request of *user*."""
        issued = self._issue(user)
        body = issued.json()['token']
        return RequestContext(
            auth_token=issued.headers['X-Subject-Token'], user_id=body['user']['id'],
            project_id=body['project']['id'], roles=[role['name'] for role in body['roles']],
            service_catalog=body['catalog'], overwrite=False)

    def system_token(self, user: str) -> str:
        """A token of *user* for the whole installation instead of a project."""
        return self._issue(user, {'system': {'all': True}}).headers['X-Subject-Token']

    def revoke(self, token: str) -> None:
        self._call('DELETE', '/auth/tokens', 204, headers={'X-Subject-Token': token})

    def glance_settings(self) -> dict[str, dict[str, object]]:
        """Configuration with which glance-api checks tokens here; for ``GlanceServer(settings=…)``."""
        lines = _BACKEND.run('glance-conf').splitlines()
        section = lines[0].strip('[]')
        return {section: dict(line.split(' = ', 1) for line in lines[1:])}

    def limits_settings(self, region: str) -> dict[str, dict[str, object]]:
        """Configuration with which glance-api enforces the limits of *region*, one that ``publish_image_endpoint`` made."""
        identity = self.glance_settings()['keystone_authtoken']
        credentials = {name: identity[name] for name in ('auth_url', 'auth_type', 'username', 'password', 'user_domain_id')}
        endpoint = {'endpoint_service_type': 'image', 'endpoint_region_name': region, 'endpoint_interface': 'public'}
        return {'DEFAULT': {'use_keystone_limits': True}, 'oslo_limit': {**credentials, 'system_scope': 'all', **endpoint}}

    def register_limits(self, region: str, **limits: int) -> None:
        """Set limits of the image service in *region* for all projects; others than these are not registered."""
        service = self._service('image')
        self._call('POST', '/registered_limits', 201, json={'registered_limits': [
            {'service_id': service, 'region_id': region, 'resource_name': name, 'default_limit': limit}
            for name, limit in limits.items()]})

    def set_project_limits(self, region: str, project_id: str, **limits: int) -> None:
        """Give one project limits of its own in *region*; the names must be registered."""
        service = self._service('image')
        self._call('POST', '/limits', 201, json={'limits': [
            {'service_id': service, 'region_id': region, 'project_id': project_id, 'resource_name': name,
             'resource_limit': limit} for name, limit in limits.items()]})

    def withdraw_limits(self, region: str) -> None:
        """Undo :meth:`register_limits` and :meth:`set_project_limits`."""
        for kind in ('limits', 'registered_limits'):
            for limit in self._call('GET', f'/{kind}?region_id={region}', 200).json()[kind]:
                self._call('DELETE', f'/{kind}/{limit["id"]}', 204)

    def _service(self, kind: str) -> str:
        found = self._call('GET', f'/services?type={kind}', 200).json()['services']
        if not found:
            found = [self._call('POST', '/services', 201, json={'service': {'type': kind, 'name': kind}}).json()['service']]
        return found[0]['id']

    def publish_image_endpoint(self, url: str) -> str:
        """Enter *url* as image service of a new region, beside this Keystone, and return the region's name."""
        return self.publish_endpoint('image', url)

    def publish_endpoint(self, kind: str, url: str) -> str:
        """Enter *url* as service of this kind in a new region, beside this Keystone, and return the region's name."""
        region = f'test-{uuid.uuid4().hex[:12]}'
        self._call('POST', '/regions', 201, json={'region': {'id': region}})
        for service, address in ((self._service(kind), url), (self._service('identity'), self.url)):
            for interface in ('public', 'internal', 'admin'):
                endpoint = {'service_id': service, 'interface': interface, 'region_id': region, 'url': address}
                self._call('POST', '/endpoints', 201, json={'endpoint': endpoint})
        return region

    def withdraw_image_endpoint(self, region: str) -> None:
        """Undo :meth:`publish_image_endpoint` and :meth:`publish_endpoint`."""
        for endpoint in self._call('GET', f'/endpoints?region_id={region}', 200).json()['endpoints']:
            self._call('DELETE', f'/endpoints/{endpoint["id"]}', 204)
        self._call('DELETE', f'/regions/{region}', 204)

    def _issue(self, user: str, scope: dict | None = None) -> requests.Response:
        environment = self.environment(user)
        credentials = {'name': user, 'password': environment['OS_PASSWORD'],
                       'domain': {'id': environment['OS_USER_DOMAIN_ID']}}
        project = {'name': environment['OS_PROJECT_NAME'], 'domain': {'id': environment['OS_PROJECT_DOMAIN_ID']}}
        body = {'auth': {'identity': {'methods': ['password'], 'password': {'user': credentials}},
                         'scope': scope or {'project': project}}}
        return self._send('POST', '/auth/tokens', 201, json=body)

    def _call(self, method: str, path: str, expected: int, headers: dict | None = None, **kwargs) -> requests.Response:
        return self._send(method, path, expected, {'X-Auth-Token': self.token('admin'), **(headers or {})}, **kwargs)

    def _send(self, method: str, path: str, expected: int, headers: dict | None = None, **kwargs) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False
            response = session.request(method, self.url + path, headers=headers, timeout=60, **kwargs)
        if response.status_code != expected:
            raise AssertionError(f'Keystone: {method} {path} answered {response.status_code}, not {expected}: '
                                 f'{response.text[:500]}')
        return response


@functools.cache
def shared_keystone() -> Keystone:
    """The Keystone of this machine, started (and installed) when it is not running; see ``Backend.start``."""
    return Keystone(_BACKEND.start().strip())
