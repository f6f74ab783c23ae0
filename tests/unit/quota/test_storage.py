"""``user_storage_quota``: what it limits, and how it refuses."""
import unittest

from glance import exceptions
from glance.conf.types import parse_size
from glance.db.interface import RESOURCES
from glance.environment import make_quotas
from glance.quota.storage import StorageQuota
from tests.unit.layers import fakes


class StorageQuotaTest(unittest.TestCase):

    def test_bytes_are_limited_and_nothing_else(self):
        quota = StorageQuota(7)
        self.assertEqual({'storage': 7, 'staging': 7}, quota.limits('p', RESOURCES))
        self.assertEqual({'storage': 7}, quota.limits(None, ('storage', 'uploading')))
        self.assertEqual({}, quota.limits('p', ('images',)))

    def test_a_refusal_tells_limit_use_request_and_rest(self):
        error = StorageQuota(5120).refusal('p', exceptions.OverLimit('storage', 5120, 5000, 121))
        self.assertIsInstance(error, exceptions.StorageQuotaFull)
        for number in ('5120', '5000', '121', '120'):
            self.assertIn(' %s ' % number, str(error))

    def test_nothing_remains_when_more_is_used_than_allowed(self):
        self.assertIn(' 0 remain', str(StorageQuota(5).refusal('p', exceptions.OverLimit('storage', 5, 9, 1))))

    def test_there_is_nothing_to_report(self):
        self.assertEqual({}, StorageQuota(5).report('p', self.fail))

    def test_units(self):
        for text, size in (('5', 5), ('5B', 5), ('5KB', 5120), ('2MB', 2 << 20), ('3GB', 3 << 30), ('1TB', 1 << 40)):
            conf = fakes.make_conf()
            conf.set_override('user_storage_quota', text)
            with self.subTest(text=text):
                self.assertEqual({'storage': size}, make_quotas(conf).limits('p', ('storage',)))

    def test_zero_is_no_quota(self):
        for text in ('0', '0B', '00', '0TB'):
            conf = fakes.make_conf()
            conf.set_override('user_storage_quota', text)
            self.assertIsNone(make_quotas(conf))
        self.assertIsNone(make_quotas(fakes.make_conf()))

    def test_what_is_no_size(self):
        for text in ('', '5 KB', '-1', '5K', '5kb', 'KB', '1.5GB', '5PB', '5KiB', '0x5', 'five'):
            with self.subTest(text=text):
                self.assertRaises(ValueError, parse_size, text)

    def test_unified_limits_win(self):
        conf = fakes.make_conf()
        conf.set_override('user_storage_quota', '1')
        conf.set_override('use_keystone_limits', True)
        self.assertEqual({}, make_quotas(conf).limits(None, RESOURCES))
