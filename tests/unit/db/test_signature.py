"""Requests are signed so that nobody changes who calls, or for what."""
import email.utils
import time
import unittest
from unittest import mock

from glance.api.middleware import context
from glance.db.wire import signature
from glance.db.wire.signature import Unproven

SECRET = 'a secret'
HEADERS = {'X-User-Id': 'u', 'X-Tenant-Id': '', 'X-Roles': 'member,reader', 'X-Identity-Status': 'Confirmed',
           'X-Openstack-Request-Id': 'one', 'Content-Type': 'application/json'}


class SignatureTest(unittest.TestCase):
    def signed(self, secret=SECRET, **headers):
        headers = {**HEADERS, **headers}
        return {**headers, **signature.sign(secret, 'POST', '/rpc', headers, b'body')}

    def environ(self, headers):
        return {'HTTP_' + name.upper().replace('-', '_'): value for name, value in headers.items()}

    def verify(self, headers, secret=SECRET, method='POST', path='/rpc'):
        return signature.verify(secret, method, path, signature.signed_headers(self.environ(headers)))

    def test_who_knows_the_secret_is_believed(self):
        self.assertEqual(signature.body_hash(b'body'), self.verify(self.signed()))
        self.assertNotEqual(signature.body_hash(b'other'), self.verify(self.signed()))
        self.verify({**self.signed(), 'Content-Type': 'x', 'Via': 'a proxy', 'X-Forwarded-For': '192.0.2.1'})

    def test_what_is_changed_on_the_way_is_not_believed(self):
        good = self.signed(**{'X-Glance-Request-Key': 'k'})
        changes = [{name: value + 'x'} for name, value in good.items() if name != 'Content-Type']
        changes += [{'X-Project-Id': 'p'}, {'X-Role': 'admin'}, {'X-Service-Roles': 'service'}, {'X-User': ''},
                    {'X-Glance-Rpc-Atomic': 'true'}]
        for change in changes:
            with self.subTest(change=change), self.assertRaises(Unproven):
                self.verify({**good, **change})
        for name in good.keys() - {'Content-Type'}:
            with self.subTest(removed=name), self.assertRaises(Unproven):
                self.verify({key: value for key, value in good.items() if key != name})
        for other in ({'secret': 'another'}, {'method': 'PUT'}, {'path': '/'}):
            with self.subTest(other=other), self.assertRaises(Unproven):
                self.verify(good, **other)
        for shown in ('', 'é', '0' * 64):
            with self.assertRaises(Unproven):
                self.verify({**good, 'X-Glance-Signature': shown})

    def test_time(self):
        for seconds, fresh in ((-400, False), (-200, True), (200, True), (400, False)):
            then = email.utils.formatdate(time.time() + seconds, usegmt=True)
            with mock.patch('email.utils.formatdate', return_value=then):
                headers = self.signed()
            with self.subTest(seconds=seconds):
                if fresh:
                    self.verify(headers)
                else:
                    self.assertRaisesRegex(Unproven, 'the clock here', self.verify, headers)

    def test_a_holder_of_the_secret_who_leaves_out_the_date(self):
        headers = {**HEADERS, 'X-Glance-Signature': signature._signature(SECRET, 'POST', '/rpc', HEADERS)}
        self.assertRaises(Unproven, self.verify, headers)

    def test_every_header_that_makes_the_context_is_signed(self):
        names = {name for names in context._HEADERS.values() for name in names} | {
            'HTTP_X_ROLES', 'HTTP_X_ROLE', 'HTTP_X_SERVICE_ROLES', 'HTTP_X_IS_ADMIN_PROJECT', 'HTTP_X_SERVICE_CATALOG',
            'HTTP_X_IDENTITY_STATUS'}
        self.assertEqual(names, self.environ(signature.signed_headers(dict.fromkeys(names, 'x'))).keys())
