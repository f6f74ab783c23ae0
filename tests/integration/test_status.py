"""``glance-status doctor`` with a real Keystone."""
from tests.functional.tools import test_status
from tests.harness.keystone import shared_keystone


class DoctorWithKeystone(test_status.StatusTestCase):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.keystone = shared_keystone()

    def setUp(self):
        super().setUp()
        self.synchronize()
        self.server.settings['paste_deploy']['flavor'] = 'keystone'
        self.server.settings.update(self.keystone.glance_settings())
        self.account = self.server.settings['keystone_authtoken']

    def test_a_good_installation(self):
        results = self.results('doctor')
        self.assertEqual({}, {title: result for title, result in results.items() if result[0]})
        self.assertIn('service', results['Service account'][1])
        self.assertIn('It agrees with that of Keystone', results['Clock'][1])
        self.assertEqual(0, self.status('upgrade', 'check').returncode)

    def test_an_account_with_too_many_rights(self):
        self.account.update(username='admin', project_name='admin')
        self.assertFound(1, 'role admin', 'Service account', ('upgrade', 'check'))

    def test_an_account_with_too_few_rights(self):
        self.account.update(username='demo', project_name='demo')
        self.assertFound(2, 'give it the role service', 'Service account', ('upgrade', 'check'))

    def test_wrong_credentials(self):
        self.account['password'] = 'S3CR3T'
        results = self.results('doctor')
        self.assertEqual(2, results['Service account'][0])
        self.assertIn('does not let the service account in', results['Service account'][1])
        self.assertNotIn('S3CR3T', str(results))
        del self.account['auth_type']
        self.assertFound(2, 'auth_type is not set', 'Service account')

    def test_nobody_answers(self):
        self.account['auth_url'] = 'http://127.0.0.1:1/v3'
        results = self.results('doctor')
        for title in ('Keystone', 'Service account', 'Clock'):
            self.assertEqual(2, results[title][0], results[title])
        self.account['auth_url'] = self.keystone.url.replace('http:', 'https:')
        self.assertFound(2, 'Keystone', 'Keystone')
