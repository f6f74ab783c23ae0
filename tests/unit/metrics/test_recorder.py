"""What is told, and how it is shown."""
import os
import shutil
import tempfile
import unittest

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from glance import exceptions
from glance.metrics import recorder
from glance.metrics.exposition import Page
from glance.store.base import Reader
from glance.transfer.body import ReaderBody
from tests.unit.layers import fakes

OPENMETRICS = 'application/openmetrics-text; version=1.0.0'


class RecorderTest(unittest.TestCase):

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='glance-test-')
        self.addCleanup(shutil.rmtree, self.folder)
        self.metrics = recorder.Recorder(self.folder)
        self.addCleanup(self.metrics.close)
        self.backlog = 5
        self.page = Page(self.folder, '1.2.3', lambda: self.backlog)

    def samples(self):
        """All samples by their names and labels, the latter sorted by name."""
        text, _ = self.page.render(OPENMETRICS)
        return {(sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
                for family in text_string_to_metric_families(text.decode()) for sample in family.samples}

    def test_stores(self):
        for store in ('far', 'far', 'near'):
            self.metrics.store_failed(store)
        self.metrics.store_switched('far', available=False)
        samples = self.samples()
        self.assertEqual((2, 1, 1), (samples['glance_store_failures_total', 'far'], samples['glance_store_failures_total', 'near'],
                                     samples['glance_stores_unavailable', 'far']))
        self.metrics.store_switched('far', available=True)
        self.assertEqual(0, self.samples()['glance_stores_unavailable', 'far'])

    def test_requests(self):
        for status, seconds in (('200', 0.001), ('200', 0.002), ('404', 0.3), ('500', 1000)):
            self.metrics.request_served('/v2/images', 'GET', status, seconds)
        samples = self.samples()
        self.assertEqual(2, samples['glance_requests_total', 'GET', '/v2/images', '200'])
        self.assertEqual(1, samples['glance_requests_total', 'GET', '/v2/images', '404'])
        name, labels = 'glance_request_duration_seconds', ('GET', '/v2/images')
        self.assertEqual(1000.303, samples[name + '_sum', *labels])
        self.assertEqual(4, samples[name + '_count', *labels])
        buckets = {le: samples[name + '_bucket', le, *labels] for le in ('0.002', '0.25', '0.5', '600.0', '+Inf')}
        self.assertEqual({'0.002': 2, '0.25': 2, '0.5': 3, '600.0': 3, '+Inf': 4}, buckets)

    def test_methods_are_limited(self):
        for number in range(3):
            self.metrics.request_served('(none)', 'M%d' % number, '501', 0)
        self.assertEqual(3, self.samples()['glance_requests_total', 'other', '(none)', '501'])

    def test_transfer(self):
        with self.metrics.transfer('in', 'fast') as transfer:
            transfer.reach(10)
            transfer.reach(15)
            samples = self.samples()
            self.assertEqual(15, samples['glance_data_bytes_total', 'in', 'fast'])
            self.assertEqual(1, samples['glance_active_transfers', 'in', 'fast'])
        self.assertEqual(0, self.samples()['glance_active_transfers', 'in', 'fast'])

    def test_failed_transfer(self):
        with self.assertRaises(exceptions.StoreFull), self.metrics.transfer('in', 'fast') as transfer:
            transfer.reach(7)
            raise exceptions.StoreFull()
        samples = self.samples()
        self.assertEqual((7, 0), (samples['glance_data_bytes_total', 'in', 'fast'],
                                  samples['glance_active_transfers', 'in', 'fast']))

    def test_sending(self):
        body = ReaderBody(fakes.Reader(b'0123456789'))
        self.assertIsInstance(body.reader, Reader)
        self.metrics.sending(body, 'slow')
        self.assertEqual(1, self.samples()['glance_active_transfers', 'out', 'slow'])
        self.assertEqual(b'0123456789', b''.join(body))
        body.close()
        samples = self.samples()
        self.assertEqual((10, 0), (samples['glance_data_bytes_total', 'out', 'slow'],
                                   samples['glance_active_transfers', 'out', 'slow']))

    def test_single_counts(self):
        self.metrics.cache_lookup(hit=True)
        self.metrics.cache_lookup(hit=False)
        self.metrics.cache_lookup(hit=False)
        self.metrics.quota_refused('storage')
        samples = self.samples()
        self.assertEqual((1, 2, 1), (samples['glance_cache_lookups_total', 'hit'],
                                     samples['glance_cache_lookups_total', 'miss'],
                                     samples['glance_quota_refusals_total', 'storage']))

    def test_what_the_service_is(self):
        samples = self.samples()
        self.assertEqual((1, 1, 5), (samples['glance_build_info', '1.2.3'], samples['glance_workers',],
                                     samples['glance_scrub_backlog_images',]))

    def test_a_backlog_that_is_not_known_is_left_out(self):
        self.backlog = None
        self.assertNotIn(('glance_scrub_backlog_images',), self.samples())

    def test_older_format(self):
        text, content_type = self.page.render('text/plain')
        self.assertTrue(content_type.startswith('text/plain'))
        self.assertIn(b'glance_workers 1.0', text)


class ConfigurationTest(unittest.TestCase):

    def setUp(self):
        self.conf = fakes.make_conf()

    def test_off(self):
        metrics = recorder.from_conf(self.conf)
        metrics.request_served('/v2/images', 'GET', '200', 0.1)
        with metrics.transfer('in', 'file') as transfer:
            transfer.reach(1)
        with recorder.common_folder(self.conf):
            self.assertIsNone(self.conf.metrics.directory)
        metrics.close()

    def test_on_without_a_folder(self):
        self.conf.set_override('enabled', True, 'metrics')
        with self.assertRaisesRegex(exceptions.ConfigurationError, r'needs \[metrics\] directory'):
            recorder.from_conf(self.conf)

    def test_a_server_makes_a_folder_and_removes_it(self):
        self.conf.set_override('enabled', True, 'metrics')
        with recorder.common_folder(self.conf):
            folder = self.conf.metrics.directory
            self.assertEqual(0o700, os.stat(folder).st_mode & 0o777)
            recorder.from_conf(self.conf).close()
        self.assertFalse(os.path.exists(folder))

    def test_the_folder_of_the_operator_stays(self):
        folder = os.path.join(fakes.temporary_directory(self), 'a', 'b')
        self.conf.set_override('enabled', True, 'metrics')
        self.conf.set_override('directory', folder, 'metrics')
        with recorder.common_folder(self.conf):
            recorder.from_conf(self.conf).close()
        self.assertTrue(os.path.isdir(folder))
