"""Who is believed, and who may call."""
import unittest

from glance import exceptions
from glance.db.wire import signature
from glance.registry.peers import Peers
from tests.unit.layers import fakes

IDENTITY = {'X-User-Id': 'u', 'X-Roles': 'service'}


class PeersTest(unittest.TestCase):
    def peers(self, **options):
        conf = fakes.make_conf()
        for name, value in options.items():
            conf.set_override(name, value)
        return Peers(conf)

    def environ(self, headers=IDENTITY, names=None):
        environ = {'HTTP_' + name.upper().replace('-', '_'): value for name, value in headers.items()}
        return {**environ, 'REQUEST_METHOD': 'POST', 'PATH_INFO': '/rpc', 'REMOTE_ADDR': '127.0.0.1', 'glance.client_names': names}

    def test_who_is_believed(self):
        signed = {**IDENTITY, **signature.sign('s', 'POST', '/rpc', IDENTITY, b'')}
        certified = frozenset(('node',))
        for options, plain, with_signature, with_certificate in (
                ({}, None, None, True), ({'registry_shared_secret': 's'}, False, True, True),
                ({'registry_shared_secret': 'other'}, False, False, True), ({'registry_trust_any_peer': True}, True, True, True)):
            with self.subTest(options=options):
                peers = self.peers(**options)
                self.assertEqual((plain, with_signature, with_certificate), (
                    peers.believed(self.environ()), peers.believed(self.environ(signed)),
                    peers.believed(self.environ(names=certified))))

    def test_names(self):
        files = {'ca_file': '/ca', 'cert_file': '/cert', 'key_file': '/key'}
        self.peers().check_name(self.environ())
        peers = self.peers(registry_allowed_client_names=['Node.test', ' other '], **files)
        for names in (('node.test',), ('x', 'other')):
            peers.check_name(self.environ(names=frozenset(names)))
        for names in (None, frozenset(), frozenset(('x',))):
            self.assertRaises(exceptions.Forbidden, peers.check_name, self.environ(names=names))
        with self.assertRaisesRegex(exceptions.ConfigurationError, 'registry_allowed_client_names needs ca_file'):
            self.peers(registry_allowed_client_names=['node.test'])
