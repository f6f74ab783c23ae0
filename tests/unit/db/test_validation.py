"""The checks before the engines."""
import datetime
import unittest

import hypothesis
import sqlalchemy as sa
from hypothesis import strategies as st

from glance import exceptions
from glance.db import interface, validation
from glance.db.sqlalchemy import models


class AgainstModels(unittest.TestCase):
    """The checks know the columns without knowing the tables; here the two are compared."""

    def test_lengths(self):
        lengths = {column.name: column.type.length for column in models.images.c
                   if isinstance(column.type, sa.String) and not isinstance(column.type, sa.Enum)}
        self.assertEqual(lengths, dict(validation.TEXT_COLUMNS))
        for column in (models.image_properties.c.name, models.image_tags.c.value, models.image_members.c.member):
            self.assertEqual(validation.NAME_LENGTH, column.type.length)

    def test_kinds(self):
        for column in models.images.c:
            if isinstance(column.type, sa.BigInteger):
                self.assertEqual(interface.MAX_BIG_INTEGER, validation.INTEGER_COLUMNS[column.name])
            elif isinstance(column.type, sa.Integer):
                self.assertEqual(interface.MAX_INTEGER, validation.INTEGER_COLUMNS[column.name])
        self.assertEqual(validation.VISIBILITIES, set(models.VISIBILITIES))

    def test_required_columns(self):
        required = {column.name for column in models.images.c if not column.nullable}
        self.assertEqual(required - {'created_at', 'deleted'}, validation.REQUIRED_COLUMNS)

    def test_writable_columns(self):
        self.assertEqual({column.name for column in models.images.c} - {
            'id', 'created_at', 'updated_at', 'deleted', 'deleted_at'}, validation.WRITABLE_COLUMNS)


class Texts(unittest.TestCase):
    @hypothesis.given(st.text(max_size=20))
    def test_storable_texts_can_be_encoded(self, text):
        self.assertEqual('\0' not in text, validation.is_storable(text))
        self.assertEqual(any(ord(char) > 0xffff for char in text), bool(text) and validation.needs_four_bytes(text))

    @hypothesis.given(st.text(alphabet=st.characters(categories=['Cs']), min_size=1, max_size=3))
    def test_surrogates_cannot_be_stored(self, text):
        self.assertFalse(validation.is_storable('a' + text))
        self.assertFalse(validation.is_id(text))

    def test_limits_of_the_engine(self):
        narrow = validation.Limits(text_bytes=10, four_bytes=lambda: False)
        validation.check_text('It', 'é' * 5, None, narrow)
        for text in ('é' * 6, '\U0001f600'):
            self.assertRaises(exceptions.Invalid, validation.check_text, 'It', text, None, narrow)
        validation.check_text('It', '\U0001f600' * 9, None, validation.Limits())

    def test_the_engine_is_asked_only_when_it_matters(self):
        asked = []
        limits = validation.Limits(four_bytes=lambda: bool(asked.append(1)) or True)
        validation.check_text('It', 'plain é漢', 255, limits)
        self.assertEqual([], asked)
        validation.check_text('It', '\U0001f600', 255, limits)
        self.assertEqual([1], asked)


class Sort(unittest.TestCase):
    def test_what_is_missing_is_appended(self):
        for given, full in (
                ((), 'created_at desc id desc'), ((('name', 'asc'),), 'name asc created_at asc id asc'),
                ((('name', 'asc'), ('size', 'asc')), 'name asc size asc created_at desc id desc'),
                ((('id', 'asc'),), 'id asc created_at asc'), ((('name', 'asc'), ('name', 'desc')), 'name asc created_at desc id desc'),
                ((('created_at', 'desc'), ('id', 'asc')), 'created_at desc id asc')):
            self.assertEqual(full, ' '.join(' '.join(key) for key in validation.full_sort(given)))


class Seconds(unittest.TestCase):
    @hypothesis.given(st.datetimes())
    def test_a_moment_is_within_its_second(self, moment):
        start, end = validation.second_of(moment)
        self.assertLessEqual(start, moment)
        self.assertTrue(moment < end or end == datetime.datetime.max)
        self.assertLessEqual(end - start, datetime.timedelta(seconds=1))
