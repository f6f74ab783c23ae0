"""The pace of copying, and where a relocation goes on."""
import json
import os
import tempfile
import unittest

from glance import exceptions
from glance.relocation.journal import Journal
from glance.relocation.pace import Pace, Paced
from glance.transfer.sources import BytesSource


class PaceTest(unittest.TestCase):

    def test_no_faster_than_the_rate(self):
        now = [100.0]
        pace = Pace(1000, lambda: now[0], lambda seconds: now.__setitem__(0, now[0] + seconds))
        source, buffer, count = Paced(BytesSource(bytes(5000)), pace), memoryview(bytearray(4096)), 0
        while got := source.readinto(buffer):
            self.assertLessEqual(got, 250)
            count += got
        self.assertEqual((5000, 105.0), (count, round(now[0], 6)))

    def test_time_that_was_not_used_is_not_made_up_for(self):
        now, slept = [0.0], []
        pace = Pace(1000, lambda: now[0], slept.append)
        now[0] = 50.0
        pace.take(2000)
        self.assertEqual([2.0], slept)

    def test_the_slowest(self):
        self.assertEqual(1, Pace(1).step)


class JournalTest(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, 'state')

    def test_goes_on(self):
        journal = Journal(self.path, {'to': 'a'})
        journal.after, journal.left = 7, {'x'}
        journal.save()
        journal.finish()
        again = Journal(self.path, {'to': 'a'})
        self.assertEqual((7, {'x'}), (again.after, again.left))
        again.left.clear()
        again.finish()
        self.assertFalse(os.path.exists(self.path))

    def test_of_something_else(self):
        Journal(self.path, {'to': 'a'}).save()
        with self.assertRaisesRegex(exceptions.ConfigurationError, 'other arguments'):
            Journal(self.path, {'to': 'b'})
        for content in ('', '[]', '{"after": 1}', json.dumps({'terms': {}, 'after': 'x', 'left': []}), '\0'):
            with open(self.path, 'w') as file:
                file.write(content)
            with self.assertRaisesRegex(exceptions.ConfigurationError, 'not the file of a relocation'):
                Journal(self.path, {})

    def test_nothing_is_kept_without_a_file(self):
        journal = Journal(None, {})
        journal.save()
        journal.finish()
        self.assertEqual([], os.listdir(os.path.dirname(self.path)))

    def test_a_file_that_cannot_be_written(self):
        with self.assertRaisesRegex(exceptions.ConfigurationError, 'cannot be written'):
            Journal(os.path.join(self.path, 'x'), {}).save()
