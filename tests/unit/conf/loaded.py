"""Configurations made of a text, for the tests of this folder."""

import logging
import pathlib
import tempfile
import unittest
from unittest import mock

from oslo_config import cfg

from glance import conf


class ConfigurationTest(unittest.TestCase):
    """Gives each test a folder, and loads texts as if they were its ``glance-api.conf``."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        for patch in (mock.patch('glance.conf.loading.set_up_logging'),
                      mock.patch.object(logging.getLogger('glance.conf'), 'propagate', False),
                      mock.patch.object(logging.getLogger('glance.conf'), 'handlers', [logging.NullHandler()])):
            patch.start()
            self.addCleanup(patch.stop)

    def write(self, text: str, name: str = 'glance-api.conf') -> str:
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def load(self, text: str = '', args: tuple[str, ...] = (), prog: str = 'glance-api') -> cfg.ConfigOpts:
        return conf.load(list(args), prog, default_config_files=[self.write(text)], default_config_dirs=[],
                         conf=cfg.ConfigOpts())

    def assert_refused(self, text: str, kind: type[Exception] = conf.InvalidOptionValue, prog: str = 'glance-api') -> str:
        """The sentence with which the configuration is refused."""
        with self.assertRaises(kind) as caught:
            self.load(text, prog=prog)
        return str(caught.exception)
