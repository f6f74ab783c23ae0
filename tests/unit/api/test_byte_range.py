"""Ranges of downloads, against a naive reading of the rules."""
import re
import unittest

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from glance import exceptions
from glance.api.v2 import byte_range
from glance.wsgi.faults import HTTPFault

NUMBERS = st.one_of(st.integers(0, 25), st.integers(0, 10 ** 18))
BLANKS = st.sampled_from(('', ' ', '  ', '\t'))
UNITS = st.sampled_from(('bytes', 'Bytes', 'BYTES', 'bYtEs'))


def answer(size, **headers):
    """Return ``(offset, length)``, None for the whole image, or the status of the refusal."""
    try:
        span = byte_range.requested({'HTTP_' + name.upper(): value for name, value in headers.items()}, size)
    except HTTPFault as fault:
        return fault.status
    except exceptions.Invalid:
        return 400
    return span and tuple(span)


def naive(size, first, last):
    """The positions that ``first-last`` selects of an image, as (offset, length) or 416; either may be None."""
    if first is None:
        wanted = range(max(0, size - last), size)
    elif last is not None and first > last:
        return 416
    else:
        wanted = range(first, size if last is None else min(last + 1, size))
    return (wanted.start, len(wanted)) if len(wanted) else 416


class RangeTest(unittest.TestCase):

    @given(UNITS, st.tuples(BLANKS, BLANKS, BLANKS, BLANKS), st.one_of(st.none(), NUMBERS),
           st.one_of(st.none(), NUMBERS),
           st.integers(0, 25))
    @settings(max_examples=500)
    def test_against_a_model(self, unit, blanks, first, last, size):
        header = '%s%s=%s%s%s-%s%s' % (unit, *blanks[:2], '' if first is None else first, *blanks[2:],
                                       '' if last is None else last)
        expected = 416 if first is None and last is None else naive(size, first, last)
        self.assertEqual(expected, answer(size, range=header), header)

    @given(st.text(st.sampled_from('bytes=- 0123456789,\t/*é٣xBYTES'), max_size=14), st.integers(0, 12))
    def test_any_header_is_answered(self, header, size):
        result = answer(size, range=header)
        if ',' in header:
            self.assertEqual(400, result)
        elif isinstance(result, tuple):
            offset, length = result
            self.assertTrue(0 <= offset < offset + length <= size)
            self.assertTrue(re.match(r'\s*bytes', header, re.IGNORECASE))
        else:
            self.assertEqual(416, result)

    def test_numbers_have_no_limit(self):
        self.assertEqual((0, 10), answer(10, range='bytes=0-%d' % 10 ** 30))
        self.assertEqual((0, 10), answer(10, range='bytes=-%d' % 10 ** 30))
        self.assertEqual(416, answer(10, range='bytes=%d-' % 10 ** 30))

    def test_examples(self):
        for header, expected in (
                ('bytes=0-4', (0, 5)), ('bytes=5-', (5, 5)), ('bytes=-3', (7, 3)), ('bytes=-10', (0, 10)),
                ('bytes=-11', (0, 10)), ('bytes=9-9', (9, 1)), ('bytes=9-10', (9, 1)), ('bytes=10-', 416),
                ('bytes=4-3', 416),
                ('bytes=-', 416), ('bytes=-0', 416), ('', 416), ('bytes', 416), ('items=0-1', 416), ('bytes=a-b', 416),
                ('bytes=0-1,3-4', 400), ('bytes=--1', 416), ('bytes=+1-2', 416), ('bytes=0x1-2', 416)):
            with self.subTest(header=header):
                self.assertEqual(expected, answer(10, range=header))

    def test_no_range_of_an_empty_image_can_be_satisfied(self):
        for header in ('bytes=0-', 'bytes=-1', 'bytes=0-0', 'bytes=-'):
            with self.subTest(header=header):
                self.assertEqual(416, answer(0, range=header))

    def test_without_a_range_the_whole_image_is_meant(self):
        self.assertIsNone(answer(10))
        self.assertIsNone(answer(0))

    def test_a_refusal_tells_the_size(self):
        with self.assertRaises(HTTPFault) as caught:
            byte_range.requested({'HTTP_RANGE': 'bytes=10-'}, 10)
        self.assertIn(('Content-Range', 'bytes */10'), caught.exception.headers)


class ContentRangeTest(unittest.TestCase):

    @given(st.integers(0, 25), st.integers(0, 25), st.one_of(st.none(), st.integers(0, 25)), st.integers(0, 25))
    @settings(max_examples=500)
    def test_against_a_model(self, first, last, total, size):
        assume(total is None or total <= size)
        possible = first <= last < size and (total is None or last < total)
        header = 'bytes %d-%d/%s' % (first, last, '*' if total is None else total)
        self.assertEqual((first, last - first + 1) if possible else 416, answer(size, content_range=header))

    def test_a_length_beyond_the_image(self):
        for header in ('bytes 0-4/11', 'bytes 9-9/20', 'bytes 5-12/20'):
            with self.subTest(header=header):
                self.assertEqual(416, answer(10, content_range=header))

    def test_what_is_no_content_range(self):
        for header in ('', 'bytes */10', 'bytes 0-4', 'bytes=0-4', 'bytes 9-5/*', 'items 0-1/10', 'bytes 0-1/x',
                       'bytes -1/10'):
            with self.subTest(header=header):
                self.assertEqual(416, answer(10, content_range=header))

    def test_range_wins(self):
        self.assertEqual((0, 2), answer(10, range='bytes=0-1', content_range='bytes 5-6/10'))
        self.assertEqual(416, answer(10, range='', content_range='bytes 5-6/10'))
