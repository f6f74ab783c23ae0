"""``glance-cache-manage`` with a real Keystone."""
import os
import pathlib
import subprocess
import sys
import unittest

from tests.functional.api.base import wait_for
from tests.harness.keystone import shared_keystone
from tests.harness.server import GlanceServer

PROGRAM = pathlib.Path(sys.executable).parent / 'glance-cache-manage'


class TestCacheManage(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.keystone = shared_keystone()
        cls.server = GlanceServer(flavor='keystone+cachemanagement', settings=cls.keystone.glance_settings())
        cls.server.settings['DEFAULT']['image_cache_dir'] = cls.server.folder / 'cache'
        cls.addClassCleanup(cls.server.cleanup)
        cls.server.start()

    def run_as(self, user: str | None, *arguments: str, **variables: str) -> subprocess.CompletedProcess:
        environment = {name: value for name, value in os.environ.items() if not name.startswith('OS_')}
        if user is not None:
            environment.update(self.keystone.environment(user))
        return subprocess.run([PROGRAM, *arguments, '-p', str(self.server.port)], env={**environment, **variables},
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)

    def test_an_administrator_manages_the_cache(self):
        image = self.server.client(self.keystone.token('admin')).create_image(b'data')
        self.assertEqual(0, self.run_as('admin', 'queue-image', image['id'], '-f').returncode)
        wait_for('entry', lambda: image['id'] in self.run_as('admin', 'list-cached').stdout)
        # Also by a token, and by what the command line says of the user.
        listed = self.run_as(None, 'list-cached', '-A', self.keystone.token('admin'))
        self.assertIn(image['id'], listed.stdout)
        words = self.keystone.environment('admin')
        listed = self.run_as(None, 'list-cached', '-N', self.keystone.url, '-I', words['OS_USERNAME'],
                             '-K', words['OS_PASSWORD'], '-T', words['OS_PROJECT_NAME'])
        self.assertIn(image['id'], listed.stdout, listed)
        done = self.run_as('admin', '-vf', 'delete-all-cached-images')
        self.assertEqual((0, True), (done.returncode, 'Deleted 1 cached images' in done.stdout), done)

    def test_others_do_not(self):
        for user, arguments, said in (('demo', (), 'not permitted'), (None, (), 'who you are'),
                                      (None, ('-A', 'nonsense'), 'who you are'),
                                      ('demo', ('-K', 'wrong'), 'does not accept')):
            result = self.run_as(user, 'list-cached', *arguments)
            self.assertEqual(1, result.returncode)
            self.assertIn(said, result.stdout)
            self.assertNotIn('Traceback', result.stdout + result.stderr)
