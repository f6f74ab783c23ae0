"""What leaves the service in an event, and what does not."""
import datetime
import json
import unittest

from glance.domain.image import Image, Location
from glance.domain.member import Member
from glance.notify import payloads

CREATED = datetime.datetime(2024, 2, 29, 1, 2, 3, 999999)
UPDATED = datetime.datetime(2024, 3, 1, 0, 0, 0)
NOW = datetime.datetime(2025, 12, 31, 23, 59, 59, 1)

PAYLOAD = {
    'id': 'i', 'name': 'cirros', 'status': 'active', 'created_at': '2024-02-29T01:02:03Z',
    'updated_at': '2024-03-01T00:00:00Z', 'min_disk': 1, 'min_ram': 2, 'protected': True, 'checksum': 'c',
    'os_hash_algo': 'sha512', 'os_hash_value': 'h', 'owner': 'o', 'disk_format': 'qcow2', 'container_format': 'bare',
    'size': 10, 'virtual_size': 20, 'is_public': False, 'visibility': 'shared', 'os_hidden': True,
    'properties': {'os_type': 'linux', 'empty': None}, 'tags': ['t'], 'deleted': False, 'deleted_at': None,
}


def image(**values):
    values = {
        'name': 'cirros', 'status': 'active', 'created_at': CREATED, 'updated_at': UPDATED, 'min_disk': 1, 'min_ram': 2,
        'protected': True, 'checksum': 'c', 'os_hash_algo': 'sha512', 'os_hash_value': 'h', 'owner': 'o',
        'disk_format': 'qcow2', 'container_format': 'bare', 'size': 10, 'virtual_size': 20, 'os_hidden': True,
        'tags': ['t'], 'extra_properties': {'os_type': 'linux', 'empty': None, 'os_glance_import_task': 'secret'},
        'locations': [Location('swift+https://user:secret@host/c/o', {'store': 'secret'})], 'member': 'secret',
        **values}
    return Image('i', **values)


def membership():
    return Member('i', 'm', 'pending', CREATED, UPDATED)


class ImageTest(unittest.TestCase):
    maxDiff = None

    def test_every_field(self):
        self.assertEqual(PAYLOAD, payloads.of_image(image()))

    def test_a_new_image(self):
        payload = payloads.of_image(Image('i', created_at=CREATED, updated_at=CREATED))
        self.assertEqual(set(PAYLOAD), set(payload))
        for name in ('name', 'checksum', 'os_hash_algo', 'os_hash_value', 'owner', 'disk_format', 'container_format',
                     'size', 'virtual_size'):
            self.assertIsNone(payload[name], name)
        self.assertEqual(({}, []), (payload['properties'], payload['tags']))

    def test_public_is_said_twice(self):
        for visibility in ('public', 'private', 'shared', 'community'):
            payload = payloads.of_image(image(visibility=visibility))
            self.assertEqual((visibility, visibility == 'public'), (payload['visibility'], payload['is_public']))

    def test_neither_locations_nor_what_is_internal_leaves(self):
        for make in (payloads.of_image, payloads.of_uploaded_image, lambda of: payloads.of_prepared_image(of, 'fast'),
                     lambda of: payloads.of_deleted_image(of, NOW),
                     lambda of: payloads.of_sent_image(of, 1, 'p', 'u')):
            text = json.dumps(make(image()))
            self.assertNotIn('secret', text)
            self.assertNotIn('os_glance_import_task', text)

    def test_the_payload_is_of_its_moment(self):
        changing = image()
        payload = payloads.of_image(changing)
        changing.tags.append('later')
        changing.extra_properties['later'] = 'v'
        changing.status = 'deleted'
        self.assertEqual(PAYLOAD, payload)

    def test_deleted(self):
        self.assertEqual({**PAYLOAD, 'deleted': True, 'deleted_at': '2025-12-31T23:59:59Z'},
                         payloads.of_deleted_image(image(), NOW))

    def test_uploads(self):
        lists = {'os_glance_importing_to_stores': [], 'os_glance_failed_import': []}
        self.assertEqual({**PAYLOAD, **lists}, payloads.of_uploaded_image(image()))
        self.assertEqual({**PAYLOAD, **lists}, payloads.of_prepared_image(image(), None))
        self.assertEqual({**PAYLOAD, **lists, 'backend': 'fast'}, payloads.of_prepared_image(image(), 'fast'))

    def test_the_stores_of_an_import(self):
        payload = payloads.of_uploaded_image(image(extra_properties={
            'os_glance_importing_to_stores': 'fast,slow', 'os_glance_failed_import': ''}))
        self.assertEqual((['fast', 'slow'], [], {}), (
            payload['os_glance_importing_to_stores'], payload['os_glance_failed_import'], payload['properties']))

    def test_sent(self):
        expected = {'bytes_sent': 7, 'image_id': 'i', 'owner_id': 'o', 'receiver_tenant_id': 'p', 'receiver_user_id': 'u'}
        self.assertEqual(expected, payloads.of_sent_image(image(), 7, 'p', 'u'))
        self.assertEqual({**expected, 'destination_ip': '192.0.2.1'},
                         payloads.of_sent_image(image(), 7, 'p', 'u', '192.0.2.1'))


class MemberTest(unittest.TestCase):

    def test_members(self):
        expected = {'image_id': 'i', 'member_id': 'm', 'status': 'pending', 'created_at': '2024-02-29T01:02:03Z',
                    'updated_at': '2024-03-01T00:00:00Z', 'deleted': False, 'deleted_at': None}
        self.assertEqual(expected, payloads.of_member(membership()))
        self.assertEqual({**expected, 'deleted': True, 'deleted_at': '2025-12-31T23:59:59Z'},
                         payloads.of_deleted_member(membership(), NOW))
