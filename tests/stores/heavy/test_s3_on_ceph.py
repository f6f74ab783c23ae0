"""The S3 driver against the gateway of Ceph."""
import unittest

from tests.store_conformance.suite import StoreConformance
from tests.stores import test_s3


class ConformanceOnCeph(test_s3.Bucket, StoreConformance, unittest.TestCase):
    server = 'ceph'


class PartsOnCeph(test_s3.Parts):
    server = 'ceph'
