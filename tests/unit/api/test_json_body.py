"""JSON request bodies: what is taken, what is refused, and that nothing else can happen."""
import io
import json
import unittest

from hypothesis import example, given, settings
from hypothesis import strategies as st

from glance import exceptions
from glance.api import json_body
from glance.wsgi import whole_body
from glance.wsgi.faults import HTTPFault

TEXT = st.text(st.characters(exclude_categories=['Cs'], exclude_characters='\0'), max_size=6)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-2 ** 63, 2 ** 63 - 1), TEXT,
              st.floats(allow_nan=False, allow_infinity=False)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXT, inner, max_size=4)), max_leaves=20)
DOCUMENTS = st.one_of(st.lists(VALUES, max_size=4), st.dictionaries(TEXT, VALUES, max_size=4))
# Pieces of JSON, and of what is not quite JSON, thrown together.
SHREDS = st.lists(st.sampled_from((
    b'{', b'}', b'[', b']', b',', b':', b'"', b'\\', b'a', b'null', b'true', b'NaN', b'-Infinity', b'0', b'-', b'1e999',
    b'.5',
    b'9' * 30, b'\\ud800', b'\\u0000', b'\xff', b'\xc3\xa9', b'\xef\xbb\xbf', b'\0', b' ', b'"a":', b'"a":1,')),
    max_size=25).map(b''.join)


class ParseTest(unittest.TestCase):

    def assert_refused(self, body):
        with self.subTest(body=body[:60]):
            with self.assertRaises(exceptions.Invalid) as caught:
                json_body.parse(body)
            self.assertLess(len(str(caught.exception).encode()), 500)

    @given(DOCUMENTS, st.booleans(), st.booleans())
    def test_documents_come_through_unchanged(self, value, escaped, mark):
        body = json.dumps(value, ensure_ascii=escaped).encode()
        self.assertEqual(value, json_body.parse(b'\xef\xbb\xbf' * mark + body))

    @given(st.one_of(st.binary(max_size=200), SHREDS))
    @example(b'')
    @example(b'[' * 100000)
    @example(b'{"a":' * 100000)
    def test_bytes_are_a_value_or_invalid(self, body):
        try:
            value = json_body.parse(body)
        except exceptions.Invalid as error:
            str(error).encode()
        else:
            self.assertIsInstance(value, dict | list)
            json.dumps(value, ensure_ascii=False, allow_nan=False).encode()

    def test_what_is_neither_object_nor_array(self):
        for body in (b'1', b'"a"', b'null', b'true', b'1.5'):
            self.assert_refused(body)

    def test_what_is_not_json(self):
        for body in (b'', b' ', b'{', b'[1,]', b"{'a': 1}", b'[1] x', b'[01]', b'["\t"]', b'[.5]', b'{"a"}', b'{1: 2}'):
            self.assert_refused(body)

    def test_names_that_stand_twice(self):
        for body in (b'{"a": 1, "a": 1}', b'[{"x": {"a": 1, "b": 2, "a": 3}}]', b'{"a": 1, "\\u0061": 2}',
                     b'{"\\ud800": 1, "\\ud800": 2}'):
            self.assert_refused(body)
        self.assertEqual([{'a': 1}, {'a': 2}], json_body.parse(b'[{"a": 1}, {"a": 2}]'))

    def test_numbers_that_are_none(self):
        for body in (b'[NaN]', b'[Infinity]', b'[-Infinity]', b'{"a": NaN}'):
            self.assert_refused(body)

    def test_numbers_that_are_too_large(self):
        for body in (b'[1e999]', b'[-1e999]', b'[%d]' % 2 ** 63, b'[%d]' % (-2 ** 63 - 1), b'[%s]' % (b'9' * 100000),
                     b'[-%s]' % (b'9' * 100000), b'[%s.0]' % (b'9' * 100000)):
            self.assert_refused(body)
        self.assertEqual([2 ** 63 - 1, -2 ** 63], json_body.parse(b'[9223372036854775807, -9223372036854775808]'))

    def test_minus_zero(self):
        self.assert_refused(b'[-0]')

    def test_text_that_cannot_be_stored(self):
        for body in (b'["\\u0000"]', b'{"a\\u0000": 1}', b'["\\ud800"]', b'["\\udfff x"]', b'{"\\udc00": 1}',
                     b'["\\ude00\\ud83d"]', b'[[[{"a": ["\\ud800"]}]]]'):
            self.assert_refused(body)
        self.assertEqual(['\U0001f600'], json_body.parse(b'["\\ud83d\\ude00"]'))

    def test_other_encodings(self):
        for encoding in ('utf-16', 'utf-16-le', 'utf-16-be', 'utf-32', 'latin-1'):
            self.assert_refused('["é"]'.encode(encoding))
        self.assert_refused(b'["\xed\xa0\x80"]')

    def test_one_byte_mark_is_ignored(self):
        self.assertEqual([1], json_body.parse(b'\xef\xbb\xbf[1]'))
        self.assert_refused(b'\xef\xbb\xbf\xef\xbb\xbf[1]')

    def test_depth(self):
        for start, end in ((b'[', b']'), (b'{"a":', b'}')):
            inner = b'[]' if start == b'[' else b'{}'
            json_body.parse(start * 63 + inner + end * 63)
            self.assert_refused(start * 64 + inner + end * 64)

    def test_number_of_parts(self):
        json_body.parse(b'[%s]' % b','.join([b'1'] * 19999))
        self.assert_refused(b'[%s]' % b','.join([b'1'] * 20001))
        self.assert_refused(b'[%s]' % b','.join([b'[1]'] * 10001))
        self.assert_refused(b'{%s}' % b','.join(b'"%d":1' % number for number in range(20001)))


class Stream:
    """A body that arrives in pieces and knows how much of it was read."""

    def __init__(self, data, piece):
        self._data, self._piece, self.taken = io.BytesIO(data), piece, 0

    def read(self, size):
        if size < 0:
            raise ValueError('unbounded read')
        data = self._data.read(min(size, self._piece))
        self.taken += len(data)
        return data


class ReadTest(unittest.TestCase):

    @given(st.binary(max_size=60), st.integers(1, 70), st.integers(0, 70), st.one_of(st.none(), st.integers(0, 70)))
    @settings(max_examples=400)
    def test_against_a_model(self, data, piece, limit, length):
        stream = Stream(data, piece)
        try:
            body = whole_body.read(stream, length, limit)
        except HTTPFault as fault:
            self.assertEqual(413, fault.status)
            self.assertGreater(len(data) if length is None else length, limit)
            self.assertLessEqual(stream.taken, limit + 1)
        except exceptions.ClientDisconnected:
            self.assertGreater(length, len(data))
        else:
            self.assertLessEqual(len(body), limit)
            self.assertEqual(data if length is None else data[:length], body)
            self.assertTrue(length is None or len(body) == length)

    def test_an_announced_length_above_the_limit_is_refused_unread(self):
        stream = Stream(b'x' * 10, 10)
        with self.assertRaises(HTTPFault) as caught:
            whole_body.read(stream, 10, 9)
        self.assertEqual((413, 0), (caught.exception.status, stream.taken))
