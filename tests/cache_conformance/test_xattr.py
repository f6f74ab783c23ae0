"""The cache with its books in extended attributes."""
import os
import unittest
from unittest import mock

from glance import exceptions
from glance.cache.drivers.xattr import XattrDriver
from glance.cache.layout import INVALID
from tests.cache_conformance import suite


class XattrCase(unittest.TestCase):
    def make_driver(self, layout):
        return XattrDriver(layout)


class Attributes(suite.CacheConformance, XattrCase):
    def test_attributes_are_those_that_other_releases_know(self):
        content = self.fill(b'data')
        self.cache.count_hit(content.image_id, 4)
        self.assertEqual(b'1', os.getxattr(self.path(content), 'user.hits'))
        wrong = self.content(b'data', digest='0' * 128)
        self.assertRaises(exceptions.StoreError, self.cache.fetch, wrong, suite.Store(b'data').open)
        self.assertIn(b'hash', os.getxattr(self.path(wrong, INVALID), 'user.error'))
        self.assertFalse((self.directory / 'checkme').exists())

    def test_processes_that_begin_at_once_do_not_disturb_each_other(self):
        setxattr, checkme = os.setxattr, self.directory / 'checkme'

        def late(*arguments):
            checkme.unlink(missing_ok=True)
            setxattr(*arguments)
        with mock.patch('os.setxattr', late):
            self.make_driver(self.cache.layout)

    def test_a_file_system_without_attributes_is_refused(self):
        with mock.patch('os.setxattr', side_effect=OSError(95, 'Operation not supported')):
            self.assertRaisesRegex(exceptions.ConfigurationError, 'choose another driver', self.make_driver, self.cache.layout)
        self.assertFalse((self.directory / 'checkme').exists())


globals().update(suite.cases(__name__, XattrCase))
