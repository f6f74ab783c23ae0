"""What the log does not tell."""
import io
import logging
import unittest

import hypothesis
from hypothesis import strategies as st

from glance.conf import redaction
from glance.conf.redaction import redact

SECRET = 'S3CR3T'
WITH_SECRETS = (
    'swift+https://user:S3CR3T@host/v1/container', 's3://key:S3/CR3T/S3CR3T@host/bucket', 'mysql+pymysql://glance:S3CR3T@db/glance',
    'cannot reach "http://u:S3CR3T@host/a" now', 'rabbit://guest:S3CR3T@one:5672,guest:S3CR3T@two:5672//',
    'GET http://host/a?X-Amz-Signature=S3CR3T&b=c', 'http://host/?a=b;password=S3CR3T', '/v2/images?api_key=S3CR3T HTTP/1.1',
    '?AUTH=S3CR3T', '&my_secret_thing=S3CR3T', 'X-Auth-Token: S3CR3T', "{'X-Auth-Token': 'S3CR3T'}", '{"x-subject-token": "S3CR3T"}',
    "curl -H 'X-Service-Token: S3CR3T' -H 'Accept: */*'", "[('X-Storage-Token', 'S3CR3T')]", "{b'X-Auth-Token': b'S3CR3T'}",
    'Authorization: Basic S3CR3T', "'Authorization': 'Bearer S3CR3T'", 'Cookie: S3CR3T', '{"admin_password": "S3CR3T", "a": 1}',
    "{'client_secret': 'S3CR3T'}", '{\\"password\\": \\"S3CR3T\\"}', 'X-Auth-Token=S3CR3T')
HARMLESS = (
    '', 'Image 42 was deleted', '10.0.0.1 user project "GET /v2/images?sort_key=name&limit=3" status: 200',
    'http://host:9292/v2/images/abc/file', 'https://host/a@b'.replace('@', '%40'), 'author: somebody', 'the token of the user has expired',
    'Location: file:///var/lib/glance/images/x', 'AQ is no key', 'a;b;c?d&e')


class RedactTest(unittest.TestCase):

    def test_secrets_are_hidden(self):
        for text in WITH_SECRETS:
            with self.subTest(text=text):
                self.assertNotIn(SECRET, redact(text))
                self.assertEqual(redact(text), redact(redact(text)))

    def test_the_rest_stays(self):
        for text in HARMLESS:
            with self.subTest(text=text):
                self.assertEqual(text, redact(text))
        self.assertEqual('GET http://host/a?X-Amz-Signature=***&b=c', redact('GET http://host/a?X-Amz-Signature=S3CR3T&b=c'))
        self.assertEqual('{"admin_password": "***", "a": 1}', redact('{"admin_password": "S3CR3T", "a": 1}'))

    def test_tokens_can_be_told_apart(self):
        one, other = redact('X-Auth-Token: one'), redact('X-Auth-Token: other')
        self.assertRegex(one, r'\AX-Auth-Token: \{SHA256\}[0-9a-f]{12}\Z')
        self.assertNotEqual(one, other)
        self.assertEqual(one, redact('X-Auth-Token: one'))

    def test_keys_and_trusts(self):
        key, trust = 'AQ%s==' % ('a1+/' * 9), '0123456789abcdef' * 2
        self.assertEqual('key = ***', redact('key = ' + key))
        self.assertNotIn(trust, redact("{'trust_id': '%s'}" % trust))

    @hypothesis.given(st.text(alphabet='?&;=:/@\'" \\{}tokensigauthcookiepassw-x', max_size=300))
    def test_any_text(self, text):
        self.assertEqual(redact(text), redact(redact(text)))


class HandlersTest(unittest.TestCase):

    def log(self, name=None):
        stream = io.StringIO()
        handler = logging.StreamHandler(stream)
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        self.addCleanup(logger.removeHandler, handler)
        return handler, stream

    def test_every_handler_writes_redacted_lines(self):
        for name in (None, 'some.package'):
            handler, stream = self.log(name)
            handler.setFormatter(logging.Formatter('<%(message)s>'))
            redaction.install()
            redaction.install()
            try:
                raise ValueError('http://u:S3CR3T@host')
            except ValueError:
                logging.getLogger(name).error('%s', {'X-Auth-Token': SECRET}, exc_info=True)
            self.assertNotIn(SECRET, stream.getvalue())
            self.assertEqual(('<', 1), (stream.getvalue()[0], stream.getvalue().count('Traceback')))
