"""The unified limits of a real Keystone: who is charged, what is refused and what is told."""
import concurrent.futures
import unittest

from tests.functional.api.base import wait_for
from tests.harness.keystone import shared_keystone
from tests.harness.server import GlanceServer

MIB = 1024 * 1024
DEFAULTS = {'image_size_total': 5, 'image_stage_total': 3, 'image_count_total': 8, 'image_count_uploading': -1}
OWN = {'image_size_total': 2, 'image_count_total': 2}       # of the project demo


class LimitsTestCase(unittest.TestCase):
    """A server and a region of its own for a class, so that its limits are nobody else's."""

    LIMITS = DEFAULTS
    SETTINGS: dict[str, dict[str, object]] = {}
    DATABASE = 'sqlite'

    @classmethod
    def setUpClass(cls):
        cls.keystone = shared_keystone()
        cls.region = cls.keystone.publish_image_endpoint('http://127.0.0.1:9292')
        cls.addClassCleanup(cls.keystone.withdraw_image_endpoint, cls.region)
        cls.addClassCleanup(cls.keystone.withdraw_limits, cls.region)
        if cls.LIMITS:
            cls.keystone.register_limits(cls.region, **cls.LIMITS)
            cls.keystone.set_project_limits(cls.region, cls.keystone.project_id('demo'), **OWN)
        limits = cls.keystone.limits_settings(cls.region)
        settings = {**cls.keystone.glance_settings(), 'DEFAULT': {**limits['DEFAULT'], **cls.SETTINGS.get('DEFAULT', {})},
                    'oslo_limit': {**limits['oslo_limit'], **cls.SETTINGS.get('oslo_limit', {})}}
        cls.server = GlanceServer(cls.DATABASE, flavor='keystone', settings=settings, workers=2)
        cls.addClassCleanup(cls.server.cleanup)
        cls.server.start()

    def setUp(self):
        self.admin, self.demo, self.alt = (self.client(user) for user in ('admin', 'demo', 'alt'))
        self.addCleanup(self.delete_everything)

    def client(self, user):
        return self.server.client(self.keystone.token(user))

    def delete_everything(self):
        for image in self.admin.get('/v2/images?limit=100').json()['images']:
            self.admin.delete(f'/v2/images/{image["id"]}')

    def assertStatus(self, expected, response):
        self.assertEqual(expected, response.status_code, f'{response.request.method} {response.request.path_url}: '
                                                         f'{response.text[:300]}\n{self.server.log_text()[-2000:]}')
        return response

    def assertOver(self, name, limit, usage, delta, user, response):
        text = self.assertStatus(413, response).text
        self.assertIn(f'{name} is over limit of {limit} due to current usage {usage} and delta {delta}', text)
        self.assertIn(self.keystone.project_id(user), text)

    def post(self, client, **values):
        return client.post('/v2/images', json={'disk_format': 'raw', 'container_format': 'bare', **values})

    def usage(self, client):
        return self.assertStatus(200, client.get('/v2/info/usage')).json()['usage']


class TestLimits(LimitsTestCase):

    def test_number_of_images(self):
        first, _ = (self.assertStatus(201, self.post(self.demo)).json()['id'] for _ in range(2))
        self.assertOver('image_count_total', 2, 2, 1, 'demo', self.post(self.demo))
        for _ in range(3):
            self.assertStatus(201, self.post(self.alt))
        # Who creates an image for somebody else does not pay for it.
        self.assertOver('image_count_total', 2, 2, 1, 'demo', self.post(self.admin, owner=self.keystone.project_id('demo')))
        self.assertStatus(204, self.demo.delete(f'/v2/images/{first}'))
        self.assertStatus(201, self.post(self.demo))

    def test_bytes(self):
        self.alt.create_image(b'x' * (3 * MIB))
        for body in (b'x' * (3 * MIB), iter([b'x' * MIB] * 3)):
            image_id = self.alt.create_image()['id']
            response = self.alt.upload(image_id, body)
            self.assertStatus(413, response)
            self.assertIn('image_size_total is over limit of 5 due to current usage 3 and delta 3', response.text)
            wait_for('queued', lambda image_id=image_id: self.alt.get(f'/v2/images/{image_id}').json()['status'] == 'queued')
        self.assertStatus(204, self.alt.upload(image_id, b'x' * (2 * MIB)))

    def test_the_owner_is_charged_when_an_administrator_uploads(self):
        image_id = self.demo.create_image()['id']
        self.assertOver('image_size_total', 2, 0, 3, 'demo', self.admin.upload(image_id, b'x' * (2 * MIB + 1)))
        self.assertStatus(204, self.admin.upload(image_id, b'x' * (2 * MIB)))
        self.assertEqual({'usage': 2, 'limit': 2}, self.usage(self.demo)['image_size_total'])

    def test_usage(self):
        self.assertEqual({name: {'usage': 0, 'limit': limit} for name, limit in DEFAULTS.items()}, self.usage(self.alt))
        self.alt.create_image(b'x' * MIB)
        self.alt.create_image()
        usage = {'image_size_total': 1, 'image_stage_total': 0, 'image_count_total': 2, 'image_count_uploading': 0}
        self.assertEqual({name: {'usage': usage[name], 'limit': limit} for name, limit in DEFAULTS.items()},
                         self.usage(self.alt))
        self.assertEqual({name: {'usage': 0, 'limit': limit} for name, limit in {**DEFAULTS, **OWN}.items()},
                         self.usage(self.demo))

    def test_many_uploads_at_once_keep_the_limit(self):
        for body in (lambda: b'x' * MIB, lambda: iter([b'x' * MIB])):
            ids = [self.alt.create_image()['id'] for _ in range(8)]
            token = self.keystone.token('alt')
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                statuses = list(pool.map(
                    lambda image_id: self.server.client(token).upload(image_id, body()).status_code, ids))
            self.assertEqual({204, 413}, set(statuses))
            self.assertEqual(statuses.count(204), self.usage(self.alt)['image_size_total']['usage'])
            self.assertLessEqual(statuses.count(204), 5)
            self.delete_everything()

    def test_many_new_images_at_once_keep_the_limit(self):
        token = self.keystone.token('alt')
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            statuses = list(pool.map(lambda _: self.post(self.server.client(token)).status_code, range(20)))
        self.assertEqual((8, 12), (statuses.count(201), statuses.count(413)))


class TestLimitsOnMySQL(TestLimits):
    DATABASE = 'mysql'


class TestUploading(LimitsTestCase):
    LIMITS = {**DEFAULTS, 'image_count_uploading': 0}

    def test_an_upload_that_is_one_too_many(self):
        image_id = self.alt.create_image()['id']
        self.assertOver('image_count_uploading', 0, 0, 1, 'alt', self.alt.upload(image_id, b'x'))
        self.assertEqual('queued', self.alt.get(f'/v2/images/{image_id}').json()['status'])


class TestChangedLimit(LimitsTestCase):
    LIMITS = {**DEFAULTS, 'image_count_total': 0}

    def test_a_limit_that_is_raised_counts_after_some_seconds(self):
        self.assertOver('image_count_total', 0, 0, 1, 'alt', self.post(self.alt))
        self.keystone.set_project_limits(self.region, self.keystone.project_id('alt'), image_count_total=1)
        wait_for('the new limit', lambda: self.post(self.alt).status_code == 201)
        self.assertOver('image_count_total', 1, 1, 1, 'alt', self.post(self.alt))


class TestUnregistered(LimitsTestCase):
    LIMITS = {}

    def test_a_limit_that_is_not_registered_is_zero(self):
        self.assertOver('image_count_total', 0, 0, 1, 'alt', self.post(self.alt))
        self.assertEqual(dict.fromkeys(DEFAULTS, {'usage': 0, 'limit': 0}), self.usage(self.alt))


class Misconfigured:

    def test_nothing_is_let_through_and_the_log_tells_why(self):
        for response in (self.post(self.alt), self.alt.get('/v2/info/usage')):
            self.assertStatus(self.STATUS, response)
            self.assertNotIn('oslo_limit', response.text)
        self.assertIn(self.LOGGED, self.server.log_text())
        self.assertStatus(200, self.alt.get('/v2/images'))


class TestWrongPassword(Misconfigured, LimitsTestCase):
    STATUS, LOGGED = 500, 'check [oslo_limit]'
    SETTINGS = {'oslo_limit': {'password': 'wrong'}}


class TestUnknownService(Misconfigured, LimitsTestCase):
    STATUS, LOGGED = 500, 'check [oslo_limit]'
    SETTINGS = {'oslo_limit': {'endpoint_service_type': 'nonsense'}}


class TestWithoutSystemScope(Misconfigured, LimitsTestCase):
    """The user may log in, but not read limits."""

    STATUS, LOGGED = 500, 'check [oslo_limit]'
    SETTINGS = {'oslo_limit': {'username': 'demo-reader', 'project_name': 'demo', 'project_domain_id': 'default',
                               'system_scope': ''}}


class TestKeystoneAway(Misconfigured, LimitsTestCase):
    STATUS, LOGGED = 503, 'Keystone cannot be asked for limits'
    SETTINGS = {'oslo_limit': {'auth_url': 'http://127.0.0.1:9/v3'}}
