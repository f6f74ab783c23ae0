"""Numbers that several processes keep in common; each process is played by an object of its own."""
import os
import shutil
import tempfile
import unittest
from unittest import mock

from glance import exceptions
from glance.metrics import shared
from glance.metrics.shared import SharedValues

MOMENTARY = frozenset(('now',))


class SharedValuesTest(unittest.TestCase):

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='glance-test-')
        self.addCleanup(shutil.rmtree, self.folder)

    def process(self):
        values = SharedValues(self.folder, MOMENTARY)
        self.addCleanup(values.close)
        return values

    def read(self):
        return shared.read(self.folder, MOMENTARY)

    def test_sums_over_processes(self):
        first, second = self.process(), self.process()
        first.add(((('requests', 'a'), 1), (('requests', 'b'), 2)))
        first.add(((('requests', 'a'), 0.5),))
        second.add(((('requests', 'a'), 4),))
        self.assertEqual(({('requests', 'a'): 5.5, ('requests', 'b'): 2.0}, 2), self.read())

    def test_labels_are_any_text(self):
        key = ('requests', 'ä "quoted"\n', '')
        self.process().add(((key, 1),))
        self.assertEqual({key: 1.0}, self.read()[0])

    def test_counts_go_on_where_a_process_ended(self):
        first = SharedValues(self.folder, MOMENTARY)
        first.add(((('requests',), 3), (('now',), 2)))
        self.assertEqual(({('requests',): 3.0, ('now',): 2.0}, 1), self.read())
        first.close()
        self.assertEqual(({('requests',): 3.0}, 0), self.read())
        second = self.process()
        self.assertEqual(({('requests',): 3.0, ('now',): 0.0}, 1), self.read())
        second.add(((('requests',), 1), (('now',), 1), (('new',), 1)))
        self.assertEqual({('requests',): 4.0, ('now',): 1.0, ('new',): 1.0}, self.read()[0])
        self.assertEqual(['0'], os.listdir(self.folder))

    def test_a_process_that_is_killed_gives_its_file_free(self):
        pid = os.fork()
        if not pid:
            try:
                SharedValues(self.folder, MOMENTARY).add(((('requests',), 1),))
                os.kill(os.getpid(), 9)
            finally:
                os._exit(1)
        os.waitpid(pid, 0)
        self.process().add(((('requests',), 1),))
        self.assertEqual(({('requests',): 2.0}, 1), self.read())

    def test_what_comes_too_late_is_lost(self):
        values = SharedValues(self.folder, MOMENTARY)
        values.close()
        values.add(((('requests',), 1),))
        self.assertEqual({}, self.read()[0])

    def test_a_full_file_takes_no_further_names(self):
        with mock.patch.object(shared, '_SIZE', 4096):
            values = self.process()
            for number in range(200):
                values.add(((('requests', str(number)), 1), (('requests', '0'), 1)))
            sums, _ = self.read()
        self.assertEqual(201.0, sums['requests', '0'])
        self.assertLess(len(sums), 200)

    def test_a_file_that_is_just_being_made(self):
        open(os.path.join(self.folder, '7'), 'wb').close()
        self.assertEqual(({}, 0), self.read())

    def test_folder_that_cannot_be_used(self):
        path = os.path.join(self.folder, 'file')
        open(path, 'wb').close()
        with self.assertRaisesRegex(exceptions.ConfigurationError, r'\[metrics\] directory: .*file'):
            SharedValues(path, MOMENTARY)
