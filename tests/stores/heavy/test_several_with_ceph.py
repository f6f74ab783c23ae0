"""Images that go round files, S3, Swift and Ceph while one service runs."""
import swiftclient

from tests.functional.api.base import stored_files
from tests.harness.backend import shared_backend
from tests.stores.test_several import SeveralStoresTestCase


class SeveralStoresWithCeph(SeveralStoresTestCase):
    """Besides ``disk`` and ``cloud`` there are ``objects``, Swift by its own interface, and ``pool``, in a Ceph cluster."""

    @classmethod
    def prepare(cls, server):
        super().prepare(server)
        ceph = shared_backend('ceph')
        server.settings['DEFAULT']['enabled_backends'] += ', objects:swift, pool:rbd'
        server.settings['objects'] = {
            'swift_store_auth_address': cls.described['SWIFT_AUTH'], 'swift_store_user': cls.described['SWIFT_USER'],
            'swift_store_key': cls.described['SWIFT_KEY'], 'swift_store_auth_version': 1, 'weight': 7,
            'swift_store_container': cls.bucket + '-own', 'swift_store_create_container_on_put': True}
        cls.swift = swiftclient.Connection(cls.described['SWIFT_AUTH'], cls.described['SWIFT_USER'], cls.described['SWIFT_KEY'])
        cls.addClassCleanup(cls.swift.close)
        cls.addClassCleanup(cls.swift.delete_container, cls.bucket + '-own')
        server.settings['pool'] = {'rbd_store_ceph_conf': ceph['CEPH_CONF'], 'rbd_store_pool': ceph['CEPH_POOL'],
                                   'rbd_store_user': ceph['CEPH_USER'], 'rbd_store_chunk_size': 4, 'weight': 9}

    def test_round_trip(self):
        image_id = self.create()
        for source, target in (('disk', 'pool'), ('pool', 'objects'), ('objects', 'cloud'), ('cloud', 'objects'),
                               ('objects', 'pool'), ('pool', 'disk')):
            self.assertEqual('done', self.relocate('move', source, target, image_id)['state'], target)
            self.check_image(image_id, target)
        self.assertEqual('done', self.relocate('copy', 'disk', 'pool', image_id)['state'])
        self.assertEqual('done', self.relocate('copy', 'pool', 'objects', image_id)['state'])
        self.check_image(image_id, 'pool,objects,disk')
        self.openstack('image', 'delete', '--store', 'pool', image_id)
        self.check_image(image_id, 'objects,disk')
        self.assertEqual(self.assertStatus(200, self.download(image_id)).content, self.save(image_id))
        self.openstack('image', 'delete', image_id)
        self.assertNotIn(image_id, self.objects())
        self.assertNotIn(image_id, stored_files(self.server.images))

    def test_uploads_to_each(self):
        for store in ('disk', 'cloud', 'objects', 'pool'):
            image_id = self.client.create_image()['id']
            self.addCleanup(self.client.delete, f'/v2/images/{image_id}')
            self.assertStatus(204, self.client.upload(image_id, self.sample, **{'X-Image-Meta-Store': store}))
            self.assertEqual(store, self.show(image_id)['stores'])
            self.assertEqual(self.sample, self.download(image_id).content)

    sample = bytes(range(256)) * 4096
