"""The image cache over HTTP: who gets what from it, how often the store is asked, and what its own calls say."""
import concurrent.futures
import hashlib
import os
import signal
import threading
import uuid

import requests

from tests.functional.api.base import ApiTestCase, RawResponse, exchange, raw_request, wait_for
from tests.harness.server import GlanceServer
from tests.harness.web import WebServer

MIB = 1024 * 1024
SETTINGS = {
    'DEFAULT': {'show_multiple_locations': True},
    'glance_store': {'stores': 'file,http'},
    'import_filtering_opts': {'allowed_networks': '[127.0.0.0/8]', 'allowed_ports': '[]'},
    'paste_deploy': {'flavor': 'keystone+cachemanagement'},
}


class Gate:
    """Serves the first half of an object at once and the rest when it is opened."""

    def __init__(self, web: WebServer, path: str, data: bytes):
        self.opened = threading.Event()
        self._data = data
        web.answers[path] = self._answer

    def _answer(self, handler) -> None:
        half = len(self._data) // 2
        handler.send_response(200)
        handler.send_header('Content-Length', str(len(self._data)))
        handler.end_headers()
        if handler.command == 'GET':
            try:
                handler.wfile.write(self._data[:half])
                handler.wfile.flush()
                self.opened.wait(60)
                handler.wfile.write(self._data[half:])
            except OSError:
                handler.close_connection = True


class CacheTestCase(ApiTestCase):
    """A server with a cache, and a web server that keeps the data of its images."""

    PROJECTS = True
    SETTINGS = SETTINGS

    @classmethod
    def prepare(cls, server: GlanceServer) -> None:
        cls.cache = server.folder / 'cache'
        server.settings['DEFAULT']['image_cache_dir'] = cls.cache

    def setUp(self):
        super().setUp()
        self.owner = self.caller('p-owner')
        self.web = self.enterContext(WebServer())

    def sibling(self, **options) -> GlanceServer:
        """Another service on the same records, with other options in ``[DEFAULT]``; not started."""
        other = GlanceServer(self.server.database)
        settings = self.server.settings
        other.settings = {**settings, 'DEFAULT': {**settings['DEFAULT'], **options}}
        return other

    def image(self, data: bytes, digest: str | None = None, **attributes) -> str:
        """An image whose data is on the web server, under a path that is its id."""
        image_id = self.owner.create_image(id=str(uuid.uuid4()), **attributes)['id']
        self.web.put('/' + image_id, data)
        value = {'url': self.web.url('/' + image_id), 'metadata': {}, 'validation_data': {
            'checksum': hashlib.md5(data).hexdigest(), 'os_hash_algo': 'sha512',
            'os_hash_value': digest or hashlib.sha512(data).hexdigest()}}
        self.assertStatus(200, self.owner.patch(f'/v2/images/{image_id}', [
            {'op': 'add', 'path': '/locations/-', 'value': value}]))
        return image_id

    def cached(self) -> dict[str, dict]:
        listed = self.assertStatus(200, self.client.get('/v2/cache')).json()
        return {entry['image_id']: entry for entry in listed['cached_images']}

    def fetches(self, image_id: str) -> int:
        return [(method, path) for method, path, _ in self.web.requests].count(('GET', '/' + image_id))

    def cached_image(self, data: bytes, **attributes) -> str:
        """An image that is in the cache; the store is not asked for it any more."""
        image_id = self.image(data, **attributes)
        self.assertEqual(data, self.assertStatus(200, self.owner.get(f'/v2/images/{image_id}/file')).content)
        wait_for('entry', lambda: image_id in self.cached())
        self.web.requests.clear()
        return image_id


class TestServing(CacheTestCase):
    WORKERS = 2

    def test_misses_at_once_fetch_once(self):
        data = os.urandom(6 * MIB)
        image_id = self.image(data)
        gate = Gate(self.web, '/' + image_id, data)
        self.web.requests.clear()
        begun = threading.Barrier(9)

        def download() -> bytes:
            response = requests.get(f'{self.server.url}/v2/images/{image_id}/file', headers=self.owner.session.headers,
                                    stream=True, timeout=60)
            pieces = response.iter_content(65536)
            first = next(pieces)
            begun.wait(60)
            return first + b''.join(pieces)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            downloads = [pool.submit(download) for _ in range(8)]
            # Everybody, at either worker, has the beginning while the store still holds back the end.
            begun.wait(60)
            self.assertNotIn(image_id, self.cached())
            gate.opened.set()
            self.assertEqual([True] * 8, [each.result() == data for each in downloads])
        self.assertEqual(1, self.fetches(image_id))
        entry = wait_for('entry', lambda: self.cached().get(image_id))
        self.assertEqual(len(data), entry['size'])

    def test_hits_and_ranges_come_from_the_cache(self):
        data = os.urandom(3 * MIB)
        image_id = self.cached_image(data)
        whole = self.assertStatus(200, self.owner.get(f'/v2/images/{image_id}/file'))
        self.assertEqual((data, str(len(data)), hashlib.md5(data).hexdigest()), (
            whole.content, whole.headers['Content-Length'], whole.headers['Content-MD5']))
        for text, first, last in (('bytes=5-99', 5, 99), (f'bytes={MIB}-', MIB, len(data) - 1), ('bytes=-7', len(data) - 7, len(data) - 1)):
            part = self.assertStatus(206, self.owner.get(f'/v2/images/{image_id}/file', headers={'Range': text}))
            self.assertEqual((data[first:last + 1], f'bytes {first}-{last}/{len(data)}'),
                             (part.content, part.headers['Content-Range']))
        self.assertStatus(416, self.owner.get(f'/v2/images/{image_id}/file', headers={'Range': f'bytes={len(data)}-'}))
        head = self.assertStatus(200, self.owner.request('HEAD', f'/v2/images/{image_id}/file'))
        self.assertEqual((str(len(data)), whole.headers['ETag']), (head.headers['Content-Length'], head.headers['ETag']))
        self.assertEqual([], self.web.requests)
        wait_for('four hits', lambda: self.cached()[image_id]['hits'] == 4)
        self.assertEqual(0, self.fetches(image_id))

    def test_heads_and_ranges_do_not_fill_the_cache(self):
        data = os.urandom(MIB)
        image_id = self.image(data)
        self.assertStatus(200, self.owner.request('HEAD', f'/v2/images/{image_id}/file'))
        self.assertStatus(206, self.owner.get(f'/v2/images/{image_id}/file', headers={'Range': 'bytes=0-9'}))
        self.assertNotIn(image_id, self.cached())

    def test_who_may_not_read_an_image_does_not_get_it_from_the_cache(self):
        image_id = self.cached_image(b'secret', visibility='private')
        path = f'/v2/images/{image_id}/file'
        callers = {404: self.caller('p-other'), 403: self.caller('p-owner', roles='reader')}
        for status, caller in callers.items():
            for method, headers in (('GET', {}), ('GET', {'Range': 'bytes=0-1'}), ('HEAD', {})):
                response = self.assertStatus(status, caller.request(method, path, headers=headers))
                self.assertNotIn(b'se', response.content)
        self.assertStatus(204, self.owner.post(f'/v2/images/{image_id}/actions/deactivate'))
        for method, headers in (('GET', {}), ('GET', {'Range': 'bytes=0-1'}), ('HEAD', {})):
            self.assertStatus(403, self.owner.request(method, path, headers=headers))
        self.assertEqual(0, self.fetches(image_id))
        # Administrators look at what the store has.
        self.assertEqual(b'secret', self.assertStatus(200, self.client.get(path)).content)
        self.assertEqual(1, self.fetches(image_id))
        self.assertStatus(204, self.owner.post(f'/v2/images/{image_id}/actions/reactivate'))
        self.assertEqual(b'secret', self.assertStatus(200, self.owner.get(path)).content)
        self.assertEqual(1, self.fetches(image_id))

    def test_other_forms_of_the_path_reach_nothing(self):
        image_id = self.cached_image(b'secret')
        headers = {name: value for name, value in self.owner.session.headers.items() if name.startswith('X-')}
        for path in (f'/v2//images/{image_id}/file', f'/v2/images/{image_id}/file/', f'/v2/images/{image_id}%2Ffile',
                     f'/v2/images/{image_id};x=y/file', f'/v2/images/{image_id.upper()}/file', f'/v2/images/{image_id}//file'):
            response: RawResponse = exchange(self.server.port, raw_request('GET', path, headers))
            self.assertEqual(404, response.status, path)
            self.assertNotIn(b'secret', response.data)

    def test_data_that_is_not_that_of_the_image_breaks_the_transfer(self):
        image_id = self.image(os.urandom(4 * MIB), digest='0' * 128)
        with self.assertRaises(requests.RequestException):
            self.owner.get(f'/v2/images/{image_id}/file')
        self.assertNotIn(image_id, self.cached())
        wait_for('refusal', lambda: (self.cache / 'invalid' / image_id).exists())
        self.assertStatus(200, self.client.post('/v2/cache/clean'))
        self.assertEqual([], os.listdir(self.cache / 'invalid'))

    def test_damaged_entries_are_replaced_by_the_store(self):
        def flip(path):
            with path.open('r+b') as file:
                file.seek(100)
                file.write(b'!')
        for damage in (flip, lambda path: os.truncate(path, 100), os.unlink):
            data = b'x' * MIB
            image_id = self.cached_image(data)
            damage(self.cache / image_id)
            for _ in range(3):
                self.assertEqual(data, self.assertStatus(200, self.owner.get(f'/v2/images/{image_id}/file')).content)

    def test_a_deleted_image_leaves_the_cache(self):
        image_id = self.cached_image(b'data')
        self.assertStatus(204, self.owner.delete(f'/v2/images/{image_id}'))
        self.assertNotIn(image_id, self.cached())
        self.assertFalse((self.cache / image_id).exists())

    def test_killed_workers_leave_a_cache_that_works(self):
        data = os.urandom(4 * MIB)
        image_id = self.image(data)
        gate = Gate(self.web, '/' + image_id, data)
        response = requests.get(f'{self.server.url}/v2/images/{image_id}/file', headers=self.owner.session.headers,
                                stream=True, timeout=60)
        next(response.iter_content(65536))
        self.assertTrue((self.cache / 'incomplete' / image_id).exists())
        for _ in range(2):
            self.server.kill_worker(signal.SIGKILL)
        gate.opened.set()
        del self.web.answers['/' + image_id]
        with self.assertRaises(requests.RequestException):
            response.raw.read(len(data), decode_content=False)
            raise requests.ConnectionError
        self.assertEqual(data, self.assertStatus(200, self.owner.get(f'/v2/images/{image_id}/file')).content)
        wait_for('entry', lambda: image_id in self.cached())
        wait_for('nothing incomplete', lambda: not os.listdir(self.cache / 'incomplete'))

    def test_a_directory_that_vanishes_keeps_nobody_from_the_data(self):
        image_id = self.cached_image(b'data')
        hidden = self.cache.with_name('elsewhere')
        self.cache.rename(hidden)
        try:
            for _ in range(2):
                self.assertEqual(b'data', self.assertStatus(200, self.owner.get(f'/v2/images/{image_id}/file')).content)
            for method, path in (('GET', '/v2/cache'), ('POST', '/v2/cache/prune'), ('GET', '/v2/cached_images')):
                self.assertStatus(503, self.client.request(method, path))
        finally:
            hidden.rename(self.cache)
        self.assertIn(image_id, self.cached())


class TestTwoServices(CacheTestCase):
    """Two services on one directory."""

    def test_they_share_it(self):
        with self.sibling() as other:
            there = other.client(headers=dict(self.owner.session.headers))
            data = os.urandom(4 * MIB)
            image_id = self.image(data)
            gate = Gate(self.web, '/' + image_id, data)
            self.web.requests.clear()
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                downloads = [pool.submit(client.get, f'/v2/images/{image_id}/file') for client in (self.owner, there) * 2]
                wait_for('fill', lambda: (self.cache / 'incomplete' / image_id).exists())
                gate.opened.set()
                self.assertEqual([True] * 4, [each.result().content == data for each in downloads])
            self.assertEqual(1, self.fetches(image_id))
            wait_for('entry', lambda: image_id in self.cached())
            before = self.cached()[image_id]['hits']
            for client in (self.owner, there):
                self.assertEqual(data, client.get(f'/v2/images/{image_id}/file').content)
            wait_for('hits of both', lambda: self.cached()[image_id]['hits'] == before + 2)
            self.assertEqual(1, self.fetches(image_id))
            self.assertStatus(204, self.client.delete('/v2/cache'))
            admin = other.client(headers=dict(self.client.session.headers))
            self.assertEqual([], admin.get('/v2/cache').json()['cached_images'])


class TestCalls(CacheTestCase):

    def test_the_calls_are_for_administrators(self):
        image_id = self.image(b'data', visibility='community')
        calls = [('GET', '/v2/cache'), ('PUT', f'/v2/cache/{image_id}'), ('DELETE', f'/v2/cache/{image_id}'),
                 ('DELETE', f'/v2/cache/{uuid.uuid4()}'), ('DELETE', '/v2/cache'), ('POST', '/v2/cache/clean'),
                 ('POST', '/v2/cache/prune'), ('GET', f'/v2/cache/nodes/{image_id}')]
        calls += [(method, f'/{version}/{path}') for version in ('v1', 'v2') for method, path in (
            ('GET', 'cached_images'), ('DELETE', 'cached_images'), ('DELETE', f'cached_images/{image_id}'),
            ('GET', 'queued_images'), ('DELETE', 'queued_images'), ('PUT', f'queued_images/{image_id}'),
            ('DELETE', f'queued_images/{image_id}'))]
        for roles in ('member,reader', 'reader', 'service'):
            caller = self.caller('p-owner', roles=roles)
            for method, path in calls:
                with self.subTest(roles=roles, call=f'{method} {path}'):
                    self.assertEqual(404 if roles == 'service' and method == 'PUT' and path.startswith('/v2/cache/') else 403,
                                     caller.request(method, path).status_code)

    def test_an_image_is_fetched_and_removed(self):
        image_id = self.image(b'data')
        response = self.assertStatus(202, self.client.put(f'/v2/cache/{image_id}'))
        self.assertEqual((b'', '0'), (response.content, response.headers['Content-Length']))
        entry = wait_for('entry', lambda: self.cached().get(image_id))
        self.assertEqual({'image_id', 'hits', 'last_accessed', 'last_modified', 'size'}, entry.keys())
        self.assertEqual((4, 0), (entry['size'], entry['hits']))
        wait_for('queue', lambda: self.client.get('/v2/cache').json()['queued_images'] == [])
        fetches = self.fetches(image_id)
        self.assertStatus(202, self.client.put(f'/v2/cache/{image_id}'))
        self.assertEqual(fetches, self.fetches(image_id))
        for _ in range(2):
            self.assertStatus(204, self.client.delete(f'/v2/cache/{image_id}'))
        self.assertNotIn(image_id, self.cached())

    def test_what_cannot_be_done_is_refused(self):
        queued, image_id = self.owner.create_image()['id'], self.image(b'data')
        for status, method, path, arguments in (
                (404, 'PUT', '/v2/cache/nope', {}), (404, 'PUT', f'/v2/cache/{uuid.uuid4()}', {}),
                (400, 'PUT', f'/v2/cache/{queued}', {}), (404, 'DELETE', f'/v2/cache/{uuid.uuid4()}', {}),
                (404, 'DELETE', '/v2/cache/cache.db', {}), (404, 'DELETE', '/v2/cache/incomplete', {}),
                (404, 'DELETE', '/v2/cached_images/cache.db', {}), (404, 'DELETE', '/v2/cached_images/%2e%2e', {}),
                (404, 'PUT', '/v2/queued_images/..%2f..%2fx', {}), (409, 'GET', f'/v2/cache/nodes/{image_id}', {}),
                (400, 'DELETE', '/v2/cache', {'headers': {'x-image-cache-clear-target': 'everything'}}),
                (400, 'GET', '/v2/cache', {'json': {}}), (400, 'PUT', f'/v2/cache/{image_id}', {'json': {}}),
                (400, 'POST', '/v2/cache/prune', {'json': {}}), (400, 'DELETE', '/v2/cache', {'json': {}}),
                (405, 'POST', '/v2/cache', {}), (405, 'GET', f'/v2/cache/{image_id}', {}), (405, 'GET', '/v2/cache/nodes', {}),
                (404, 'POST', '/v2/cached_images', {}), (404, 'GET', f'/v2/cached_images/{image_id}', {})):
            with self.subTest(call=f'{method} {path}'):
                self.assertStatus(status, self.client.request(method, path, **arguments))
        self.assertTrue((self.cache / 'cache.db').exists())

    def test_clearing(self):
        waiting = self.owner.create_image()['id']
        for target, left in (('cache', (0, 1)), ('QUEUE', (1, 0)), ('both', (0, 0)), ('', (0, 0)), (None, (0, 0))):
            self.client.delete('/v2/cache')
            image_id = self.cached_image(b'data')
            self.assertStatus(200, self.client.put(f'/v2/queued_images/{waiting}'))
            headers = {} if target is None else {'x-image-cache-clear-target': target}
            self.assertStatus(204, self.client.delete('/v2/cache', headers=headers))
            listed = self.client.get('/v2/cache').json()
            self.assertEqual(left, (len(listed['cached_images']), len(listed['queued_images'])), target)
            self.assertStatus(204, self.owner.delete(f'/v2/images/{image_id}'))

    def test_classic_routes(self):
        self.client.delete('/v2/cache')
        waiting, image_id = self.owner.create_image()['id'], self.cached_image(b'data')
        for version in ('/v1', '/v2'):
            def call(method, path, version=version):
                return self.assertStatus(200, self.client.request(method, f'{version}/{path}')).json()
            self.assertEqual([image_id], [entry['image_id'] for entry in call('GET', 'cached_images')['cached_images']])
            self.assertIsNone(call('PUT', f'queued_images/{waiting}'))
            self.assertIsNone(call('PUT', f'queued_images/{image_id}'))
            self.assertEqual({'queued_images': [waiting]}, call('GET', 'queued_images'))
            self.assertIsNone(call('DELETE', f'queued_images/{waiting}'))
            self.assertIsNone(call('DELETE', f'queued_images/{uuid.uuid4()}'))
            self.assertIsNone(call('PUT', f'queued_images/{waiting}'))
            self.assertEqual({'num_deleted': 1}, call('DELETE', 'queued_images'))
            self.assertIsNone(call('DELETE', f'cached_images/{uuid.uuid4()}'))
        self.assertEqual({'num_deleted': 1}, call('DELETE', 'cached_images'))
        image_id = self.cached_image(b'data')
        self.assertIsNone(call('DELETE', f'cached_images/{image_id}'))
        self.assertEqual({'cached_images': []}, call('GET', 'cached_images'))
        # The rest of v1 is off.
        self.assertStatus(300, self.client.get('/v1/images'))

    def test_a_queued_image_is_fetched_once_it_is_active(self):
        self.web.put('/late', b'late')
        image_id = self.owner.create_image()['id']
        self.assertStatus(200, self.client.put(f'/v2/queued_images/{image_id}'))
        self.assertStatus(200, self.owner.patch(f'/v2/images/{image_id}', [
            {'op': 'add', 'path': '/locations/-', 'value': {'url': self.web.url('/late'), 'metadata': {}}}]))
        result = self.server.run('glance.cmd.cache_prefetcher')
        self.assertEqual(0, result.returncode, result.stderr)
        self.assertIn(image_id, self.cached())


class TestCentralized(CacheTestCase):
    """Two nodes whose books are in the database."""

    DATABASE = 'mysql'
    SETTINGS = {**SETTINGS, 'DEFAULT': {**SETTINGS['DEFAULT'], 'image_cache_driver': 'centralized_db',
                                        'worker_self_reference_url': 'http://node1:9292'}}

    def test_nodes_that_have_an_image(self):
        image_id = self.cached_image(b'data')
        entry = self.cached()[image_id]
        self.assertEqual({'image_id', 'hits', 'last_accessed', 'last_modified', 'size', 'id', 'checksum'}, entry.keys())
        folder = self.cache.with_name('cache-of-another-node')
        with self.sibling(worker_self_reference_url='http://node2:9292', image_cache_dir=folder) as other:
            admin = other.client(headers=dict(self.client.session.headers))
            self.assertEqual([], admin.get('/v2/cache').json()['cached_images'])
            self.assertEqual(['http://node1:9292'], admin.get(f'/v2/cache/nodes/{image_id}').json())
            self.assertEqual(b'data', admin.get(f'/v2/images/{image_id}/file').content)
            wait_for('entry of both', lambda: ['http://node1:9292', 'http://node2:9292'] == self.client.get(
                f'/v2/cache/nodes/{image_id}').json())
        self.assertStatus(404, self.client.get(f'/v2/cache/nodes/{uuid.uuid4()}'))


class TestWithoutCache(ApiTestCase):
    PROJECTS = True

    def test_there_is_none(self):
        image_id = self.client.create_image(b'data')['id']
        for method, path in (('GET', '/v2/cache'), ('PUT', f'/v2/cache/{image_id}'), ('PUT', f'/v2/cache/{uuid.uuid4()}'),
                             ('DELETE', f'/v2/cache/{uuid.uuid4()}'), ('DELETE', f'/v2/cache/{image_id}'), ('DELETE', '/v2/cache'),
                             ('POST', '/v2/cache/clean'), ('POST', '/v2/cache/prune'), ('GET', f'/v2/cache/nodes/{image_id}'),
                             ('GET', '/v2/cached_images'), ('PUT', f'/v2/queued_images/{image_id}')):
            self.assertStatus(404, self.client.request(method, path))
        self.assertStatus(300, self.client.get('/v1/cached_images'))
        self.assertStatus(403, self.caller('p').get('/v2/cache'))
        offered = {version['id'] for version in self.client.get('/versions').json()['versions']}
        self.assertEqual(set(), offered & {'v2.14', 'v2.16', 'v2.18'})
