"""``glance-replicator`` between two services, and between a service and a directory."""
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import unittest

from tests.functional.api.base import SECONDS, wait_for
from tests.harness.server import ROOT, GlanceServer
from tests.harness.web import WebServer

OWNER = 'f00dfeedf00dfeedf00dfeedf00dfeed'
DATA = os.urandom(1 << 20)
# What a service decides by itself.
OWN = ('created_at', 'updated_at', 'self', 'file', 'schema')


class Replicator:
    """The program in a folder of its own."""

    def __init__(self, test: unittest.TestCase):
        folder = tempfile.TemporaryDirectory(prefix='glance-test-')
        test.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.dump = self.folder / 'dump'

    def start(self, *arguments: object) -> subprocess.Popen:
        return subprocess.Popen([sys.executable, '-m', 'glance.cmd.replicator', *map(str, arguments)], cwd=self.folder,
                                env={**os.environ, 'PYTHONPATH': str(ROOT), 'HOME': str(self.folder)}, text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                preexec_fn=_heed_interrupts)

    def run(self, *arguments: object, code: int = 0) -> str:
        """Run it to its end; what it printed, its log coming last."""
        process = self.start(*arguments)
        output, log = process.communicate(timeout=SECONDS)
        if process.returncode != code or 'Traceback' in log:
            raise AssertionError('%s ended with %d:\n%s%s' % (arguments, process.returncode, output, log))
        return output + log


def _heed_interrupts() -> None:
    """Tests may run in the background of a shell, where programs are told to ignore them."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class StallingSource(WebServer):
    """Shows one image of a real service, and stops in the middle of its data until it is closed."""

    def __init__(self, image: dict, data: bytes):
        super().__init__()
        self.image, self.half = image, data[:len(data) // 2]
        self.closing = threading.Event()
        self.put('/versions', json.dumps({'versions': [{'id': 'v2.17'}]}).encode())
        self.answers['/v2/images'] = self._list
        self.answers['/v2/images/%s/file' % image['id']] = self._stall

    def _list(self, handler) -> None:
        images = [] if 'os_hidden=true' in handler.path else [self.image]
        self.serve(handler, json.dumps({'images': images}).encode())

    def _stall(self, handler) -> None:
        handler.send_response(200)
        handler.send_header('Content-Length', str(self.image['size']))
        handler.end_headers()
        handler.wfile.write(self.half)
        handler.wfile.flush()
        self.closing.wait(SECONDS)
        handler.close_connection = True

    def __exit__(self, *unused) -> None:
        self.closing.set()
        super().__exit__()


class ReplicatorTestCase(unittest.TestCase):
    """Two services for the class; tests work with images of their own."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.first, cls.second = GlanceServer(), GlanceServer()
        for server in (cls.first, cls.second):
            cls.addClassCleanup(server.cleanup)
            server.start()
        cls.source, cls.target = cls.first.client(), cls.second.client()

    def setUp(self):
        super().setUp()
        self.replicator = Replicator(self)
        self.addCleanup(self.remove_all)
        self.from_, self.to = '127.0.0.1:%d' % self.first.port, '127.0.0.1:%d' % self.second.port

    def remove_all(self):
        for client in (self.source, self.target):
            for image in self.images(client).values():
                client.patch('/v2/images/' + image['id'], [{'op': 'replace', 'path': '/protected', 'value': False}])
                client.delete('/v2/images/' + image['id'])

    def images(self, client) -> dict[str, dict]:
        found = {}
        for hidden in ('true', 'false'):
            page = client.get('/v2/images', params={'visibility': 'all', 'os_hidden': hidden, 'limit': 1000}).json()
            found.update((image['id'], image) for image in page['images'])
        return found

    def status_at_target(self, image: dict) -> str | None:
        response = self.target.get('/v2/images/' + image['id'])
        return response.json()['status'] if response.status_code == 200 else None

    def make_all_kinds(self) -> dict[str, dict]:
        """Active images of every kind, and one of each that has no data to give."""
        make = self.source.create_image
        made = [make(DATA, name='plain'), make(b'x', name='tiny'),
                make(b'one', name='Größe 三', tags=['b', 'ä'], hw_disk_bus='scsi', note='a/b~c "d"\nsecond line'),
                make(b'two', name='protected', protected=True, visibility='public', min_ram=64, min_disk=2),
                make(b'three', visibility='shared', owner=OWNER), make(b'four', visibility='community'),
                make(b'five', os_hidden=True, visibility='private')]
        return {image['id']: image for image in made}

    def assertSameImages(self, expected: dict[str, dict], client) -> None:
        def comparable(images):
            return {image_id: {name: sorted(value) if name == 'tags' else value for name, value in image.items()
                               if name not in OWN} for image_id, image in images.items()}
        self.maxDiff = None
        self.assertEqual(comparable(expected), comparable(self.images(client)))
        for image_id in expected:
            self.assertEqual(self.source.get('/v2/images/%s/file' % image_id).content,
                             client.get('/v2/images/%s/file' % image_id).content)


class Livecopy(ReplicatorTestCase):

    def test_every_kind_of_image(self):
        expected = self.make_all_kinds()
        queued = self.source.create_image(name='no data')
        deactivated = self.source.create_image(b'bad', name='deactivated')
        self.source.post('/v2/images/%s/actions/deactivate' % deactivated['id'])
        self.assertIn('%d of 9 images copied' % len(expected), self.replicator.run('livecopy', self.from_, self.to))
        self.assertSameImages(expected, self.target)
        self.assertIn('0 of 9 images copied', self.replicator.run('livecopy', self.from_, self.to))
        self.assertIn('No differences', self.replicator.run('--exit-code', 'compare', self.from_, self.to))
        self.assertNotIn(queued['id'], self.images(self.target))

    def test_records_follow_and_data_stays(self):
        image = self.source.create_image(b'data', name='before', tags=['old'], gone='x', kept='y', mine='source')
        self.replicator.run('livecopy', self.from_, self.to)
        path = '/v2/images/' + image['id']
        self.source.patch(path, [
            {'op': 'replace', 'path': '/name', 'value': 'after'}, {'op': 'replace', 'path': '/tags', 'value': ['new']},
            {'op': 'remove', 'path': '/gone'}, {'op': 'add', 'path': '/a~1b', 'value': 'slash'},
            {'op': 'replace', 'path': '/protected', 'value': True}, {'op': 'replace', 'path': '/visibility', 'value': 'public'}])
        self.target.patch(path, [{'op': 'replace', 'path': '/mine', 'value': 'target'},
                                 {'op': 'add', 'path': '/extra', 'value': 'target'}])
        ignored = 'created_at updated_at mine'
        log = self.replicator.run('compare', self.from_, self.to, '--exit-code', code=1)
        for name in ('name', 'tags', 'gone', 'a/b', 'protected', 'visibility', 'mine', 'extra'):
            self.assertIn('Image %s: %s is ' % (image['id'], name), log)
        self.assertIn('8 differences', self.replicator.run('compare', self.from_, self.to))
        self.replicator.run('livecopy', self.from_, self.to, '-D', ignored)
        self.assertEqual('target', self.images(self.target)[image['id']]['mine'])
        self.replicator.run('livecopy', self.from_, self.to, '--metaonly')
        self.assertSameImages(self.images(self.source), self.target)

    def test_metaonly_makes_no_images(self):
        self.source.create_image(b'data')
        self.replicator.run('livecopy', self.from_, self.to, '-m')
        self.assertEqual({}, self.images(self.target))

    def test_goes_on_after_an_interruption(self):
        image = self.source.create_image(DATA, protected=True, visibility='public')
        with StallingSource(image, DATA) as stalling:
            process = self.replicator.start('livecopy', '127.0.0.1:%d' % stalling.port, self.to)
            wait_for('the upload', lambda: self.status_at_target(image) == 'saving')
            process.send_signal(signal.SIGINT)
            _, log = process.communicate(timeout=SECONDS)
        self.assertEqual(130, process.returncode, log)
        self.assertNotIn('Traceback', log)
        wait_for('the end of the upload', lambda: self.status_at_target(image) == 'queued')
        self.assertIn('1 of 1 images copied', self.replicator.run('livecopy', self.from_, self.to))
        self.assertSameImages({image['id']: image}, self.target)

    def test_damaged_data_does_not_arrive(self):
        damaged, good = self.source.create_image(b'0123456789'), self.source.create_image(b'good')
        (self.first.images / damaged['id']).write_bytes(b'012345678x')
        log = self.replicator.run('livecopy', self.from_, self.to, code=1)
        self.assertIn('damaged', log)
        self.assertIn('1 of 2 images copied, 1 failed', log)
        self.assertEqual('active', self.status_at_target(good))
        wait_for('the end of the upload', lambda: self.status_at_target(damaged) == 'queued')
        (self.first.images / damaged['id']).write_bytes(b'0123456789')
        self.replicator.run('livecopy', self.from_, self.to)
        self.assertSameImages({image['id']: image for image in (damaged, good)}, self.target)

    def test_other_data_is_not_replaced(self):
        image = self.source.create_image(b'source')
        self.target.create_image(b'target', id=image['id'])
        self.assertIn('has other data', self.replicator.run('livecopy', self.from_, self.to, code=1))
        self.assertEqual(b'target', self.target.get('/v2/images/%s/file' % image['id']).content)
        self.assertIn('os_hash_value', self.replicator.run('compare', self.from_, self.to))

    def test_an_id_that_cannot_be_used_again(self):
        image = self.source.create_image(b'data')
        self.target.create_image(b'data', id=image['id'])
        self.target.delete('/v2/images/' + image['id'])
        self.assertIn('exists and is not visible', self.replicator.run('livecopy', self.from_, self.to))


class DumpAndLoad(ReplicatorTestCase):

    def test_every_kind_of_image(self):
        expected = self.make_all_kinds()
        queued = self.source.create_image(name='no data')
        self.replicator.run('dump', self.from_, self.replicator.dump)
        self.assertFalse((self.replicator.dump / (queued['id'] + '.img')).exists())
        self.assertEqual([], [name for name in os.listdir(self.replicator.dump) if '.part' in name or name.startswith('.')])
        self.assertIn('0 of 8 images dumped', self.replicator.run('dump', self.from_, self.replicator.dump))
        self.assertIn('7 of 8 images loaded', self.replicator.run('load', self.to, self.replicator.dump))
        self.assertSameImages(expected, self.target)
        self.assertIn('0 of 8 images loaded', self.replicator.run('load', self.to, self.replicator.dump))

    def test_records_without_data_first(self):
        image = self.source.create_image(b'data')
        self.replicator.run('dump', self.from_, self.replicator.dump, '--metaonly')
        self.assertEqual([image['id']], os.listdir(self.replicator.dump))
        self.replicator.run('load', self.to, self.replicator.dump)
        self.assertEqual({}, self.images(self.target))
        self.replicator.run('dump', self.from_, self.replicator.dump)
        self.replicator.run('load', self.to, self.replicator.dump)
        self.assertSameImages({image['id']: image}, self.target)

    def test_goes_on_after_an_interruption(self):
        image = self.source.create_image(DATA)
        part = self.replicator.dump / (image['id'] + '.img.part')
        with StallingSource(image, DATA) as stalling:
            process = self.replicator.start('dump', '127.0.0.1:%d' % stalling.port, self.replicator.dump, '-c', 1024)
            wait_for('half of the data', lambda: part.exists() and part.stat().st_size > len(DATA) // 4)
            process.kill()
            process.communicate()
        self.assertEqual([part.name], os.listdir(self.replicator.dump))
        self.replicator.run('dump', self.from_, self.replicator.dump)
        self.assertEqual(DATA, (self.replicator.dump / (image['id'] + '.img')).read_bytes())
        self.assertIn('/v2/images/%s/file" status: 206' % image['id'], self.first.log_text())

    def test_damage_is_found(self):
        image, good = self.source.create_image(DATA), self.source.create_image(b'good')
        self.replicator.dump.mkdir()
        part = self.replicator.dump / (image['id'] + '.img.part')
        part.write_bytes(b'these are not the first bytes of it')
        self.assertIn('damaged', self.replicator.run('dump', self.from_, self.replicator.dump, code=1))
        self.replicator.run('dump', self.from_, self.replicator.dump)
        data = self.replicator.dump / (image['id'] + '.img')
        for content, expected in ((DATA[:-1] + b'\0', 'damaged'), (DATA[:-7], 'bytes of data'), (DATA + b'x', 'bytes of data')):
            data.write_bytes(content)
            self.assertIn(expected, self.replicator.run('load', self.to, self.replicator.dump, code=1))
            self.assertEqual('active', self.status_at_target(good))
            wait_for('the end of the upload', lambda: self.status_at_target(image) == 'queued')
        data.write_bytes(DATA)
        (self.replicator.dump / good['id']).write_text('{"id": ')
        self.assertIn('does not hold the record', self.replicator.run('load', self.to, self.replicator.dump, code=1))
        self.assertEqual(DATA, self.target.get('/v2/images/%s/file' % image['id']).content)

    def test_a_dump_of_an_old_release(self):
        image_id = '11111111-2222-4333-8444-555555555555'
        self.replicator.dump.mkdir()
        (self.replicator.dump / image_id).write_text(json.dumps({
            'id': image_id, 'name': 'old', 'status': 'active', 'size': 4, 'checksum': '8d777f385d3dfec8815d20f7496026dc',
            'is_public': True, 'protected': True, 'deleted': False, 'min_ram': 0, 'min_disk': 1, 'disk_format': 'raw',
            'container_format': 'bare', 'owner': OWNER, 'properties': {'distro': 'cirros'}, 'deleted_at': None}))
        (self.replicator.dump / (image_id + '.img')).write_bytes(b'data')
        self.replicator.run('load', self.to, self.replicator.dump)
        image = self.images(self.target)[image_id]
        self.assertEqual(('old', 'public', True, 1, OWNER, 'cirros', 'active'),
                         tuple(image[name] for name in ('name', 'visibility', 'protected', 'min_disk', 'owner', 'distro', 'status')))


class CommandLine(ReplicatorTestCase):

    def test_size(self):
        self.source.create_image(b'x' * 2048)
        self.source.create_image(os_hidden=True)
        self.source.create_image(b'y' * 1024, visibility='private', os_hidden=True)
        self.assertIn('3072 bytes (3.0 KiB) across 2 images', self.replicator.run('size', self.from_))

    def test_mistakes(self):
        for arguments, expected in (
                (('size',), 'takes the arguments SERVER'), (('copy', 'a:1'), "no command 'copy'"),
                (('size', 'host'), 'HOST:PORT'), (('size', '127.0.0.1:1'), 'cannot be reached'),
                (('load', self.to, self.replicator.folder / 'nowhere'), 'cannot be read'),
                (('dump', self.from_, '/proc/nowhere'), 'cannot be made'),
                (('size', 'https://127.0.0.1:%d' % self.first.port), 'cannot be trusted')):
            with self.subTest(arguments=arguments):
                self.assertIn(expected, self.replicator.run(*arguments, code=1))

    def test_the_token_stays_with_its_service(self):
        with WebServer() as elsewhere, WebServer() as service:
            service.redirect('/versions', elsewhere.url('/versions'))
            output = self.replicator.run('size', '127.0.0.1:%d' % service.port, '--token', 'S3CR3T', code=1)
            self.assertEqual(['S3CR3T'], [headers['X-Auth-Token'] for _, _, headers in service.requests])
            self.assertEqual([], elsewhere.requests)
        self.assertIn('is redirected to', output)
        self.assertNotIn('S3CR3T', output)
