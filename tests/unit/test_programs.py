"""Every program tells how it is used."""
import contextlib
import importlib
import io
import pkgutil
import unittest
from unittest import mock

import glance.cmd

PROGRAMS = ['glance-' + module.name.replace('_', '-') for module in pkgutil.iter_modules(glance.cmd.__path__)]


class Programs(unittest.TestCase):

    def run_program(self, name: str, *arguments: str) -> tuple[int, str]:
        """Call the function behind a program as ``python -m`` does; its exit code and output."""
        main = importlib.import_module('glance.cmd.' + name.removeprefix('glance-').replace('-', '_')).main
        output = io.StringIO()
        with contextlib.redirect_stdout(output), mock.patch('os.setpgid'), mock.patch('os.umask'):
            try:
                code = main(list(arguments))
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
