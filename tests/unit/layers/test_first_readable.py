"""Reading from the first place that works."""
import unittest

from glance import exceptions
from glance.layers.first_readable import FirstReadable
from tests.unit.layers.fakes import Reader


class Broken(Reader):
    """Fails after some bytes."""

    def __init__(self, data, good):
        super().__init__(data)
        self._good = good

    def readinto(self, buffer):
        if not self._good:
            raise exceptions.StoreUnavailable()
        count = super().readinto(buffer[:self._good])
        self._good -= count
        return count


def failing(error):
    def opener():
        raise error
    return opener


def read(reader):
    content, buffer = b'', memoryview(bytearray(4))
    while count := reader.readinto(buffer):
        content += bytes(buffer[:count])
    return content


def first_readable(openers):
    return FirstReadable(('place %d' % number, opener) for number, opener in enumerate(openers))


class FirstReadableTest(unittest.TestCase):

    def test_first_one_that_opens(self):
        third = []
        reader = first_readable([failing(exceptions.ObjectNotFound()), lambda: Reader(b'second', 3), lambda: third.append(1)])
        self.assertEqual((6, 3, None), (reader.length, reader.offset, reader.fileno()))
        self.assertEqual((b'second', []), (read(reader), third))

    def test_data_counts_as_missing_only_when_it_is_missing_everywhere(self):
        missing, away = failing(exceptions.ObjectNotFound()), failing(exceptions.StoreUnavailable())
        for openers, error in (([away, missing], exceptions.StoreUnavailable), ([missing, away], exceptions.StoreUnavailable),
                               ([missing, missing], exceptions.ObjectNotFound), ([], exceptions.ObjectNotFound),
                               ([lambda: Broken(b'x', 0), missing], exceptions.StoreUnavailable)):
            with self.assertRaises(error):
                read(first_readable(openers))

    def test_none_opens(self):
        with self.assertRaises(exceptions.StoreUnavailable):
            first_readable([failing(exceptions.ObjectNotFound()), failing(exceptions.StoreUnavailable())])
        with self.assertRaises(exceptions.ObjectNotFound):
            first_readable([])

    def test_failure_before_the_first_byte(self):
        broken = Broken(b'first', 0)
        self.assertEqual(b'other', read(first_readable([lambda: broken, lambda: Broken(b'x', 0), lambda: Reader(b'other')])))
        self.assertTrue(broken.closed)
        with self.assertRaises(exceptions.StoreUnavailable):
            read(first_readable([lambda: Broken(b'first', 0)]))

    def test_failure_after_the_first_byte(self):
        with self.assertRaises(exceptions.StoreUnavailable):
            read(first_readable([lambda: Broken(b'first', 1), lambda: Reader(b'other')]))

    def test_close(self):
        inner = Reader(b'x')
        first_readable([lambda: inner]).close()
        self.assertTrue(inner.closed)
