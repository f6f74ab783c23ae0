"""Every program tells how it is used."""
import contextlib
import importlib
import io
import pkgutil
import unittest
from unittest import mock

import glance.cmd

MODULES = [importlib.import_module('glance.cmd.' + found.name) for found in pkgutil.iter_modules(glance.cmd.__path__)]
# The others hold parts of programs.
PROGRAMS = {module.PROG: module.main for module in MODULES if hasattr(module, 'main')}


class Programs(unittest.TestCase):

    def run_program(self, name: str, *arguments: str) -> tuple[int, str]:
        """Call the function behind a program as ``python -m`` does; its exit code and output."""
        output = io.StringIO()
        with contextlib.redirect_stdout(output), mock.patch('os.setpgid'), mock.patch('os.umask'):
            try:
                code = PROGRAMS[name](list(arguments))
            except SystemExit as stop:
                code = stop.code or 0
        return code, output.getvalue()

    def test_help(self):
        self.assertIn('glance-api', PROGRAMS)
        for name in PROGRAMS:
            with self.subTest(name):
                code, text = self.run_program(name, '--help')
                self.assertEqual(0, code)
                self.assertRegex(text, r'(?i)\Ausage: %s ' % name)
                self.assertGreater(len(text.splitlines()), 3)

    def test_version(self):
        for name in PROGRAMS:
            if name == 'glance-rootwrap':
                continue
            with self.subTest(name):
                code, text = self.run_program(name, '--version')
                self.assertEqual(0, code)
                self.assertRegex(text, r'\A\S+\n\Z')
