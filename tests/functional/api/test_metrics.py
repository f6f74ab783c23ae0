"""``/metrics`` of a real service: several workers, of which any answers for all."""
import signal
import unittest

import psutil
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.functional.api.base import ApiTestCase, exchange, raw_request, uploading, wait_for
from tests.harness.server import RegistryServer

MIB = 1 << 20


class MetricsTest(ApiTestCase):

    WORKERS = 2
    SETTINGS = {'DEFAULT': {'user_storage_quota': '3MB', 'delayed_delete': True, 'image_tag_quota': 1},
                'metrics': {'enabled': True}}

    def samples(self, **headers) -> dict[tuple[str, ...], float]:
        """What the service shows: by name and labels, the latter sorted by their names."""
        headers = {'Accept': 'application/openmetrics-text', 'Connection': 'close', **headers}
        response = self.assertStatus(200, self.server.client().get('/metrics', headers=headers))
        self.assertRegex(response.headers['Content-Type'], '^application/openmetrics-text')
        return {(sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
                for family in text_string_to_metric_families(response.text) for sample in family.samples}

    def assertGrowth(self, expected: dict[tuple[str, ...], float], action) -> None:
        """The action makes these numbers greater by so much, soon after its last response."""
        before = self.samples()
        action()

        def growth() -> dict[tuple[str, ...], float]:
            after = self.samples()
            return {key: after.get(key, 0) - before.get(key, 0) for key in expected}
        wait_for(f'growth by {expected}', lambda: all(grown >= expected[key] for key, grown in growth().items()))
        self.assertEqual(expected, growth())

    def test_requests_are_counted_by_route_whichever_worker_serves_them(self):
        image = self.client.create_image()

        def requests():
            for _ in range(20):  # connections of their own, so that both workers get some
                self.assertStatus(200, self.server.client().get(f'/v2/images/{image["id"]}'))
            self.assertStatus(404, self.client.get('/v2/images/00000000-0000-0000-0000-000000000000'))
            self.assertStatus(404, self.client.get('/v2/no/such/thing'))
            self.assertStatus(200, self.client.get('/healthcheck'))
            self.assertStatus(300, self.client.get('/'))
        route = '/v2/images/{image_id}'
        self.assertGrowth({
            ('glance_requests_total', 'GET', route, '200'): 20,
            ('glance_requests_total', 'GET', route, '404'): 1,
            ('glance_requests_total', 'GET', '/v2', '404'): 1,
            ('glance_requests_total', 'GET', '/healthcheck', '200'): 1,
            ('glance_requests_total', 'GET', '/versions', '300'): 1,
            ('glance_request_duration_seconds_count', 'GET', route): 21,
            ('glance_request_duration_seconds_bucket', '+Inf', 'GET', route): 21,
        }, requests)
        everything = self.samples()
        self.assertEqual(2, everything['glance_workers',])
        self.assertNotIn(image['id'], str(everything))

    def test_bytes(self):
        def there_and_back():
            image = self.client.create_image(b'x' * MIB)
            self.assertEqual(MIB, len(self.download(image['id']).content))
            self.assertStatus(206, self.download(image['id'], Range='bytes=0-99'))
            self.assertStatus(200, self.client.request('HEAD', f'/v2/images/{image["id"]}/file'))
            self.assertStatus(204, self.client.delete(f'/v2/images/{image["id"]}'))
        self.assertGrowth({
            ('glance_data_bytes_total', 'in', 'file'): MIB,
            ('glance_data_bytes_total', 'out', 'file'): MIB + 100,
            ('glance_active_transfers', 'in', 'file'): 0,
            ('glance_active_transfers', 'out', 'file'): 0,
            ('glance_scrub_backlog_images',): 1,
        }, there_and_back)

    def test_transfers_under_way(self):
        image = self.client.create_image()
        key = ('glance_active_transfers', 'in', 'file')
        upload = uploading(self, image['id'], MIB)
        self.assertEqual(1, self.samples()[key])
        upload.disconnect()
        wait_for('the end of the upload', lambda: self.samples()[key] == 0)

    def test_quota_refusals(self):
        image = self.client.create_image()

        def too_much():
            self.assertStatus(413, self.client.upload(image['id'], b'x' * 4 * MIB))
            self.assertStatus(413, self.client.post('/v2/images', json={'tags': ['a', 'b']}))
        self.assertGrowth({('glance_quota_refusals_total', 'storage'): 1, ('glance_quota_refusals_total', 'tags'): 1},
                          too_much)

    def test_counts_outlive_workers_and_reloads(self):
        key = ('glance_requests_total', 'GET', '/v2/images', '200')
        for _ in range(10):
            self.assertStatus(200, self.server.client().get('/v2/images'))
        before = wait_for('all of them', lambda: (count := self.samples().get(key, 0)) >= 10 and count)
        self.server.kill_worker()
        wait_for('two workers', lambda: self.samples()['glance_workers',] == 2)
        self.assertEqual(before, self.samples()[key])
        former = [psutil.Process(pid) for pid in self.server.workers()]
        self.server.send_signal(signal.SIGHUP)
        psutil.wait_procs(former, timeout=60)
        samples = self.samples()
        self.assertEqual((before, 2), (samples[key], samples['glance_workers',]))

    def test_only_for_direct_peers(self):
        for headers in ({'X-Forwarded-For': '127.0.0.1'}, {'Forwarded': 'for=127.0.0.1'}, {'Via': '1.1 proxy'}):
            response = self.assertStatus(403, self.client.get('/metrics', headers=headers))
            self.assertNotIn('glance_', response.text)
        self.assertStatus(405, self.client.post('/metrics'))

    def test_head_and_other_formats(self):
        self.assertEqual(b'', self.assertStatus(200, self.client.request('HEAD', '/metrics')).content)
        answer = exchange(self.server.port, raw_request('GET', '/metrics'))
        self.assertRegex(answer.headers['content-type'], '^text/plain')
        self.assertIn(b'# TYPE glance_requests_total counter', answer.body)


class RestrictedTest(ApiTestCase):

    SETTINGS = {'metrics': {'enabled': True, 'allowed_networks': '192.0.2.0/24'}}

    def test_foreign_networks_are_refused(self):
        self.assertStatus(403, self.client.get('/metrics'))


class OffTest(ApiTestCase):

    def test_the_page_does_not_exist(self):
        self.assertStatus(300, self.client.get('/metrics'))


class RegistryTest(unittest.TestCase):

    def test_the_registry_has_the_same_page(self):
        with RegistryServer(settings={'metrics': {'enabled': True}}) as registry:
            client = registry.client()
            client.post('/rpc', json=[])
            text = client.get('/metrics').text
            self.assertIn('glance_workers 1.0', text)
            self.assertRegex(text, r'glance_requests_total{method="POST",route="/rpc",status="[0-9]+"} 1\.0')
