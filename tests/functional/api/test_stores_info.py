"""Which stores there are: ``/v2/info/stores`` and ``/v2/info/stores/detail``."""
from tests.functional.api.base import ApiTestCase

STORES = '/v2/info/stores'


class SeveralStoresTest(ApiTestCase):
    @classmethod
    def prepare(cls, server):
        cls.folders = {name: server.folder / name for name in ('fast', 'cheap')}
        server.settings['DEFAULT']['enabled_backends'] = 'fast:file, cheap:file, web:http'
        server.settings['glance_store'] = {'default_backend': 'fast'}
        server.settings.update({
            'fast': {'filesystem_store_datadir': cls.folders['fast'], 'store_description': 'Quick disks', 'weight': 7},
            'cheap': {'filesystem_store_datadir': cls.folders['cheap'], 'filesystem_thin_provisioning': True},
            'os_glance_staging_store': {'filesystem_store_datadir': server.folder / 'staging'},
            'os_glance_tasks_store': {'filesystem_store_datadir': server.folder / 'tasks'},
        })

    def test_stores(self):
        answer = self.assertStatus(200, self.client.get(STORES)).json()
        self.assertEqual({'stores': [{'id': 'fast', 'description': 'Quick disks', 'default': 'true'}, {'id': 'cheap'},
                                     {'id': 'web', 'read-only': 'true'}]}, answer)

    def test_details(self):
        fast, cheap, web = self.assertStatus(200, self.client.get(STORES + '/detail')).json()['stores']
        self.assertEqual(('file', 7, {'data_dir': str(self.folders['fast']), 'chunk_size': 65536,
                                      'thin_provisioning': False}), (fast['type'], fast['weight'], fast['properties']))
        self.assertEqual((0, True), (cheap['weight'], cheap['properties']['thin_provisioning']))
        self.assertEqual(('http', {}), (web['type'], web['properties']))

    def test_an_upload_goes_where_it_is_told(self):
        image = self.client.create_image()
        headers = {'Content-Type': 'application/octet-stream', 'X-Image-Meta-Store': 'cheap'}
        path = f'/v2/images/{image["id"]}'
        self.assertStatus(204, self.client.request('PUT', path + '/file', data=b'0123456789', headers=headers))
        self.assertEqual('cheap', self.client.get(path).json()['stores'])
        self.assertEqual(b'0123456789', (self.folders['cheap'] / image['id']).read_bytes())
        image = self.client.create_image()
        for name in ('nowhere', 'os_glance_staging_store'):
            self.assertStatus(400, self.client.request(
                'PUT', f'/v2/images/{image["id"]}/file', data=b'x', headers={**headers, 'X-Image-Meta-Store': name}))


class OneStoreTest(ApiTestCase):
    def test_there_is_nothing_to_choose(self):
        self.assertStatus(404, self.client.get(STORES))
        self.assertStatus(404, self.client.get(STORES + '/detail'))
