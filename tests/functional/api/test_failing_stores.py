"""A store that cannot be reached, and one that is configured wrongly, beside one that works."""
import contextlib
import socket
import threading

from glance.store.circuit import FAILURES
from tests.functional.api.base import wait_for
from tests.functional.api.test_several_stores import DATA, StoresTestCase


class Breaking:
    """A server that takes connections and, as the test says, ends them at once or lets them wait."""

    def __init__(self):
        self._listener = socket.create_server(('127.0.0.1', 0))
        self.port = self._listener.getsockname()[1]
        self.connections = 0
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                connection.close()

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


class FailingStores(StoresTestCase):
    """``far`` ends every connection, ``wrong`` lacks an option; both are read before ``fast``."""

    @classmethod
    def prepare(cls, server):
        super().prepare(server)
        cls.far = Breaking()
        cls.addClassCleanup(cls.far.close)
        remote = {'s3_store_bucket': 'b', 's3_store_access_key': 'a', 's3_store_secret_key': 'very-secret', 'weight': 20,
                  'store_attempts': 1, 's3_store_host': f'http://127.0.0.1:{cls.far.port}'}
        server.settings['DEFAULT']['enabled_backends'] = 'fast:file, cheap:file, far:s3, wrong:s3'
        server.settings['far'] = remote
        server.settings['wrong'] = {**remote, 's3_store_bucket': ''}
        server.settings['metrics'] = {'enabled': True}

    def samples(self, name):
        """Values of a metric by the store they are of."""
        lines = self.assertStatus(200, self.client.get('/metrics')).text.splitlines()
        found = (line.removeprefix(name).rpartition(' ') for line in lines if line.startswith(name + '{'))
        return {labels.partition('store="')[2].partition('"')[0]: float(value) for labels, _, value in found}

    def assertUnavailable(self, response):
        self.assertStatus(503, response)
        self.assertGreater(int(response.headers['Retry-After']), 0)
        self.assertIn('store', response.text)
        self.assertNotIn('very-secret', response.text)
        self.assertNotIn('127.0.0.1', response.text)

    def elsewhere(self, store, image_id):
        """Let an image have a location in a remote store as well."""
        url = f's3+http://127.0.0.1:{self.far.port}/b/{image_id}' if store == 'far' else f's3://x/y/{image_id}'
        self.add_location(image_id, url, {'store': store})

    def test_the_start_does_not_wait_and_others_work(self):
        self.assertEqual(['fast', 'cheap', 'far', 'wrong'],
                         [store['id'] for store in self.client.get('/v2/info/stores').json()['stores']])
        log = self.server.log_text()
        self.assertIn('[wrong] s3_store_bucket', log)
        self.assertIn(str(self.server.config_file), log)
        self.assertNotIn('very-secret', log)
        self.assertEqual(DATA, self.download(self.client.create_image(DATA)['id']).content)

    def test_uploads(self):
        for store in ('far', 'wrong'):
            image_id = self.client.create_image()['id']
            self.assertUnavailable(self.client.upload(image_id, DATA, **{'X-Image-Meta-Store': store}))
            self.assertEqual('queued', self.show(image_id)['status'])
            self.assertStatus(204, self.client.upload(image_id, DATA))

    def test_downloads_and_removals(self):
        image_id = self.image('fast')
        self.elsewhere('far', image_id)
        self.elsewhere('wrong', image_id)
        self.assertEqual('far,wrong,fast', self.stores(image_id))
        for _ in range(FAILURES + 2):
            self.assertEqual(DATA, self.assertStatus(200, self.download(image_id)).content)
            part = self.client.get(f'/v2/images/{image_id}/file', headers={'Range': 'bytes=2-4'}, params={'prefer': 'wrong'})
            self.assertEqual(b'234', self.assertStatus(206, part).content)
        for store in ('far', 'wrong'):
            self.assertUnavailable(self.client.delete(f'/v2/stores/{store}/{image_id}'))
        self.assertEqual({'far', 'wrong', 'fast'}, set(self.stores(image_id).split(',')))
        (self.folders['fast'] / image_id).unlink()
        self.assertUnavailable(self.download(image_id))

    def test_a_store_that_fails_again_and_again_is_left_alone(self):
        image_id = self.image('fast')
        self.elsewhere('far', image_id)
        for _ in range(FAILURES):
            self.assertStatus(200, self.download(image_id))
        wait_for('the circuit', lambda: self.samples('glance_stores_unavailable').get('far') == 1)
        self.assertGreaterEqual(self.samples('glance_store_failures_total')['far'], FAILURES)
        self.assertIn('Store far cannot be used; it is left alone for a while.', self.server.log_text())
        asked = self.far.connections
        self.assertStatus(200, self.download(image_id))
        # One may try every 15 seconds, and that could be this one.
        self.assertLessEqual(self.far.connections, asked + 1)

    def test_copies(self):
        image_id = self.image('fast')
        done = self.server.run('glance.cmd.manage', 'store', 'copy', '--from', 'fast', '--to', 'far', '--image', image_id)
        self.assertEqual(3, done.returncode, done.stderr)
        self.assertIn('left: ', done.stdout)
        self.assertNotIn('os_glance_import_task', self.show(image_id))
        self.assertEqual('fast', self.stores(image_id))
        done = self.server.run('glance.cmd.manage', 'store', 'copy', '--from', 'fast', '--to', 'wrong', '--all')
        self.assertEqual(1, done.returncode)
        self.assertIn('--to wrong', done.stderr)


class DefaultStore(StoresTestCase):
    """The start, which the class leaves to the tests."""

    @classmethod
    def setUpClass(cls):
        cls.server = cls.new_server()

    def test_a_wrong_option_ends_it(self):
        self.server.settings['fast']['filesystem_store_datadirs'] = '/x:high'
        self.server.settings['fast']['filesystem_store_datadir'] = ''
        self.server.sync_database()
        self.server.launch()
        self.assertEqual(3, self.server.process.wait(60), self.server.log_text())
        self.assertIn('[fast] filesystem_store_datadirs', self.server.log_text())
        self.assertIn(str(self.server.config_file), self.server.log_text())
