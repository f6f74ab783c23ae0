"""``max_queued_images_per_project``, alone and beside another kind of quota."""
import unittest

from glance import exceptions
from glance.db.interface import RESOURCES
from glance.environment import make_quotas
from glance.quota.queued import QueuedImages
from glance.quota.storage import StorageQuota
from tests.unit.layers import fakes

ERROR = exceptions.OverLimit('queued', 3, 3, 1)


class QueuedImagesTest(unittest.TestCase):

    def test_alone(self):
        quotas = QueuedImages(3, None)
        self.assertEqual({'queued': 3}, quotas.limits('p', ('images', 'queued', 'storage')))
        self.assertEqual({}, quotas.limits('p', RESOURCES))
        self.assertEqual({}, quotas.report('p', self.fail))
        self.assertRegex(str(quotas.refusal('p', ERROR)), '3 images without data; at most 3 .* 1')

    def test_beside_another_quota(self):
        quotas = QueuedImages(3, StorageQuota(7))
        self.assertEqual({'queued': 3, 'storage': 7}, quotas.limits('p', ('queued', 'storage', 'images')))
        self.assertEqual({'storage': 7}, quotas.limits('p', ('storage',)))
        self.assertIsInstance(quotas.refusal('p', exceptions.OverLimit('storage', 7, 7, 1)), exceptions.StorageQuotaFull)
        self.assertNotIsInstance(quotas.refusal('p', ERROR), exceptions.StorageQuotaFull)

    def test_beside_unified_limits(self):
        conf = fakes.make_conf()
        conf.set_override('use_keystone_limits', True)
        conf.set_override('max_queued_images_per_project', 3)
        self.assertEqual({'queued': 3}, make_quotas(conf).limits(None, ('queued', 'storage')))

    def test_zero_is_no_limit(self):
        self.assertIsNone(make_quotas(fakes.make_conf()))
