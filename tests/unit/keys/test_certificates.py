"""Which certificates may vouch for images."""
import datetime

from glance import exceptions
from glance.keys.certificates import TrustedCertificates, check_validity
from tests.harness import signing
from tests.unit.keys.base import KeysTestCase

KEY = 'ECC_SECP384R1'
NOW = datetime.datetime.now(datetime.UTC)


def made(**details):
    return signing.certificate(signing.private_key(KEY), **details)


class ValidityTest(KeysTestCase):

    def test_valid_ones(self):
        for details in ({}, {'usage': ('digital_signature',)}, {'usage': ('digital_signature', 'key_agreement')}):
            check_validity(made(**details), NOW)

    def test_invalid_ones(self):
        for text, details in (('not valid before', {'not_before': signing.DAY / 2}), ('expired', {'not_after': -signing.DAY / 2}),
                              ('not made for', {'usage': ('key_encipherment',)}), ('not made for', {'usage': ()})):
            with self.subTest(details=details), self.assertRaises(exceptions.Invalid) as caught:
                check_validity(made(**details), NOW)
            self.assertIn(text, str(caught.exception))


class TrustTest(KeysTestCase):

    def authority(self, **details):
        """Make an authority and a certificate that it issued; return both."""
        other = signing.private_key('ECC_SECP521R1')
        details = {'ca': True, **details}
        authority = signing.certificate(other, name='authority', **details)
        return authority, signing.certificate(signing.private_key(KEY), authority, other)

    def trusting(self, *certificates):
        return TrustedCertificates([self.write('trusted.pem', ''.join(map(signing.pem, certificates)))])

    def test_without_a_list_all_are_trusted(self):
        TrustedCertificates([]).check(made(), NOW)

    def test_a_listed_one_is_trusted(self):
        first, second = made(), made()
        self.trusting(first, second).check(second, NOW)

    def test_another_one_of_the_same_key_is_not(self):
        self.assertRaises(exceptions.Invalid, self.trusting(made()).check, made(), NOW)

    def test_what_an_authority_issued_is_trusted(self):
        for details in ({}, {'usage': ('key_cert_sign',)}):
            authority, issued = self.authority(**details)
            self.trusting(made(), authority).check(issued, NOW)

    def test_what_issues_without_being_an_authority(self):
        for details in ({'ca': False}, {'ca': None}, {'usage': ('digital_signature',)}, {'not_after': -signing.DAY / 2},
                        {'not_before': signing.DAY / 2}):
            with self.subTest(details=details):
                authority, issued = self.authority(**details)
                self.assertRaises(exceptions.Invalid, self.trusting(authority).check, issued, NOW)

    def test_another_authority_of_the_same_name(self):
        _, issued = self.authority()
        impostor = signing.certificate(signing.private_key('RSA-PSS'), name='authority', ca=True)
        self.assertRaises(exceptions.Invalid, self.trusting(impostor).check, issued, NOW)

    def test_text_around_certificates(self):
        found = made()
        path = self.write('trusted.pem', 'Subject: somebody\n\n%s\n# the end\n' % signing.pem(found))
        TrustedCertificates([path]).check(found, NOW)

    def test_bad_files(self):
        good = signing.pem(made())
        lines = good.count('\n')
        damaged = good.replace('\nM', '\n!', 1)
        for content, place in (('', ''), ('-----BEGIN PRIVATE KEY-----\n', ''), ('é', ''), (damaged, ', line 1'),
                               (good + '\n' + damaged, ', line %d' % (lines + 2)),
                               (good + good[:len(good) // 2], ', line %d' % (lines + 1)),
                               (good[:len(good) // 2] + '\n' + good, ', line 1')):
            with self.subTest(content=content):
                path = self.write('trusted.pem', content)
                with self.assertRaises(exceptions.ConfigurationError) as caught:
                    TrustedCertificates([path])
                self.assertIn('trusted_certificates: %s%s: ' % (path, place), str(caught.exception))

    def test_a_file_that_does_not_exist(self):
        with self.assertRaises(exceptions.ConfigurationError) as caught:
            TrustedCertificates(['/nowhere/x.pem'])
        self.assertIn('/nowhere/x.pem: No such file or directory', str(caught.exception))
