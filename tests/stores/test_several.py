"""One service with stores of several types: clients choose, copy, move and lose them; a server that dies on the way."""
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import urllib.parse
import uuid

import requests

from glance.store.drivers import s3_client
from tests.functional.api.base import ApiTestCase, stored_files
from tests.harness.backend import shared_backend
from tests.harness.relay import Relay
from tests.stores.test_s3 import make_options

PROGRAMS = pathlib.Path(sys.executable).parent
MIB = 1 << 20
DATA = os.urandom(12 * MIB)


class SeveralStoresTestCase(ApiTestCase):
    """``disk`` (files, the default store) and ``cloud``, the S3 interface of Swift behind a relay that can be cut."""

    @classmethod
    def prepare(cls, server):
        cls.described = shared_backend('swift')
        address = urllib.parse.urlsplit(cls.described['S3_HOST'])
        cls.relay = Relay(address.hostname, address.port)
        cls.addClassCleanup(cls.relay.close)
        cls.bucket = 'glance-%s' % uuid.uuid4().hex
        cls.s3 = s3_client.connect(make_options(cls.described, cls.bucket), 1)
        cls.addClassCleanup(cls.s3.close)
        cls.s3.create_bucket(Bucket=cls.bucket)
        cls.addClassCleanup(cls.remove_bucket)
        server.settings['DEFAULT'].update({'enabled_backends': 'disk:file, cloud:s3', 'show_multiple_locations': True})
        server.settings['glance_store'] = {'default_backend': 'disk'}
        server.settings.update({
            'disk': {'filesystem_store_datadir': server.images},
            'cloud': {'s3_store_host': f'http://127.0.0.1:{cls.relay.port}', 's3_store_bucket': cls.bucket,
                      's3_store_access_key': cls.described['S3_ACCESS_KEY'],
                      's3_store_secret_key': cls.described['S3_SECRET_KEY'], 's3_store_bucket_url_format': 'path',
                      's3_store_large_object_size': 5, 's3_store_large_object_chunk_size': 5, 'weight': 5,
                      'store_idle_timeout': 20},
            'os_glance_staging_store': {'filesystem_store_datadir': server.folder / 'staging'},
            'os_glance_tasks_store': {'filesystem_store_datadir': server.folder / 'tasks'},
        })

    @classmethod
    def remove_bucket(cls):
        for key in cls.objects():
            cls.s3.delete_object(Bucket=cls.bucket, Key=key)
        for upload in cls.uploads():
            cls.s3.abort_multipart_upload(Bucket=cls.bucket, **upload)
        cls.s3.delete_bucket(Bucket=cls.bucket)

    @classmethod
    def objects(cls):
        return [found['Key'] for found in cls.s3.list_objects_v2(Bucket=cls.bucket).get('Contents', ())]

    @classmethod
    def uploads(cls):
        return [{'Key': found['Key'], 'UploadId': found['UploadId']}
                for found in cls.s3.list_multipart_uploads(Bucket=cls.bucket).get('Uploads', ())]

    def setUp(self):
        super().setUp()
        self.relay.mend()
        self.addCleanup(self.relay.mend)

    def openstack(self, *arguments):
        """Run the client of OpenStack; what it printed."""
        variables = {name: value for name, value in os.environ.items() if name in ('PATH', 'LANG', 'LD_LIBRARY_PATH')}
        done = subprocess.run([PROGRAMS / 'openstack', *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=120, env={**variables, 'HOME': str(self.server.folder), 'NO_PROXY': '127.0.0.1',
                                                           'OS_AUTH_TYPE': 'none', 'OS_ENDPOINT': self.server.url})
        self.assertEqual(0, done.returncode, done.stderr)
        return done.stdout

    def relocate(self, action, source, target, image_id, code=0):
        done = self.server.run('glance.cmd.manage', 'store', action, '--from', source, '--to', target, '--image', image_id,
                               '--json')
        self.assertEqual(code, done.returncode, done.stderr + done.stdout)
        return json.loads(done.stdout.splitlines()[0])

    def check_image(self, image_id, stores):
        """The image is where it should be, and nothing is lost."""
        image = self.show(image_id)
        self.assertEqual((stores, 'active', hashlib.sha512(DATA).hexdigest()),
                         (image['stores'], image['status'], image['os_hash_value']))
        self.assertEqual(DATA, self.assertStatus(200, self.download(image_id)).content)

    def create(self):
        """Create an image with the client of OpenStack, in the default store; its id."""
        source = self.server.folder / 'data'
        source.write_bytes(DATA)
        return json.loads(self.openstack('image', 'create', '--file', source, '--disk-format', 'raw', '--container-format',
                                         'bare', '-f', 'json', 'moving'))['id']

    def save(self, image_id):
        """Download an image with the client of OpenStack."""
        target = self.server.folder / 'saved'
        self.openstack('image', 'save', '--file', target, image_id)
        return target.read_bytes()


class SeveralStores(SeveralStoresTestCase):

    def test_the_openstack_client_while_images_move(self):
        image_id = self.create()
        self.check_image(image_id, 'disk')
        self.assertEqual('done', self.relocate('copy', 'disk', 'cloud', image_id)['state'])
        self.check_image(image_id, 'cloud,disk')
        self.openstack('image', 'delete', '--store', 'disk', image_id)
        self.check_image(image_id, 'cloud')
        self.assertNotIn(image_id, stored_files(self.server.images))
        self.assertEqual(DATA, self.save(image_id))
        self.assertEqual('done', self.relocate('move', 'cloud', 'disk', image_id)['state'])
        self.check_image(image_id, 'disk')
        self.assertNotIn(image_id, self.objects())
        self.openstack('image', 'delete', image_id)
        self.assertNotIn(image_id, stored_files(self.server.images))

    def test_a_server_that_dies_during_an_upload(self):
        image_id = self.client.create_image()['id']
        self.relay.cut_after(6 * MIB)
        response = self.assertStatus(503, self.client.upload(image_id, DATA, **{'X-Image-Meta-Store': 'cloud'}))
        self.assertIn('Retry-After', response.headers)
        self.assertEqual('queued', self.show(image_id)['status'])
        self.relay.mend()
        self.assertNotIn(image_id, self.objects())
        self.assertStatus(204, self.client.upload(image_id, DATA, **{'X-Image-Meta-Store': 'cloud'}))
        self.check_image(image_id, 'cloud')
        self.assertStatus(204, self.client.delete(f'/v2/images/{image_id}'))
        self.assertNotIn(image_id, self.objects())

    def test_a_server_that_dies_during_a_download(self):
        image_id = self.client.create_image()['id']
        self.assertStatus(204, self.client.upload(image_id, DATA, **{'X-Image-Meta-Store': 'cloud'}))
        self.relay.cut_after(4 * MIB)
        with self.assertRaises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
            self.download(image_id).content  # noqa: B018
        self.assertStatus(503, self.download(image_id))
        self.relay.mend()
        self.check_image(image_id, 'cloud')

    def test_a_server_that_dies_during_a_copy(self):
        image_id = self.client.create_image(DATA)['id']
        self.relay.cut_after(6 * MIB)
        outcome = self.relocate('move', 'disk', 'cloud', image_id, code=3)
        self.assertEqual('left', outcome['state'])
        self.check_image(image_id, 'disk')
        self.relay.mend()
        self.assertNotIn(image_id, self.objects())
        self.assertEqual('done', self.relocate('move', 'disk', 'cloud', image_id)['state'])
        self.check_image(image_id, 'cloud')
