"""The database is restarted while clients are at work."""
import pathlib
import shutil
import tempfile
import unittest

from tests.functional.api.base import wait_for
from tests.harness.load import Load, Refused
from tests.harness.mariadb import PrivateMariaDB
from tests.harness.server import GlanceServer

CLIENTS = 4


class DatabaseRestartTest(unittest.TestCase):

    def setUp(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix='glance-test-'))
        self.addCleanup(shutil.rmtree, folder)
        self.database = self.enterContext(PrivateMariaDB(folder))
        self.server = self.enterContext(GlanceServer(self.database, workers=2))

    def test_503_meanwhile_and_nothing_lost(self):
        with Load(self.server.url, clients=CLIENTS) as load:
            load.wait_for_more()
            self.database.stop()
            wait_for('refusals', lambda: len(load.failures) >= 3 * CLIENTS)
            self.database.start()
            recovered = load.done['delete'] + 10
            wait_for('images that go all their way', lambda: load.done['delete'] >= recovered)
            before = len(load.failures)
            load.wait_for_more(10)
            load.stop()
        self.assertEqual([], load.failures[before:])
        for failure in load.failures:
            self.assertIsInstance(failure, Refused)
            self.assertEqual(503, failure.response.status_code)
            self.assertRegex(failure.response.text, r'The (database|registry of images) cannot be reached at the moment; try again later\.')
            self.assertIn('Retry-After', failure.response.headers)
        client = self.server.client()
        for image_id, digest in load.stored.items():
            with self.subTest(image=image_id):
                image = client.get(f'/v2/images/{image_id}').json()
                self.assertEqual(('active', digest), (image['status'], image['checksum']))
                response = client.get(f'/v2/images/{image_id}/file')
                self.assertEqual((200, digest), (response.status_code, load.digest(response.content)))
