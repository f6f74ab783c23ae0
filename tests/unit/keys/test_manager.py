"""The key manager of the cloud."""
from glance import exceptions
from glance.keys.manager import KeyManager
from tests.harness import signing
from tests.unit.keys.base import KeysTestCase
from tests.unit.layers import fakes


class KeyManagerTest(KeysTestCase):

    def assert_refused(self, text, verb, *arguments):
        with self.assertRaises(exceptions.KeyManagerError) as caught:
            verb(*arguments)
        self.assertIn(text, str(caught.exception))
        self.assertNotIn('password', str(caught.exception))

    def test_certificate(self):
        made = signing.certificate(signing.private_key('ECC_SECP384R1'))
        self.assertEqual(made, self.keys.certificate(self.owner, self.keep(signing.der(made))))

    def test_what_is_no_certificate(self):
        self.assert_refused('X.509', self.keys.certificate, self.owner, self.keep(b'key'))
        self.assert_refused('cannot be read', self.keys.certificate, self.owner, self.keep(b'damaged'))

    def test_who_may_not_have_it(self):
        object_id = self.keep(b'x')
        self.assert_refused('not accessible', self.keys.certificate, self.stranger, object_id)
        self.assert_refused('not accessible', self.keys.delete, self.stranger, object_id)
        self.assert_refused('not accessible', self.keys.delete, fakes.caller(), object_id)
        self.assertTrue(self.kept(object_id))

    def test_what_does_not_exist(self):
        for verb in (self.keys.certificate, self.keys.delete):
            self.assert_refused('nothing does not exist', verb, self.owner, 'nothing')

    def test_what_is_no_id(self):
        for object_id in ('', '.', '../x', 'a/b', 'a%2fb', 'http://example.org/x', 'a b', 'a\n', '*', '?x', 'x' * 256, '-x'):
            for verb in (self.keys.certificate, self.keys.delete):
                self.assert_refused('is not an ID', verb, self.owner, object_id)

    def test_delete(self):
        object_id = self.keep(b'key')
        self.keys.delete(self.owner, object_id)
        self.assertFalse(self.kept(object_id))

    def test_failures_are_told_to_the_log_only(self):
        with self.assertLogs('glance.keys.manager', 'ERROR'):
            self.assert_refused('at the moment', self.keys.certificate, self.owner, self.keep(b'broken'))

    def test_a_backend_that_does_not_exist(self):
        conf = fakes.make_conf(self.folder, '[key_manager]\nbackend = no.such.backend\n')
        with self.assertLogs('glance.keys.manager', 'ERROR') as logs:
            self.assert_refused('at the moment', KeyManager(conf).delete, self.owner, 'k')
        self.assertIn('no', logs.output[0])
