"""Signed data: every hash with every type of key, right and wrong."""
from unittest import mock

from cryptography.hazmat.primitives.asymmetric import ec

from glance import exceptions
from glance.keys.signatures import Signatures
from tests.harness import signing
from tests.unit.keys.base import KeysTestCase

DATA = b'0123456789' * 1000


class SignatureTest(KeysTestCase):

    def setUp(self):
        super().setUp()
        self.signatures = Signatures(self.keys)

    def certificate(self, key_type='RSA-PSS', **details):
        return self.keep(signing.der(signing.certificate(signing.private_key(key_type), **details)))

    def verify(self, properties, data=DATA, context=None):
        sink, = self.signatures.checks(context or self.owner, 'i-1', properties)
        sink.update(memoryview(data)[:5000])
        sink.update(memoryview(data)[5000:])
        sink.finish()

    def assert_refused(self, text, properties, data=DATA, context=None):
        with self.assertRaises(exceptions.SignatureVerificationError) as caught:
            self.verify(properties, data, context)
        self.assertRegex(str(caught.exception), '^Signature verification failed for image i-1: .*%s' % text)

    def test_each_hash_with_each_type_of_key(self):
        for key_type in signing.KEY_TYPES:
            certificate_id = self.certificate(key_type)
            for hash_method in signing.HASHES:
                with self.subTest(key_type=key_type, hash_method=hash_method):
                    properties = signing.properties(DATA, certificate_id, key_type, hash_method)
                    self.verify(properties)
                    for data in (DATA[:-1], DATA + b'x', b'', DATA[:-1] + b'x'):
                        self.assert_refused('does not match', properties, data)
                    other = 'SHA-256' if hash_method == 'SHA-512' else 'SHA-512'
                    self.assert_refused('does not match', {**properties, 'img_signature_hash_method': other})

    def test_each_type_of_key_is_told_from_the_others(self):
        for key_type in signing.KEY_TYPES:
            certificate_id = self.certificate(key_type)
            for other in {*signing.KEY_TYPES} - {key_type}:
                with self.subTest(key_type=key_type, other=other):
                    properties = signing.properties(DATA, certificate_id, key_type, img_signature_key_type=other)
                    self.assert_refused('not of the type %s' % other, properties)

    def test_curves_that_the_library_does_not_have(self):
        gone = [curve for curve in signing.CURVES if 'ECC_' + curve not in signing.KEY_TYPES]
        with mock.patch.object(ec, 'SECP521R1', create=True):
            del ec.SECP521R1
            for curve in (*gone, 'SECP521R1'):
                properties = signing.properties(DATA, self.certificate(), img_signature_key_type='ECC_' + curve)
                self.assert_refused('ECC_%s cannot be verified here.*sign with RSA-PSS' % curve, properties)

    def test_unsigned_images(self):
        self.assertEqual([], self.signatures.checks(self.owner, 'i-1', {'os_distro': 'debian'}))

    def test_values_that_make_no_signature(self):
        certificate_id = self.certificate()
        for text, others in (
                ('img_signature_hash_method.*SHA-224', {'img_signature_hash_method': 'MD5'}),
                ('img_signature_hash_method.*SHA-224', {'img_signature_hash_method': 'SHA-1'}),
                ('img_signature_hash_method', {'img_signature_hash_method': 'sha-256'}),
                ('img_signature_key_type.*RSA-PSS', {'img_signature_key_type': 'RSA'}),
                ('base64', {'img_signature': 'no base64!'}), ('base64', {'img_signature': 'é'}),
                ('does not match', {'img_signature': ''}), ('does not match', {'img_signature': 'AAAA'}),
                ('missing: img_signature_key_type', {'img_signature_key_type': None}),
                ('nowhere', {'img_signature_certificate_uuid': 'nowhere'})):
            with self.subTest(others=others):
                self.assert_refused(text, signing.properties(DATA, certificate_id, **others))

    def test_a_null_is_no_value(self):
        properties = {**signing.properties(DATA, self.certificate()), 'img_signature_hash_method': None}
        self.assert_refused('img_signature_hash_method', properties)

    def test_a_certificate_of_another_project(self):
        self.assert_refused('not accessible', signing.properties(DATA, self.certificate()), context=self.stranger)

    def test_certificates_out_of_time_or_purpose(self):
        for text, details in (('not valid before', {'not_before': signing.DAY / 2}), ('expired', {'not_after': -signing.DAY / 2}),
                              ('digital signatures', {'usage': ('key_encipherment',)})):
            self.assert_refused(text, signing.properties(DATA, self.certificate(**details)))

    def test_trusted_certificates(self):
        trusted = signing.certificate(signing.private_key('RSA-PSS'))
        self.signatures = Signatures(self.keys, [self.write('trusted.pem', signing.pem(trusted))])
        self.verify(signing.properties(DATA, self.keep(signing.der(trusted))))
        self.assert_refused('operator', signing.properties(DATA, self.certificate()))
