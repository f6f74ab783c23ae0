"""URLs of objects: nothing is lost in parsing, and nothing secret stays in what is logged."""
import unittest
import urllib.parse

import hypothesis
from hypothesis import strategies

from glance import exceptions
from glance.store import location

_schemes = strategies.sampled_from(sorted(location.SCHEMES))
_text = strategies.text(strategies.characters(blacklist_categories=('Cc', 'Cs')), max_size=40)
_word = strategies.text('abcdefghijklmnopqrstuvwxyz0123456789', min_size=1, max_size=12)


class ParseTest(unittest.TestCase):
    @hypothesis.given(_schemes, _text)
    def test_round_trip(self, scheme, rest):
        url = '%s://%s' % (scheme, rest)
        self.assertEqual(url, str(location.parse(url)))

    @hypothesis.given(_schemes.map(str.upper), _word, _word, _word, _word)
    def test_parts(self, scheme, user, host, path, query):
        if location.SCHEMES[scheme.lower()] == 'file':
            return
        parsed = location.parse('%s://%s@%s/%s?%s' % (scheme, user, host, path, query))
        self.assertEqual(location.LocationUrl(scheme, user, host, '/' + path, query), parsed)
        self.assertEqual(location.SCHEMES[scheme.lower()], parsed.driver)

    def test_what_has_slashes_in_its_key(self):
        parsed = location.parse('s3://access:se/cr/et@host:80/bucket/key')
        self.assertEqual(('access:se/cr/et', 'host:80', '/bucket/key'), (parsed.userinfo, parsed.host, parsed.path))

    def test_at_sign_in_the_path_of_a_web_address(self):
        parsed = location.parse('http://host/a@b')
        self.assertEqual((None, 'host', '/a@b'), (parsed.userinfo, parsed.host, parsed.path))

    def test_path_of_a_file(self):
        parsed = location.parse('file:///srv/my images/a@b/x')
        self.assertEqual((None, '', '/srv/my images/a@b/x'), (parsed.userinfo, parsed.host, parsed.path))

    @hypothesis.given(_text)
    @hypothesis.example('')
    @hypothesis.example('file')
    @hypothesis.example('file:/x')
    @hypothesis.example('gopher://x')
    @hypothesis.example('file://x\n')
    @hypothesis.example('file://\0')
    def test_anything_else_is_refused(self, text):
        try:
            self.assertIn(location.scheme_of(text), location.SCHEMES)
        except exceptions.BadLocation:
            pass

    def test_refused(self):
        for url in ('', 'file', 'file:/x', 'gopher://x', 'file://x\n', 'file://\0', '://x', ' file://x'):
            with self.assertRaises(exceptions.BadLocation, msg=url):
                location.parse(url)


class RedactTest(unittest.TestCase):
    def test_examples(self):
        for url, expected in (
            ('http://user:pass@host/a?b=c', 'http://***@host/a?b=c'),
            ('https://host/a?X-Amz-Signature=abc&b=c&apikey=', 'https://host/a?X-Amz-Signature=***&b=c&apikey='),
            ('http://host/a@b', 'http://host/a@b'),
            ('http://host/a?%74oken=abc#key=def', 'http://host/a?%74oken=***#key=***'),
            ('s3://ac:se/cr@host/b/k', 's3://***@host/b/k'),
            ('swift+https://tenant%3Auser:k/e?y@host/v1/c/o', 'swift+https://***@host/v1/c/o'),
            ('file:///srv/a@b/x', 'file:///srv/a@b/x'),
            ('unknown://u:p/w@host', 'unknown://***@host'),
            ('user:password@host/path', '***@host/path'),
            ('rbd://fsid/pool/image/snap', 'rbd://fsid/pool/image/snap'),
            ('', ''),
        ):
            self.assertEqual(expected, location.redact(url))

    @hypothesis.given(_text)
    def test_takes_any_text_and_is_stable(self, text):
        self.assertEqual(location.redact(text), location.redact(location.redact(text)))

    @hypothesis.given(strategies.sampled_from(['http', 'https', 'swift', 'swift+https', 's3', 'unheard']), _text)
    def test_password_never_stays(self, scheme, password):
        secret = 'SECRET' + urllib.parse.quote(password, safe='') + 'SECRET'
        self.assertNotIn('SECRET', location.redact('%s://user:%s@host/path' % (scheme, secret)))

    @hypothesis.given(_schemes, strategies.sampled_from(['token', 'X-Amz-Date', 'AccessKey', 'sig', 'PASSWORD']), _word,
                      _word)
    def test_secret_parameter_never_stays(self, scheme, name, value, other):
        url = '%s://host/path?%s=SECRET%s&%s=1' % (scheme, name, value, other)
        self.assertNotIn('SECRET', location.redact(url))
