"""The programs of the cache: by hand, and by cron beside a service that is used; bad disks and clocks."""
import contextlib
import os
import pathlib
import random
import sqlite3
import subprocess
import sys
import threading
import time
import uuid

from tests.functional.api.base import wait_for
from tests.functional.api.test_cache import MIB, SETTINGS, CacheTestCase
from tests.harness.client import ApiClient

PROGRAMS = pathlib.Path(sys.executable).parent
OPEN = {**SETTINGS, 'paste_deploy': {'flavor': 'cachemanagement'}}


class ToolsTestCase(CacheTestCase):
    """A service without Keystone, and its programs."""

    PROJECTS = False
    SETTINGS = OPEN

    def setUp(self):
        super().setUp()
        self.owner = self.client
        self.client.delete('/v2/cache')

    def tool(self, name: str) -> int:
        result = self.server.run('glance.cmd.cache_' + name)
        self.assertNotIn('Traceback', result.stderr)
        return result.returncode

    def manage(self, *arguments: str, answer: str | None = None, port: int | None = None, **variables: str
               ) -> subprocess.CompletedProcess:
        environment = {**{name: value for name, value in os.environ.items() if not name.startswith('OS_')}, **variables}
        command = [PROGRAMS / 'glance-cache-manage', *arguments, '-p', str(port or self.server.port)]
        return subprocess.run(command, env=environment, input=answer or '', capture_output=True, text=True, timeout=60)


class TestManage(ToolsTestCase):

    def test_listing(self):
        for command in ('list-cached', 'list-queued'):
            result = self.manage(command)
            self.assertEqual((0, ''), (result.returncode, result.stderr))
            self.assertRegex(result.stdout, '^No (cached|queued) images')
        image_id, waiting = self.cached_image(b'data'), self.client.create_image()['id']
        self.client.put(f'/v2/queued_images/{waiting}')
        cached, queued = self.manage('list-cached').stdout, self.manage('list-queued').stdout
        self.assertRegex(cached, r'Found 1 cached images\.\.\.\n\+-')
        self.assertRegex(cached, r'\| ID +\| Last Accessed \(UTC\) +\| Last Modified \(UTC\) +\| Size \| Hits \|')
        self.assertRegex(cached, r'\| %s \| 20\d\d-\d\d-\d\dT[0-9:.]+ +\| 20\d\d-\d\d-\d\dT[0-9:.]+ +\|    4 \|    0 \|' % image_id)
        self.assertIn('Found 1 queued images...', queued)
        self.assertIn(f'| {waiting} |', queued)

    def test_changing(self):
        image_id, waiting = self.cached_image(b'data'), self.client.create_image()['id']
        for arguments, said in ((('queue-image', waiting), f'Queued image {waiting}'),
                                (('delete-queued-image', waiting), f'Deleted queued image {waiting}'),
                                (('queue-image', '-f', waiting), f'Queued image {waiting}'),
                                (('delete-all-queued-images',), 'Deleted 1 queued images'),
                                (('delete-cached-image', image_id), f'Deleted cached image {image_id}'),
                                (('delete-all-cached-images',), 'Deleted 0 cached images')):
            result = self.manage('--force', '-v', *arguments)
            self.assertEqual((0, ''), (result.returncode, result.stderr))
            self.assertIn(said, result.stdout)
        self.assertEqual({'cached_images': [], 'queued_images': []}, self.client.get('/v2/cache').json())
        self.assertEqual('', self.manage('delete-all-cached-images', '-f').stdout)

    def test_questions(self):
        image_id = self.cached_image(b'data')
        for answer in ('\n', 'n\n', 'nonsense\n'):
            result = self.manage('delete-cached-image', image_id, answer=answer)
            self.assertEqual(0, result.returncode)
            self.assertIn('[y/N]', result.stdout)
        nobody = self.manage('delete-cached-image', image_id)
        self.assertEqual(1, nobody.returncode)
        self.assertIn('--force', nobody.stdout)
        self.assertIn(image_id, self.cached())
        self.assertEqual(0, self.manage('delete-cached-image', image_id, answer='yes\n').returncode)
        self.assertNotIn(image_id, self.cached())

    def test_mistakes(self):
        some_id = str(uuid.uuid4())
        for code, arguments, said in (
                (1, ('queue-image', 'no-uuid', '-f'), 'no-uuid'), (1, ('queue-image', '-f'), 'usage'),
                (1, ('queue-image', some_id, some_id, '-f'), 'Too many'), (1, ('list-cached', some_id), 'Too many'),
                (1, ('dance',), 'commands:'), (1, ('help', 'dance'), 'commands:'), (0, ('help',), 'list-cached'),
                (0, ('help', 'queue-image'), 'usage: glance-cache-manage queue-image <IMAGE_ID>'), (0, ('--version',), ''),
                (1, ('list-cached', '-S', 'keystone'), '--os-auth-url'),
                (1, ('list-cached', '-N', 'http://127.0.0.1:1/', '-I', 'u', '-K', 'p', '-T', 't'), 'Keystone')):
            result = self.manage(*arguments)
            self.assertEqual(code, result.returncode, arguments)
            self.assertIn(said, result.stdout)
            self.assertNotIn('Traceback', result.stdout + result.stderr)
        for arguments in ((), ('list-cached', '--nonsense')):
            self.assertEqual(2, self.manage(*arguments).returncode)
        away = self.manage('list-cached', port=1)
        self.assertEqual(1, away.returncode)
        self.assertIn('cannot be reached', away.stdout)

    def test_each_program_tells_what_it_is(self):
        for name in ('manage', 'pruner', 'cleaner', 'prefetcher'):
            result = subprocess.run([PROGRAMS / f'glance-cache-{name}', '--help'], capture_output=True, text=True, timeout=60)
            self.assertEqual(0, result.returncode)
            self.assertIn(f'glance-cache-{name}', result.stdout)
        for module in ('pruner', 'cleaner', 'prefetcher'):
            empty = self.server.folder / 'empty.conf'
            empty.write_text('')
            result = subprocess.run([sys.executable, '-m', f'glance.cmd.cache_{module}', '--config-file', empty],
                                    capture_output=True, text=True, timeout=60, cwd=self.server.folder,
                                    env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)})
            self.assertEqual(1, result.returncode)
            self.assertRegex(result.stderr.splitlines()[-1], '^ERROR: .*image_cache_dir')


class TestRefused(CacheTestCase):
    """A service that asks who is there, and one that manages no cache."""

    def run_manage(self, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run([PROGRAMS / 'glance-cache-manage', 'list-cached', '-p', str(self.server.port), *arguments],
                              capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)

    def test_who_does_not_say_who_he_is(self):
        result = self.run_manage()
        self.assertEqual(1, result.returncode)
        self.assertIn('who you are', result.stdout)

    def test_a_service_without_a_cache(self):
        with self.sibling() as other:
            other.stop()
            other.settings['paste_deploy'] = {**other.settings['paste_deploy'], 'flavor': ''}
            other.launch()
            other.wait_until_ready()
            result = self.run_manage('-p', str(other.port))
        self.assertEqual(1, result.returncode)
        self.assertIn('cachemanagement', result.stdout)


class TestByCron(ToolsTestCase):
    """The programs beside a service that is used."""

    LIMIT = 4 * MIB
    SETTINGS = {**OPEN, 'DEFAULT': {**OPEN['DEFAULT'], 'image_cache_max_size': LIMIT, 'image_cache_stall_time': 0,
                                    'cache_prefetcher_interval': 0}}
    WORKERS = 2

    def test_nobody_notices(self):
        images = {self.image(data): data for data in (os.urandom(MIB) for _ in range(8))}
        ended, problems, count = threading.Event(), [], []

        def use():
            client = ApiClient(self.server.url)
            while not ended.is_set():
                image_id = random.choice(list(images))
                response = client.get(f'/v2/images/{image_id}/file')
                count.append(1)
                if response.status_code != 200 or response.content != images[image_id]:
                    problems.append((image_id, response.status_code, len(response.content)))
        users = [threading.Thread(target=use) for _ in range(4)]
        for user in users:
            user.start()
        try:
            for _ in range(3):
                for image_id in images:
                    self.client.put(f'/v2/queued_images/{image_id}')
                for name in ('cleaner', 'pruner', 'prefetcher'):
                    self.assertIn(self.tool(name), (0, 2) if name == 'prefetcher' else (0,))
                sizes = sum(path.stat().st_size for path in self.cache.iterdir() if path.is_file() and len(path.name) == 36)
                self.assertLessEqual(sizes, self.LIMIT)
        finally:
            ended.set()
            for user in users:
                user.join()
        self.assertEqual([], problems)
        self.assertGreater(len(count), 20)
        self.assertEqual(0, self.tool('cleaner'))
        wait_for('the last fill', lambda: not os.listdir(self.cache / 'incomplete'))
        files = {path.name for path in self.cache.iterdir() if path.is_file() and len(path.name) == 36}
        self.assertEqual(files, set(self.cached()))

    def test_the_prefetcher_tells_what_it_could_not_fetch(self):
        good, broken, gone = self.image(b'good'), self.image(b'bad', digest='0' * 128), str(uuid.uuid4())
        (self.cache / 'queue' / gone).touch()
        for image_id in (broken, good):
            (self.cache / 'queue' / image_id).touch()
        self.assertEqual(2, self.tool('prefetcher'))
        self.assertIn(good, self.cached())
        self.assertEqual([broken], self.client.get('/v2/cache').json()['queued_images'])
        self.client.delete('/v2/cache')
        self.assertEqual(0, self.tool('prefetcher'))

    def test_a_clock_that_was_ahead(self):
        early, late = self.cached_image(b'e' * (3 * MIB)), self.cached_image(b'l' * (MIB // 2))
        ahead = time.time() + 86400
        with contextlib.closing(sqlite3.connect(self.cache / 'cache.db')) as books, books:
            books.execute('UPDATE cached_images SET last_accessed = ? WHERE image_id = ?', (ahead, early))
        stalled = self.cache / 'incomplete' / str(uuid.uuid4())
        stalled.write_bytes(b'half')
        os.utime(stalled, (ahead, ahead))
        for name in ('cleaner', 'pruner'):
            self.assertEqual(0, self.tool(name))
        self.assertFalse(stalled.exists())
        self.assertLess(self.cached()[early]['last_accessed'], ahead - 3600)
        self.assertEqual(b'l' * (MIB // 2), self.client.get(f'/v2/images/{late}/file').content)
        wait_for('hit', lambda: self.cached()[late]['hits'])
        # The one that was used in the future is now the one that was not used for longest.
        other = self.cached_image(b'o' * (2 * MIB))
        self.assertEqual({late, other}, set(self.cached()))


class TestFullDisk(ToolsTestCase):
    """A cache on a file system of its own that is too small. Mounting it needs root."""

    SETTINGS = {**OPEN, 'DEFAULT': {**OPEN['DEFAULT'], 'image_cache_driver': 'sqlite'}}
    WORKERS = 2

    @classmethod
    def prepare(cls, server):
        super().prepare(server)
        cls.cache.mkdir()
        subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', cls.cache], check=True)
        cls.addClassCleanup(subprocess.run, ['umount', '-l', cls.cache], check=True)

    def test_the_data_comes_from_the_store(self):
        large, small = os.urandom(9 * MIB), os.urandom(MIB)
        image_id, other = self.image(large), self.image(small)
        for _ in range(2):
            self.assertEqual(large, self.assertStatus(200, self.client.get(f'/v2/images/{image_id}/file')).content)
        self.assertEqual({}, self.cached())
        self.assertEqual([], os.listdir(self.cache / 'incomplete') + os.listdir(self.cache / 'invalid'))
        self.assertEqual(small, self.client.get(f'/v2/images/{other}/file').content)
        wait_for('entry', lambda: other in self.cached())
        filler = self.cache / 'filler'
        with contextlib.suppress(OSError), filler.open('wb', buffering=0) as file:
            while True:
                file.write(bytes(65536))
        third = self.image(small)
        # Neither the entry, nor its use, nor a new one can be written down: nobody is kept from the data.
        for wanted in (other, third, other, third):
            self.assertEqual(small, self.assertStatus(200, self.client.get(f'/v2/images/{wanted}/file')).content)
        filler.unlink()
        self.assertEqual(small, self.client.get(f'/v2/images/{third}/file').content)
        wait_for('third entry', lambda: third in self.cached())
