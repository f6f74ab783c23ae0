"""When the key of an image goes with it."""
from glance import exceptions
from glance.db.memory import MemoryDatabase
from glance.domain.image import Image
from glance.keys.disposal import KEY, POLICY, dispose
from tests.unit.keys.base import KeysTestCase
from tests.unit.layers import fakes


class DisposalTest(KeysTestCase):

    def setUp(self):
        super().setUp()
        self.database = MemoryDatabase()
        self.key_id = self.keep(b'key')

    def image(self, policy='on_image_deletion', **values):
        properties = {KEY: self.key_id, POLICY: policy}
        return Image('i-1', **{'status': 'deleted', 'owner': fakes.OWNER, 'extra_properties': {
            name: value for name, value in properties.items() if value is not None}, **values})

    def dispose(self, image=None, context=None):
        dispose(self.keys, self.database, context or self.owner, image or self.image())

    def assert_kept(self, *arguments, level='WARNING'):
        with self.assertLogs('glance.keys.disposal', level) as logs:
            self.dispose(*arguments)
        self.assertIn(self.key_id, logs.output[0])
        self.assertTrue(self.kept(self.key_id))

    def test_the_key_goes(self):
        self.dispose()
        self.assertFalse(self.kept(self.key_id))

    def test_an_image_that_does_not_ask_for_it(self):
        for image in (self.image(None), self.image('do_not_delete'), self.image(''), Image('i', owner=fakes.OWNER)):
            with self.assertNoLogs('glance.keys.disposal'):
                self.dispose(image)
        self.assertTrue(self.kept(self.key_id))

    def test_whoever_is_not_the_owner_deletes_no_key(self):
        admin = fakes.caller('p-admin', ('admin',), auth_token='token')
        key_of_admin = self.key_id = self.keep(b'key', 'p-admin')
        self.assert_kept(self.image(), admin)
        self.assert_kept(self.image(owner=None), admin)
        self.assert_kept(self.image(owner=None), fakes.caller(None, ('admin',), auth_token='token'))
        self.dispose(self.image(owner='p-admin'), admin)
        self.assertFalse(self.kept(key_of_admin))

    def test_a_key_of_another_project(self):
        self.key_id = self.keep(b'key', fakes.STRANGER)
        self.assert_kept()

    def test_a_key_that_another_image_uses(self):
        other = self.database.image_create({'status': 'active', 'owner': fakes.STRANGER, 'properties': {KEY: self.key_id},
                                            'locations': [{'url': 'u'}]})
        self.assert_kept(level='INFO')
        self.database.image_remove(other['id'], 'pending_delete')
        self.assert_kept(level='INFO')
        self.database.image_scrubbed(other['id'], [other['locations'][0]['id']])
        self.dispose()
        self.assertFalse(self.kept(self.key_id))

    def test_failures(self):
        self.key_id, key_id = 'nowhere', self.key_id
        with self.assertLogs('glance.keys.disposal', 'WARNING'):
            self.dispose()
        self.key_id = key_id
        self.database = fakes.Failing(self.database, property_in_use=[exceptions.DatabaseUnavailable()])
        self.assert_kept()
