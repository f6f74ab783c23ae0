"""The Swift driver with segments that are kept in files, in a container of their own, of images spread over containers."""
import tempfile
import unittest

from tests.store_conformance.suite import StoreConformance
from tests.stores import test_swift


class ConformanceOfFiles(test_swift.Container, StoreConformance, unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.settings = {'swift_buffer_on_upload': True, 'swift_upload_buffer_dir': folder.name,
                         'swift_store_multiple_containers_seed': 1, 'memory': 65536}
        super().setUp()
        self.factory.keywords['swift_store_segment_container'] = self.container + '-segments'
        self.store = self.factory()     # that of the suite was made without this option
        self.addCleanup(self.store.close)
