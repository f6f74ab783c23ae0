"""Images in volumes through the API: stores of the service's volumes and of the callers', behind a real Keystone."""
import os
import unittest
import uuid

from tests.harness.keystone import shared_keystone
from tests.harness.server import GlanceServer
from tests.store_conformance.suite import MIB
from tests.stores.heavy.test_cinder import VolumeType, make_options


class ThroughTheService(VolumeType, unittest.TestCase):
    """A glance-api with a store of the service's volumes and one of the callers', behind Keystone."""

    def setUp(self):
        super().setUp()
        self.keystone = shared_keystone()
        common = {'cinder_volume_type': self.volume_type.name, 'rootwrap_config': f'{self.folder}/rootwrap.conf',
                  'cinder_mount_point_base': f'{self.folder}/mnt'}
        service = {name: value for name, value in vars(make_options(self.described, self.folder, None)).items()
                   if name.startswith('cinder_store_') and value is not None}
        self.server = GlanceServer(flavor='keystone', settings={
            **self.keystone.glance_settings(),
            'DEFAULT': {'enabled_backends': 'service:cinder,callers:cinder', 'show_multiple_locations': True}, 'glance_store': {'default_backend': 'service'},
            'service': {**common, **service}, 'callers': common,
            'os_glance_staging_store': {'filesystem_store_datadir': f'{self.folder}/staging'},
            'os_glance_tasks_store': {'filesystem_store_datadir': f'{self.folder}/tasks'}})
        self.addCleanup(self.server.cleanup)
        self.server.start()

    def test_upload_download_delete(self):
        content = os.urandom(MIB + 1)
        demo = self.server.client(self.keystone.token('demo'))
        for store, owner in (('service', None), ('callers', self.keystone.project_id('demo'))):
            image = demo.post('/v2/images', json={'disk_format': 'raw', 'container_format': 'bare', 'visibility': 'shared'}).json()
            path = '/v2/images/%s' % image['id']
            answer = demo.put(path + '/file', data=content, headers={'X-Image-Meta-Store': store,
                                                                     'Content-Type': 'application/octet-stream'})
            self.assertEqual((204, ''), (answer.status_code, answer.text))
            [volume] = [each for each in self.volumes() if each.metadata['glance_image_id'] == image['id']]
            if owner is not None:
                self.assertEqual(owner, getattr(volume, 'os-vol-tenant-attr:tenant_id'))
            self.assertEqual((len(content), store), tuple(demo.get(path).json()[name] for name in ('size', 'stores')))
            self.assertEqual(content, demo.get(path + '/file').content)
            part = demo.get(path + '/file', headers={'Range': 'bytes=1000-1999'})
            self.assertEqual((206, content[1000:2000]), (part.status_code, part.content))
            self.assertEqual(204, demo.delete(path).status_code)
        self.assertEqual(set(), self.pieces())
        self._check_snapshots(demo)
        told = self.server.client(self.keystone.token('admin')).get('/v2/info/stores/detail').json()['stores']
        self.assertEqual([{'volume_type': self.volume_type.name, 'use_multipath': False}] * 2,
                         [store['properties'] for store in told])
        log = self.server.log_text()
        for secret in (self.described['CINDER_PASSWORD'], 'auth_username', self.keystone.token('demo')):
            self.assertEqual([], [line[:300] for line in log.splitlines() if secret in line])


    def _check_snapshots(self, demo):
        """What Cinder does when it makes an image of a volume in a store of volumes: a patch with the token of the user."""
        for made_for_it, expected in ((False, 403), (True, 200)):
            image_id = demo.post('/v2/images', json={'disk_format': 'raw', 'container_format': 'bare'}).json()['id']
            writer = self.factory().writer(image_id if made_for_it else str(uuid.uuid4()))
            writer.write(memoryview(b'content'))
            url = writer.commit().url.replace('cinder://cinder/', 'cinder://service/')
            change = [{'op': 'add', 'path': '/locations/-', 'value': {'url': url, 'metadata': {}}}]
            answer = demo.patch('/v2/images/' + image_id, change)
            self.assertEqual(expected, answer.status_code, answer.text)
        self.assertEqual(b'content', demo.get(f'/v2/images/{image_id}/file').content)
