"""A real service whose images lie in GridFS and in Sheepdog: what clients see, also of failures."""
import os
import pathlib
import shutil
import tempfile
import unittest
import uuid
from unittest import mock

import pymongo

from tests.harness.backend import shared_backend
from tests.harness.server import GlanceServer

CONTENT = os.urandom(3 * 1024 * 1024 + 7)


class Service:
    """Mixin to a TestCase: a service with the stores that ``stores`` describes."""

    @classmethod
    def setUpClass(cls):
        folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        enabled, sections = cls.stores(folder)
        cls.server = cls.enterClassContext(GlanceServer(settings={
            'DEFAULT': {'enabled_backends': enabled}, 'glance_store': {'default_backend': enabled.partition(':')[0]},
            **{'os_glance_%s_store' % name: {'filesystem_store_datadir': folder / name} for name in ('staging', 'tasks')},
            **sections}))

    @classmethod
    def stores(cls, folder: pathlib.Path) -> tuple[str, dict]:
        """The value of ``enabled_backends``, and the sections of the stores."""
        raise NotImplementedError

    def setUp(self):
        self.api = self.server.client()

    def check_life_of_an_image(self, store):
        image_id = self.api.create_image()['id']
        self.assertEqual(204, self.api.upload(image_id, CONTENT, **{'X-Image-Meta-Store': store}).status_code)
        self.assertEqual(('active', len(CONTENT), store), tuple(
            self.api.get('/v2/images/' + image_id).json()[name] for name in ('status', 'size', 'stores')))
        path = '/v2/images/%s/file' % image_id
        self.assertEqual(CONTENT, self.api.get(path).content)
        part = self.api.get(path, headers={'Range': 'bytes=1048570-1048585'})
        self.assertEqual((206, CONTENT[1048570:1048586]), (part.status_code, part.content))
        self.assertEqual(409, self.api.upload(image_id, b'again', **{'X-Image-Meta-Store': store}).status_code)
        self.assertEqual(204, self.api.delete('/v2/images/' + image_id).status_code)

class Served(Service, unittest.TestCase):

    @classmethod
    def stores(cls, folder):
        shutil.copy(pathlib.Path(shared_backend('sheepdog')['SHEEPDOG_BIN']) / 'dog', folder)
        cls.cluster = folder / '127.0.0.1_7000'
        cls.cluster.mkdir()
        cls.enterClassContext(mock.patch.dict(os.environ, {'PATH': '%s:%s' % (folder, os.environ['PATH'])}))
        uri, cls.database = shared_backend('mongodb')['MONGODB_URI'], 'glance-%s' % uuid.uuid4().hex
        cls.client = cls.enterClassContext(pymongo.MongoClient(uri))
        cls.addClassCleanup(cls.client.drop_database, cls.database)
        return 'mongo:gridfs, sheep:sheepdog, away:gridfs', {
            'mongo': {'mongodb_store_uri': '%s/%s?appName=%s' % (uri, cls.database, cls.database)},
            'sheep': {'sheepdog_store_chunk_size': 1},
            'away': {'mongodb_store_uri': 'mongodb://glance:S3CR3T@127.0.0.1:1/x', 'store_connect_timeout': 1,
                     'store_attempts': 1}}

    def test_lives_of_images(self):
        self.check_life_of_an_image('mongo')
        self.check_life_of_an_image('sheep')
        self.assertEqual([], list((self.cluster / 'disks').iterdir()))
        self.assertIsNone(self.client[self.database]['fs.chunks'].find_one())

    def test_full(self):
        (self.cluster / 'capacity').write_text('1000000')
        self.addCleanup((self.cluster / 'capacity').unlink)
        self.client.admin.command('configureFailPoint', 'failCommand', mode={'times': 1}, data={
            'failCommands': ['insert'], 'errorCode': 14031, 'appName': self.database})
        for store in ('mongo', 'sheep'):
            image_id = self.api.create_image()['id']
            answer = self.api.upload(image_id, CONTENT, **{'X-Image-Meta-Store': store})
            self.assertEqual(413, answer.status_code, store)
            self.assertIn('Image storage media is full', answer.text)
            self.assertEqual('queued', self.api.get('/v2/images/' + image_id).json()['status'])

    def test_store_that_is_away(self):
        image_id = self.api.create_image()['id']
        answer = self.api.upload(image_id, CONTENT, **{'X-Image-Meta-Store': 'away'})
        self.assertEqual(503, answer.status_code)
        self.assertIn('Retry-After', answer.headers)
        self.assertNotIn('S3CR3T', answer.text + str(answer.headers))
        self.assertNotIn('S3CR3T', self.server.log_text())
        self.assertEqual('queued', self.api.get('/v2/images/' + image_id).json()['status'])

    def test_details(self):
        stores = {store['id']: store for store in self.api.get('/v2/info/stores/detail').json()['stores']}
        self.assertEqual({'database': self.database}, stores['mongo']['properties'])
        self.assertEqual({'cluster_address': '127.0.0.1:7000', 'chunk_size': 1048576}, stores['sheep']['properties'])
