"""Identity headers become the context of a request."""
import json
import os
import types
import unittest

from glance.api.middleware.context import ContextMiddleware, UnauthenticatedContextMiddleware
from glance.policies.enforcer import Enforcer
from tests.unit.api import wsgi_client
from tests.unit.layers import fakes

HEADERS = {
    'X-Auth-Token': 'auth_token', 'X-User-Id': 'user_id', 'X-Project-Id': 'project_id', 'X-Domain-Id': 'domain_id',
    'X-Domain-Name': 'domain_name', 'OpenStack-System-Scope': 'system_scope', 'X-User-Domain-Id': 'user_domain_id',
    'X-Project-Domain-Id': 'project_domain_id', 'X-User-Name': 'user_name', 'X-Project-Name': 'project_name',
    'X-User-Domain-Name': 'user_domain_name', 'X-Project-Domain-Name': 'project_domain_name',
    'X-Service-Token': 'service_token',
    'X-Service-User-Id': 'service_user_id', 'X-Service-User-Name': 'service_user_name',
    'X-Service-User-Domain-Id': 'service_user_domain_id', 'X-Service-User-Domain-Name': 'service_user_domain_name',
    'X-Service-Project-Id': 'service_project_id', 'X-Service-Project-Name': 'service_project_name',
    'X-Service-Project-Domain-Id': 'service_project_domain_id',
    'X-Service-Project-Domain-Name': 'service_project_domain_name',
}


class Base(unittest.TestCase):

    middleware = ContextMiddleware

    def setUp(self):
        self.directory = fakes.temporary_directory(self)
        self.conf = fakes.make_conf(self.directory)
        self.context = None

    def request(self, confirmed='Confirmed', **headers):
        self.context = None

        def inner(environ, start_response):
            self.context = environ['glance.context']
            start_response('200 OK', [])
            return []
        if confirmed is not None:
            headers['X-Identity-Status'] = confirmed
        peer = headers.pop('peer', '127.0.0.1')
        env = types.SimpleNamespace(enforcer=Enforcer(self.conf))
        return wsgi_client.request(self.middleware(inner, self.conf), 'GET', '/v2/images', headers=headers,
                                   **{'glance.environment': env, 'glance.request_id': 'req-1', 'REMOTE_ADDR': peer})

    def make(self, **headers):
        self.assertEqual(200, self.request(**headers).status_int)
        return self.context


class TrustTest(Base):
    """Where nobody verified them, identity headers are believed from this host and from trusted networks."""

    def test_peers(self):
        self.conf.set_override('flavor', 'trusted-auth+cachemanagement', 'paste_deploy')
        self.conf.set_override('trusted_proxies', ['192.0.2.0/28', '2001:db8::/64'])
        for peer, code in (('127.0.0.1', 200), ('::1', 200), ('', 200), ('192.0.2.5', 200), ('192.0.2.16', 401),
                           ('2001:db8::5', 200), ('2001:db8:1::5', 401), ('::ffff:192.0.2.5', 200), ('::ffff:192.0.3.5', 401)):
            with self.subTest(peer=peer):
                self.assertEqual(code, self.request(peer=peer).status_int)

    def test_behind_the_filter_of_keystone_every_peer_is_served(self):
        self.conf.set_override('flavor', 'keystone', 'paste_deploy')
        self.assertEqual(200, self.request(peer='192.0.2.16').status_int)


class IdentityTest(Base):

    def test_every_header(self):
        for header, attribute in HEADERS.items():
            with self.subTest(header=header):
                self.assertEqual('v-1', getattr(self.make(**{header: 'v-1'}), attribute))
                self.assertIsNone(getattr(self.make(), attribute))

    def test_older_names_of_headers(self):
        for header, attribute in (('X-Tenant-Id', 'project_id'), ('X-Tenant', 'project_id'), ('X-User', 'user_id'),
                                  ('X-Tenant-Name', 'project_name'), ('X-Storage-Token', 'auth_token')):
            with self.subTest(header=header):
                self.assertEqual('v-1', getattr(self.make(**{header: 'v-1'}), attribute))
        self.assertEqual('new', self.make(**{'X-Project-Id': 'new', 'X-Tenant-Id': 'old'}).project_id)

    def test_roles(self):
        for value, roles in (('Admin,MEMBER , reader', ['admin', 'member', 'reader']), ('', []), (' , ', []),
                             ('a', ['a'])):
            self.assertEqual(roles, self.make(**{'X-Roles': value}).roles)
            self.assertEqual(roles, self.make(**{'X-Service-Roles': value}).service_roles)
        self.assertEqual(['member'], self.make(**{'X-Role': 'Member'}).roles)

    def test_roles_of_the_service_are_not_those_of_the_user(self):
        context = self.make(**{'X-Roles': 'member', 'X-Service-Roles': 'service,admin'})
        self.assertEqual((['member'], ['service', 'admin'], False), (context.roles, context.service_roles,
                                                                     context.is_admin))

    def test_the_request_id(self):
        self.assertEqual('req-1', self.make().request_id)

    def test_the_owner_is_the_project_or_the_user(self):
        headers = {'X-Project-Id': 'p', 'X-User-Id': 'u'}
        self.assertEqual('p', self.make(**headers).owner)
        self.conf.set_override('owner_is_tenant', False)
        self.assertEqual('u', self.make(**headers).owner)

    def test_the_service_catalog(self):
        self.assertEqual([{'type': 'image'}],
                         self.make(**{'X-Service-Catalog': json.dumps([{'type': 'image'}])}).service_catalog)
        self.assertEqual([], self.make().service_catalog)
        for text in ('{', '', 'x'):
            with self.subTest(text=text):
                self.assertEqual(400, self.request(**{'X-Service-Catalog': text}).status_int)
                self.assertIsNone(self.context)

    def test_callers_may_change(self):
        self.assertFalse(self.make().read_only)


class AdminTest(Base):

    def test_the_rule_decides(self):
        self.assertTrue(self.make(**{'X-Roles': 'ADMIN'}).is_admin)
        self.assertFalse(self.make(**{'X-Roles': 'member,administrator'}).is_admin)
        with open(os.path.join(self.directory, 'policy.yaml'), 'w') as file:
            file.write('context_is_admin: "role:boss and project_id:p"\n')
        self.assertFalse(self.make(**{'X-Roles': 'admin'}).is_admin)
        self.assertFalse(self.make(**{'X-Roles': 'boss', 'X-Project-Id': 'q'}).is_admin)
        self.assertTrue(self.make(**{'X-Roles': 'boss', 'X-Project-Id': 'p'}).is_admin)

    def test_the_target_is_the_caller(self):
        with open(os.path.join(self.directory, 'policy.yaml'), 'w') as file:
            file.write('context_is_admin: "project_id:%(project_id)s and \'p\':%(project_id)s"\n')
        self.assertTrue(self.make(**{'X-Project-Id': 'p'}).is_admin)
        self.assertFalse(self.make(**{'X-Project-Id': 'q'}).is_admin)

    def test_an_admin_role_of_the_configuration(self):
        self.conf.set_override('admin_role', ' CloudAdmin ')
        self.assertTrue(self.make(**{'X-Roles': 'cloudadmin'}).is_admin)
        self.assertTrue(self.make(**{'X-Roles': 'admin'}).is_admin)
        self.assertFalse(self.make(**{'X-Roles': 'member'}).is_admin)

    def test_an_empty_admin_role_makes_nobody_admin(self):
        self.conf.set_override('admin_role', '')
        self.assertFalse(self.make(**{'X-Roles': ''}).is_admin)

    def test_being_admin_is_no_header(self):
        self.assertFalse(self.make(**{'X-Is-Admin': 'True', 'X-Roles': 'member'}).is_admin)


class ConfirmationTest(Base):

    def test_only_confirmed_callers_come_in(self):
        for status in (None, 'Invalid', '', 'confirmed', 'Confirmed,Invalid', 'Indeterminate'):
            with self.subTest(status=status):
                self.assertEqual(401, self.request(status, **{'X-Roles': 'admin', 'X-User-Id': 'u'}).status_int)
                self.assertIsNone(self.context)

    def test_anonymous_callers_where_they_are_allowed(self):
        self.conf.set_override('allow_anonymous_access', True)
        for status in (None, 'Invalid'):
            self.request(status, **{'X-Roles': 'admin', 'X-User-Id': 'u', 'X-Project-Id': 'p'})
            context = self.context
            self.assertEqual((None, None, None, [], False, True),
                             (context.user_id, context.project_id, context.owner, context.roles, context.is_admin,
                              context.read_only))

    def test_confirmed_callers_are_themselves_although_anonymous_ones_are_allowed(self):
        self.conf.set_override('allow_anonymous_access', True)
        self.assertEqual(('u', False), (lambda context: (context.user_id,
                                                         context.read_only))(self.make(**{'X-User-Id': 'u'})))


class NoKeystoneTest(Base):

    middleware = UnauthenticatedContextMiddleware

    def test_everybody_is_an_administrator_with_every_role(self):
        context = self.make(confirmed=None)
        self.assertTrue(context.is_admin)
        self.assertFalse(context.read_only)
        self.assertEqual({'admin', 'member', 'reader', 'service'}, set(context.roles))
        self.assertEqual('req-1', context.request_id)

    def test_headers_of_clients_mean_nothing(self):
        context = self.make(**{'X-Roles': 'x', 'X-User-Id': 'u', 'X-Project-Id': 'p', 'OpenStack-System-Scope': 'all'})
        self.assertEqual((None, None, None), (context.user_id, context.project_id, context.system_scope))
