"""``user_storage_quota`` on every database: no number of uploads at once gets more than it."""
import concurrent.futures
import os

import psutil
import sqlalchemy as sa

from tests.functional.api.base import ApiTestCase, Upload, on_every_database, stored_files, wait_for

MIB = 1024 * 1024
UPLOADS = 50
IDENTITY = {'X-Identity-Status': 'Confirmed', 'X-Roles': 'member,reader', 'X-User-Id': 'u'}


class QuotaTestCase(ApiTestCase):
    """Each test is a project of its own."""

    PROJECTS = True
    WORKERS = 2

    def setUp(self):
        super().setUp()
        self.project = 'project-of-' + self._testMethodName
        self.user = self.caller(self.project)

    def create(self, user=None) -> str:
        return (user or self.user).create_image()['id']

    def assertUpload(self, expected, image_id, body, user=None, **headers):
        return self.assertStatus(expected, (user or self.user).upload(image_id, body, **headers))

    def assertRefused(self, image_id, body, *numbers):
        text = self.assertUpload(413, image_id, body).text
        for number in numbers:
            self.assertIn(f' {number} ', text)
        self.assertEqual('queued', self.show(image_id)['status'])

    def stored(self) -> int:
        """Bytes of the project's images, as the records and as the files say."""
        images = self.user.get('/v2/images', params={'limit': 100, 'owner': self.project}).json()['images']
        active = {image['id']: image['size'] for image in images if image['status'] == 'active'}
        mine = {image['id'] for image in images}
        files = [name for name in stored_files(self.server.images) if any(image_id in name for image_id in mine)]
        self.assertEqual(sorted(active), files)
        self.assertEqual(sum(active.values()), sum(os.path.getsize(self.server.images / name) for name in files))
        return sum(active.values())


@on_every_database
class TestStorm(QuotaTestCase):
    """Ten times the quota at once."""

    SETTINGS = {'DEFAULT': {'user_storage_quota': '5MB'}}

    def storm(self, body, size):
        ids = [self.create() for _ in range(UPLOADS)]

        def upload(image_id):
            return self.caller(self.project).upload(image_id, body()).status_code
        with concurrent.futures.ThreadPoolExecutor(UPLOADS) as pool:
            statuses = list(pool.map(upload, ids))
        self.assertEqual({204, 413}, set(statuses))
        self.assertLessEqual(self.stored(), 5 * MIB)
        self.assertEqual(statuses.count(204) * size, self.stored())
        self.assertEqual(['active' if status == 204 else 'queued' for status in statuses],
                         [self.show(image_id)['status'] for image_id in ids])
        return statuses.count(204)

    def test_announced_sizes(self):
        self.assertEqual(5, self.storm(lambda: b'x' * MIB, MIB))
        self.assertRefused(self.create(), b'x', 5 * MIB, 1, 0)

    def test_unknown_sizes(self):
        won = self.storm(lambda: iter([b'x' * 65536] * 16), MIB)
        # Those that were refused kept nothing: the rest of the quota can be used.
        for _ in range(5 - won):
            self.assertUpload(204, self.create(), iter([b'x' * MIB]))
        self.assertEqual(5 * MIB, self.stored())
        self.assertRefused(self.create(), iter([b'x']), 5 * MIB, 1, 0)


class TestSmallQuota(QuotaTestCase):
    SETTINGS = {'DEFAULT': {'user_storage_quota': '5KB'}}

    def test_to_the_byte(self):
        for body in (lambda size: b'x' * size, lambda size: iter([b'x' * (size - 1), b'x'])):
            image_id = self.create()
            self.assertRefused(image_id, body(5121), 5120, 5121, 0)
            self.assertUpload(204, image_id, body(5120))
            self.assertEqual(5120, self.stored())
            self.assertRefused(self.create(), body(2), 5120, 0)
            self.assertStatus(204, self.user.delete(f'/v2/images/{image_id}'))
            self.assertEqual(0, self.stored())

    def test_the_owner_pays(self):
        other = self.caller('other-payer')
        image_id = self.create()
        self.assertUpload(413, image_id, b'x' * 5121, self.client)
        self.assertUpload(204, image_id, b'x' * 5120, self.client)
        self.assertRefused(self.create(), b'x', 5120)
        self.assertUpload(204, self.create(other), b'x' * 5120, other)

    def test_usage_is_empty_without_unified_limits(self):
        response = self.assertStatus(200, self.user.get('/v2/info/usage'))
        self.assertEqual({'usage': {}}, response.json())


class SlowUpload(QuotaTestCase):
    """With uploads that the server works on while others come."""

    SETTINGS = {'DEFAULT': {'user_storage_quota': '5MB'}}

    def uploading(self, image_id, length) -> Upload:
        upload = Upload(self.server, image_id, length, **IDENTITY, **{'X-Project-Id': self.project})
        self.addCleanup(upload.disconnect)
        upload.send(b'x' * MIB)
        wait_for('saving', lambda: self.show(image_id)['status'] == 'saving')
        return upload

    def reserved(self, image_id) -> int:
        """Bytes that are set aside for an upload."""
        engine = sa.create_engine(self.server.database.url, poolclass=sa.pool.NullPool)
        with engine.connect() as connection:
            return connection.scalar(sa.text('SELECT storage FROM image_leases WHERE image_id = :id'), {'id': image_id})


class TestReservations(SlowUpload):

    def test_an_upload_reserves_what_it_announced(self):
        first, second = self.create(), self.create()
        upload = self.uploading(first, 4 * MIB)
        self.assertRefused(second, b'x' * (MIB + 1), 4 * MIB, MIB + 1, MIB)
        self.assertUpload(204, second, b'x' * MIB)
        upload.send(b'x' * (3 * MIB))
        self.assertEqual(204, upload.finish().status)
        self.assertEqual(5 * MIB, self.stored())

    def test_an_upload_of_unknown_size_reserves_what_has_come(self):
        image_id = self.create()
        upload = self.uploading(image_id, None)
        # Another upload would be no way to find out: until the first bytes are reserved it takes the room from them.
        wait_for('its first bytes', lambda: self.reserved(image_id) >= MIB)
        self.assertUpload(413, self.create(), b'x' * (4 * MIB + 1))
        self.assertUpload(204, self.create(), b'x' * (3 * MIB))
        upload.send(b'x' * MIB)
        self.assertEqual(204, upload.finish().status)
        self.assertRefused(self.create(), b'x', 5 * MIB, 0)

    def test_an_upload_that_breaks_the_quota_keeps_nothing(self):
        first, second = self.create(), self.create()
        upload = self.uploading(first, None)
        self.assertUpload(204, second, b'x' * (3 * MIB))
        upload.send(b'x' * MIB)
        upload.send(b'x')
        self.assertEqual(413, upload.finish().status)
        self.assertEqual(3 * MIB, self.stored())
        self.assertUpload(204, first, b'x' * (2 * MIB))

    def test_what_a_client_that_went_away_had_reserved_is_free_again(self):
        upload, second = self.uploading(self.create(), 5 * MIB), self.create()
        self.assertRefused(second, b'x', 5 * MIB)
        upload.disconnect()
        wait_for('room', lambda: self.user.upload(second, b'x' * (5 * MIB)).status_code == 204)

    def test_deleting_an_image_during_its_upload_leaves_nothing_uncharged(self):
        """OSSA-2015-003."""
        for length in (4 * MIB, None):
            first, second = self.create(), self.create()
            upload = self.uploading(first, length)
            self.assertStatus(204, self.user.delete(f'/v2/images/{first}'))
            self.assertUpload(204, second, b'x' * (5 * MIB))
            upload.send(b'x' * (3 * MIB))
            self.assertEqual(410, upload.finish().status)
            self.assertEqual(5 * MIB, self.stored())
            self.assertStatus(204, self.user.delete(f'/v2/images/{second}'))


class TestKilledWorker(SlowUpload):
    WORKERS = 1

    def test_what_it_had_reserved_is_free_again(self):
        first, second = self.create(), self.create()
        self.uploading(first, 5 * MIB)
        self.assertRefused(second, b'x', 5 * MIB)
        worker = psutil.Process(self.server.process.pid).children()[0]
        worker.kill()
        psutil.wait_procs([worker], timeout=60)
        self.client, self.user = self.caller('admin', roles='admin,member,reader'), self.caller(self.project)
        wait_for('recovery', lambda: self.show(first)['status'] == 'queued')
        self.assertUpload(204, second, b'x' * (5 * MIB))


class TestFlood(QuotaTestCase):
    """Images that are created and never get data (OSSN-0076)."""

    SETTINGS = {'DEFAULT': {'max_queued_images_per_project': 3, 'user_storage_quota': '1MB'}}

    def test_no_more_than_allowed_wait_for_data(self):
        def create(_):
            return self.caller(self.project).post('/v2/images', json={'disk_format': 'raw', 'container_format': 'bare'})
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            responses = list(pool.map(create, range(12)))
        self.assertEqual([201] * 3 + [413] * 9, sorted(response.status_code for response in responses))
        refusal = next(response for response in responses if response.status_code == 413)
        self.assertIn('3 images without data; at most 3', refusal.text)
        first, second, _ = (response.json()['id'] for response in responses if response.status_code == 201)
        self.create(self.caller('neighbour-of-' + self.project))
        self.assertUpload(204, first, b'x')
        self.create()
        self.assertStatus(413, create(0))
        self.assertStatus(204, self.user.delete(f'/v2/images/{second}'))
        self.create()
        self.assertStatus(413, create(0))


class TestRate(QuotaTestCase):
    WORKERS = 1
    SETTINGS = {'DEFAULT': {'api_create_rate': 0.01}}

    def test_too_much_in_too_short_a_time(self):
        self.create()
        refusal = self.assertStatus(429, self.user.post('/v2/images', json={}))
        self.assertTrue(90 <= int(refusal.headers['Retry-After']) <= 100, refusal.headers)
        self.assertIn('try again in', refusal.text)
        self.create(self.caller('neighbour-of-' + self.project))
        self.assertStatus(403, self.caller(self.project, roles='reader').post('/v2/images', json={}))


class TestExpiry(QuotaTestCase):
    WORKERS = 1
    SETTINGS = {'DEFAULT': {'queued_image_ttl': 3600}}

    def test_images_that_waited_too_long_are_gone_after_a_start(self):
        old, active, new = self.create(), self.create(), self.create()
        self.assertUpload(204, active, b'x')
        engine = sa.create_engine(self.server.database.url)
        self.addCleanup(engine.dispose)
        with engine.begin() as connection:
            connection.execute(sa.text("UPDATE images SET updated_at = '2020-01-01 00:00:00.000000' WHERE id != :id"), {'id': new})
        self.server.stop()
        self.server.start()
        self.client = self.caller('admin', roles='admin,member,reader')
        wait_for('expiry', lambda: self.client.get(f'/v2/images/{old}').status_code == 404)
        self.assertEqual(('active', 'queued'), (self.show(active)['status'], self.show(new)['status']))


class TestNoQuota(QuotaTestCase):

    def test_uploads_of_any_size(self):
        for body in (b'x' * MIB, iter([b'x' * MIB])):
            self.assertUpload(204, self.create(), body)
        self.assertEqual({'usage': {}}, self.user.get('/v2/info/usage').json())
