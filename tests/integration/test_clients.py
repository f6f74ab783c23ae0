"""The clients that people use, unchanged and as they come: ``openstack``, ``glance`` and openstacksdk.

Every test runs twice: against a Glance without authentication, and against one with Keystone, which the clients find
through the service catalogue.
"""

import hashlib
import json
import os
import pathlib
import pty
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest
import uuid

import openstack

from tests.harness.keystone import shared_keystone
from tests.harness.server import GlanceServer

PROGRAMS = pathlib.Path(sys.executable).parent
VIRTUAL_SIZE = 8 << 20


class ClientTests:
    """The tests; the two classes below say how the clients are pointed at the service."""

    server: GlanceServer
    environment: dict[str, str]  # OS_… variables for openstack
    glance_environment: dict[str, str]  # and for glance, which has options of its own where there is no Keystone
    connection_options: dict[str, str]  # the same for openstacksdk
    owner: str | None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix='glance-clients-'))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.qcow2 = make_qcow2(cls.folder)
        cls.data = cls.qcow2.read_bytes()

    def setUp(self):
        self.name = f'cirros-{uuid.uuid4().hex[:8]}'

    def call(self, program, *arguments):
        """Run a client; what it printed. Fails when the client does."""
        result = self.run_client(program, *arguments)
        self.assertEqual(0, result.returncode, f'{result.args}: {result.stdout}{result.stderr}')
        return result.stdout

    def call_json(self, *arguments):
        return json.loads(self.call('openstack', *arguments, '-f', 'json'))

    def call_table(self, *arguments):
        return read_table(self.call('glance', *arguments))

    def fail_to_call(self, program, *arguments):
        """Run a client that must fail; its complaint."""
        result = self.run_client(program, *arguments)
        self.assertNotEqual(0, result.returncode, f'{result.args}: {result.stdout}')
        return result.stderr

    def run_client(self, program, *arguments):
        return subprocess.run([PROGRAMS / program, *map(str, arguments)], env=self.variables(program), cwd=self.folder,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)

    def variables(self, program):
        """Environment of a client: of the caller's variables only those that find programs and libraries."""
        inherited = {name: value for name, value in os.environ.items() if name in ('PATH', 'LANG', 'LD_LIBRARY_PATH')}
        own = self.glance_environment if program == 'glance' else self.environment
        return {**inherited, 'HOME': str(self.folder), 'NO_PROXY': '127.0.0.1', **own}

    def create(self, *options):
        return self.call_json('image', 'create', '--file', self.qcow2, '--disk-format', 'qcow2',
                              '--container-format', 'bare', *options, self.name)

    def download(self, image_id):
        target = self.folder / f'{image_id}.saved'
        self.call('openstack', 'image', 'save', '--file', target, image_id)
        return target.read_bytes()

    # -- openstack -------------------------------------------------------------------------------------------------

    def test_openstack_create_show_and_save(self):
        created = self.create('--min-disk', 1, '--min-ram', 64, '--property', 'os_distro=cirros', '--tag', 'small')
        shown = self.call_json('image', 'show', self.name)
        self.assertEqual(created['id'], shown['id'])
        expected = {'name': self.name, 'status': 'active', 'disk_format': 'qcow2', 'container_format': 'bare',
                    'size': len(self.data), 'virtual_size': VIRTUAL_SIZE, 'min_disk': 1, 'min_ram': 64,
                    'checksum': hashlib.md5(self.data).hexdigest(), 'visibility': 'shared', 'protected': False,
                    'owner': self.owner, 'tags': ['small'], 'schema': '/v2/schemas/image',
                    'file': f'/v2/images/{created["id"]}/file'}
        self.assertEqual(expected, {name: shown.get(name) for name in expected})
        self.assertEqual('cirros', shown['properties']['os_distro'])
        self.assertEqual(('sha512', hashlib.sha512(self.data).hexdigest()),
                         (shown['properties']['os_hash_algo'], shown['properties']['os_hash_value']))
        self.assertIs(False, shown['properties']['os_hidden'])
        self.assertEqual(self.data, self.download(shown['id']))

    def test_openstack_create_with_progress(self):
        printed = run_on_terminal([PROGRAMS / 'openstack', 'image', 'create', '--progress', '--file', self.qcow2,
                                   '--disk-format', 'qcow2', '--container-format', 'bare', self.name],
                                  self.variables('openstack'))
        self.assertIn('100%', printed)
        shown = self.call_json('image', 'show', self.name)
        self.assertEqual(('active', len(self.data)), (shown['status'], shown['size']))

    def test_openstack_list(self):
        created = self.create()
        rows = self.call_json('image', 'list', '--name', self.name)
        self.assertEqual([{'ID': created['id'], 'Name': self.name, 'Status': 'active'}], rows)
        [row] = self.call_json('image', 'list', '--long', '--name', self.name)
        expected = {'Disk Format': 'qcow2', 'Container Format': 'bare', 'Size': len(self.data),
                    'Checksum': hashlib.md5(self.data).hexdigest(), 'Visibility': 'shared', 'Protected': False,
                    'Project': self.owner}
        self.assertEqual(expected, {title: row[title] for title in expected})
        self.assertIn(created['id'], [row['ID'] for row in self.call_json('image', 'list', '--sort', 'name:desc')])
        self.assertEqual([], self.call_json('image', 'list', '--name', 'no such image'))

    def test_openstack_set_and_unset(self):
        image_id = self.create('--tag', 'one')['id']
        self.call('openstack', 'image', 'set', '--name', f'{self.name}-new', '--min-ram', 128, '--protected',
                  '--tag', 'two', '--property', 'os_version=0.6', '--community', image_id)
        shown = self.call_json('image', 'show', image_id)
        self.assertEqual((f'{self.name}-new', 128, True, 'community'),
                         (shown['name'], shown['min_ram'], shown['protected'], shown['visibility']))
        self.assertEqual({'one', 'two'}, set(shown['tags']))
        self.assertEqual('0.6', shown['properties']['os_version'])
        self.call('openstack', 'image', 'unset', '--tag', 'one', '--property', 'os_version', image_id)
        shown = self.call_json('image', 'show', image_id)
        self.assertEqual(['two'], shown['tags'])
        self.assertNotIn('os_version', shown['properties'])

    def test_openstack_delete(self):
        image_id = self.create('--protected')['id']
        self.assertIn('403', self.fail_to_call('openstack', 'image', 'delete', image_id))
        self.call('openstack', 'image', 'set', '--unprotected', image_id)
        self.call('openstack', 'image', 'delete', image_id)
        self.assertIn('No Image found', self.fail_to_call('openstack', 'image', 'show', image_id))

    def test_openstack_hears_why_data_is_refused(self):
        complaint = self.fail_to_call('openstack', 'image', 'create', '--file', self.qcow2, '--disk-format', 'vmdk',
                                      '--container-format', 'bare', self.name)
        self.assertIn('415', complaint)

    # -- glance ----------------------------------------------------------------------------------------------------

    def glance_create(self, *options):
        return self.call_table('image-create', '--name', self.name, '--file', self.qcow2, '--disk-format', 'qcow2',
                               '--container-format', 'bare', *options)

    def test_glance_create_list_show(self):
        created = self.glance_create('--property', 'os_distro=cirros')
        expected = {'name': self.name, 'status': 'active', 'disk_format': 'qcow2', 'container_format': 'bare',
                    'size': str(len(self.data)), 'virtual_size': str(VIRTUAL_SIZE), 'min_disk': '0', 'min_ram': '0',
                    'checksum': hashlib.md5(self.data).hexdigest(), 'os_hash_algo': 'sha512',
                    'os_hash_value': hashlib.sha512(self.data).hexdigest(), 'os_hidden': 'False',
                    'protected': 'False', 'visibility': 'shared', 'owner': str(self.owner), 'tags': '[]',
                    'os_distro': 'cirros'}
        self.assertEqual(expected, {name: created.get(name) for name in expected})
        self.assertEqual(created, self.call_table('image-show', created['id']))
        self.assertEqual(self.name, self.call_table('image-list')[created['id']])

    def test_glance_update_download_delete(self):
        image_id = self.glance_create()['id']
        updated = self.call_table('image-update', '--name', 'renamed', '--property', 'os_version=0.6', image_id)
        self.assertEqual(('renamed', '0.6'), (updated['name'], updated['os_version']))
        target = self.folder / f'{image_id}.glance'
        self.call('glance', 'image-download', '--file', target, image_id)
        self.assertEqual(self.data, target.read_bytes())
        self.call('glance', 'image-delete', image_id)
        self.assertIn('404', self.fail_to_call('glance', 'image-show', image_id))

    # -- openstacksdk ----------------------------------------------------------------------------------------------

    def connect(self):
        connection = openstack.connect(load_yaml_config=False, load_envvars=False, app_name='glance-tests',
                                       **self.connection_options)
        connection.session.session.trust_env = False
        self.addCleanup(connection.close)
        return connection.image

    def test_sdk_life_of_an_image(self):
        images = self.connect()
        image = images.create_image(self.name, filename=str(self.qcow2), disk_format='qcow2', container_format='bare',
                                    validate_checksum=True, os_distro='cirros')
        image = images.get_image(image.id)
        self.assertEqual(('active', len(self.data), VIRTUAL_SIZE), (image.status, image.size, image.virtual_size))
        self.assertEqual((hashlib.md5(self.data).hexdigest(), hashlib.sha512(self.data).hexdigest(), self.owner),
                         (image.checksum, image.hash_value, image.owner))
        self.assertEqual('cirros', image.os_distro)

        self.assertEqual(image.id, images.find_image(self.name, ignore_missing=False).id)
        self.assertEqual([image.id], [found.id for found in images.images(name=self.name)])

        image = images.update_image(image, name='renamed', min_disk=2)
        self.assertEqual(('renamed', 2), (image.name, image.min_disk))
        images.add_tag(image, 'small')
        self.assertEqual(['small'], images.get_image(image.id).tags)

        self.assertEqual(self.data, images.download_image(image).content)
        images.delete_image(image)
        with self.assertRaises(openstack.exceptions.NotFoundException):
            images.find_image(image.id, ignore_missing=False)

    def test_sdk_follows_pages(self):
        images = self.connect()
        created = {images.create_image(self.name, disk_format='raw', container_format='bare', data=b'x',
                                       allow_duplicates=True).id for _ in range(5)}
        found = [image.id for image in images.images(name=self.name, limit=2)]
        self.assertEqual((5, created), (len(found), set(found)))


class TestWithoutAuthentication(ClientTests, unittest.TestCase):

    owner = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = GlanceServer()
        cls.addClassCleanup(cls.server.cleanup)
        cls.server.start()
        cls.environment = {'OS_AUTH_TYPE': 'none', 'OS_ENDPOINT': cls.server.url}
        cls.glance_environment = {'OS_IMAGE_URL': cls.server.url, 'OS_AUTH_TOKEN': 'any'}
        cls.connection_options = {'auth_type': 'none', 'endpoint': cls.server.url}

    def test_address_as_arguments(self):
        created = self.create()
        self.environment = {}
        rows = self.call_json('--os-auth-type', 'none', '--os-endpoint', self.server.url, 'image', 'list')
        self.assertIn(created['id'], [row['ID'] for row in rows])

    def test_glance_publishes(self):
        self.assertEqual('public', self.glance_create('--visibility=public')['visibility'])


class TestWithKeystone(ClientTests, unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        keystone = shared_keystone()
        cls.server = GlanceServer(flavor='keystone', settings=keystone.glance_settings())
        cls.addClassCleanup(cls.server.cleanup)
        cls.server.start()
        region = keystone.publish_image_endpoint(cls.server.url)
        cls.addClassCleanup(keystone.withdraw_image_endpoint, region)
        cls.owner = keystone.project_id('demo')
        cls.environment = cls.glance_environment = {**keystone.environment('demo'), 'OS_REGION_NAME': region}
        cls.admin_environment = {**keystone.environment('admin'), 'OS_REGION_NAME': region}
        cls.connection_options = {name.removeprefix('OS_').lower(): value for name, value in cls.environment.items()}

    def test_publishing_is_for_administrators(self):
        self.assertIn('403', self.fail_to_call('openstack', 'image', 'create', '--public', self.name))
        self.glance_environment = self.admin_environment
        self.assertEqual('public', self.glance_create('--visibility=public')['visibility'])

    def test_wrong_password(self):
        self.environment = {**self.environment, 'OS_PASSWORD': 'wrong'}
        self.assertIn('401', self.fail_to_call('openstack', 'image', 'list'))


def make_qcow2(folder):
    """A qcow2 file of VIRTUAL_SIZE bytes with some data in it, made by qemu-img."""
    raw, qcow2 = folder / 'disk.raw', folder / 'cirros.qcow2'
    with raw.open('wb') as file:
        file.write(os.urandom(100_000))
        file.truncate(VIRTUAL_SIZE)
    subprocess.run(['qemu-img', 'convert', '-q', '-f', 'raw', '-O', 'qcow2', raw, qcow2], check=True,
                   stdin=subprocess.DEVNULL, timeout=60)
    raw.unlink()
    return qcow2


def read_table(text):
    """First column → second column of a table that glance printed, without its heading."""
    rows: dict[str, str] = {}
    key = ''
    for line in text.splitlines():
        if line.startswith('|'):
            left, right = (cell.strip() for cell in line.strip('|').split('|'))
            key = left or key  # a long value goes on in the next line
            rows[key] = rows.get(key, '') + right
    return dict(list(rows.items())[1:])


def run_on_terminal(command, environment):
    """Run a program on a pseudo terminal; everything it printed there.

    :raises AssertionError: it failed
    """
    terminal, end = pty.openpty()
    process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=end, stderr=end)
    os.close(end)
    watchdog = threading.Timer(120, process.kill)
    watchdog.start()
    printed = b''
    with open(terminal, 'rb', buffering=0) as reader:
        while True:
            try:
                printed += reader.read(4096)
            except OSError:  # Linux: the program closed its end
                break
    code = process.wait()
    watchdog.cancel()
    text = printed.decode(errors='replace')
    if code:
        raise AssertionError(f'{command} ended with {code}: {text}')
    return text
