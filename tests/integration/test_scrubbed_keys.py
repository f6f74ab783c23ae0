"""The scrubber's own credentials at a real Keystone: keys go in projects where the service has a role, and in no other."""
import pathlib
import tempfile
import unittest

from castellan.common.utils import credential_opts

from glance.db.memory import MemoryDatabase
from glance.domain.image import Image
from glance.keys.disposal import KEY, POLICY, dispose_for_owner
from glance.keys.manager import KeyManager
from glance.keys.service import ServiceCredentials
from tests.harness import key_manager
from tests.harness.keystone import shared_keystone
from tests.unit.layers import fakes


class ScrubbedKeysTest(unittest.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder, self.keystone = pathlib.Path(folder.name), shared_keystone()
        variables = self.keystone.environment('glance')
        self.conf = fakes.make_conf(folder.name, '\n'.join((
            '[key_manager]', 'backend = %s' % key_manager.NAME, 'auth_type = keystone_password',
            'auth_url = %s' % self.keystone.url, 'username = glance', 'password = %s' % variables['OS_PASSWORD'],
            'user_domain_id = %s' % variables['OS_USER_DOMAIN_ID'], '[test_key_manager]', 'folder = %s' % folder.name, '')))

    def dispose(self, project_id):
        """Scrub an image of a project; return whether its key is still there."""
        key_id = key_manager.keep(self.folder, project_id, b'key')
        image = Image('i', status='deleted', owner=project_id, extra_properties={KEY: key_id, POLICY: 'on_image_deletion'})
        dispose_for_owner(KeyManager(self.conf), MemoryDatabase(), ServiceCredentials(self.conf), image)
        return (self.folder / project_id / key_id).exists()

    def test_in_a_project_where_the_service_has_a_role(self):
        self.assertFalse(self.dispose(self.keystone.project_id('glance')))

    def test_in_other_projects(self):
        with self.assertLogs('glance.keys.disposal', 'WARNING') as logs:
            self.assertTrue(self.dispose(self.keystone.project_id('admin')))
        self.assertIn('has no access to project', logs.output[0])

    def test_with_a_wrong_password(self):
        self.conf.register_opts(credential_opts, group='key_manager')
        self.conf.set_override('password', 'wrong', 'key_manager')
        with self.assertLogs('glance.keys.disposal', 'WARNING'):
            self.assertTrue(self.dispose(self.keystone.project_id('glance')))
