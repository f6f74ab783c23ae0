"""The closing line of a test run must never say less than went wrong."""

import contextlib
import importlib.util
import io
import pathlib
import subprocess
import unittest
from unittest import mock

PATH = pathlib.Path(__file__).resolve().parents[3] / 'tools' / 'print_totals.py'
SUMMARY = """
======
Totals
======
Ran: 11 tests in 211.7380 sec.
 - Passed: 6
 - Skipped: 1
 - Expected Fail: 1
 - Unexpected Success: 1
 - Failed: 2
Sum of execute time for each test: 176.1 sec.
"""


def load():
    spec = importlib.util.spec_from_file_location('print_totals', PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class PrintTotalsTest(unittest.TestCase):

    def setUp(self):
        self.module = load()

    def run_main(self, exit_code, summary):
        """Exit code and last line of the script after a run that ended with *exit_code*."""
        last = subprocess.CompletedProcess([], exit_code, summary, '')
        output = io.StringIO()
        with mock.patch.object(self.module.sys, 'argv', ['print_totals.py', str(exit_code)]), \
                mock.patch.object(self.module.subprocess, 'run', return_value=last), \
                contextlib.redirect_stdout(output):
            code = self.module.main()
        return code, output.getvalue().splitlines()[-1]

    def test_every_kind_is_counted(self):
        self.assertEqual((1, '7 passed, 3 failed, 1 skipped'), self.run_main(1, SUMMARY))

    def test_success(self):
        summary = SUMMARY.replace(': 2\n', ': 0\n').replace('Success: 1', 'Success: 0')
        self.assertEqual((0, '7 passed, 0 failed, 1 skipped'), self.run_main(0, summary))

    def test_failures_count_whatever_the_exit_code(self):
        self.assertEqual((1, '7 passed, 3 failed, 1 skipped'), self.run_main(0, SUMMARY))

    def test_a_bad_end_without_failed_tests_is_a_failure(self):
        summary = ' - Passed: 5\n - Skipped: 0\n - Failed: 0\n'
        self.assertEqual((3, '5 passed, 1 failed, 0 skipped'), self.run_main(3, summary))

    def test_no_tests_at_all_is_no_success(self):
        self.assertEqual(1, self.run_main(0, '')[0])
