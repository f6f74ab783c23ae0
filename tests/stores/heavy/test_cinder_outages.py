"""A Cinder that cannot be reached any more while an image is transferred, and comes back."""
import os
import unittest
import urllib.parse

from tests.functional.api.base import uploading, wait_for
from tests.harness.relay import Relay
from tests.harness.server import GlanceServer
from tests.store_conformance.suite import MIB
from tests.stores.heavy.test_cinder import VolumeType, make_options

DATA = os.urandom(32 * MIB)


class CinderOutages(VolumeType, unittest.TestCase):
    """A service without Keystone in front, with volumes of its own, that reaches Cinder through a relay."""

    def setUp(self):
        super().setUp()
        address = urllib.parse.urlsplit(self.described['CINDER_URL'])
        self.relay = Relay(address.hostname, address.port)
        self.addCleanup(self.relay.close)
        options = {name: value for name, value in vars(make_options(self.described, self.folder, self.volume_type.name)).items()
                   if name.startswith(('cinder_', 'rootwrap_')) and value is not None}
        self.server = GlanceServer(settings={
            'DEFAULT': {'enabled_backends': 'volumes:cinder'}, 'glance_store': {'default_backend': 'volumes'},
            'volumes': {**options, 'cinder_endpoint_template': f'http://127.0.0.1:{self.relay.port}{address.path}',
                        'cinder_http_retries': 1},
            'os_glance_staging_store': {'filesystem_store_datadir': f'{self.folder}/staging'},
            'os_glance_tasks_store': {'filesystem_store_datadir': f'{self.folder}/tasks'}})
        self.addCleanup(self.server.cleanup)
        self.server.start()
        self.client = self.server.client()

    def show(self, image_id):
        return self.client.get('/v2/images/' + image_id).json()

    def upload(self, image_id):
        return self.client.upload(image_id, DATA).status_code == 204

    def check_image(self, image_id):
        path = f'/v2/images/{image_id}/file'
        self.assertEqual(DATA, wait_for('download', lambda: (
            answer := self.client.get(path)).status_code == 200 and answer.content))

    def test_outage_during_an_upload(self):
        image_id = self.client.create_image()['id']
        upload = uploading(self, image_id, len(DATA), DATA[:MIB])
        wait_for('volume', lambda: any(volume.status == 'in-use' for volume in self.volumes()))
        self.relay.cut()
        upload.send(DATA[MIB:])
        response = upload.response()
        self.assertEqual(503, response.status, response.text)
        self.assertIn('Retry-After', response.headers)
        self.assertEqual('queued', self.show(image_id)['status'])
        self.assertEqual(1, len(self.pieces()))
        self.relay.mend()
        wait_for('upload', lambda: self.upload(image_id))
        self.check_image(image_id)
        wait_for('sweep', lambda: self.factory().sweep(0) or len(self.pieces()) == 1)
        self.assertEqual(204, self.client.delete('/v2/images/' + image_id).status_code)
        self.assertEqual(set(), self.pieces())

    def test_outage_during_a_download(self):
        image_id = self.client.create_image(DATA)['id']
        response = self.client.get(f'/v2/images/{image_id}/file', stream=True)
        content = response.raw.read(MIB)
        self.relay.cut()
        # The data comes from the volume itself; only letting go of that takes Cinder.
        self.assertEqual(DATA, content + response.raw.read())
        answer = self.client.get(f'/v2/images/{image_id}/file')
        self.assertEqual(503, answer.status_code)
        self.assertIn('Retry-After', answer.headers)
        self.relay.mend()
        self.check_image(image_id)
        wait_for('removal', lambda: self.client.delete('/v2/images/' + image_id).status_code == 204)
        self.assertEqual(set(), self.pieces())
