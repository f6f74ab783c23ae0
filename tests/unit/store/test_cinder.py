"""What the Cinder driver decides without a Cinder: options, errors, what is connected, who uses an export."""
import json
import os
import pathlib
import subprocess
import tempfile
import threading
import types
import unittest
import unittest.mock

from cinderclient import exceptions as cinder_errors
from keystoneauth1 import exceptions as keystone_errors
from os_brick import exception as brick_errors

from glance import exceptions
from glance.store.drivers import cinder_attachments, cinder_client, cinder_volumes
from glance.store.drivers.cinder_exports import Exports
from glance.store.drivers.cinder_marks import Marks
from glance.store.drivers.cinder_objects import SharedAttachments
from tests.unit.store.test_backends import BackendsTestCase

GIB = cinder_volumes.GIB
USER = ('cinder_store_auth_address = http://127.0.0.1:1/v3\ncinder_store_user_name = glance\n'
        'cinder_store_project_name = service\n')


class OptionsTest(BackendsTestCase):
    section = '[DEFAULT]\nenabled_backends = volumes:cinder\n[glance_store]\ndefault_backend = volumes\n%s[volumes]\n'
    locks = '[oslo_concurrency]\nlock_path = @/locks\n'

    def test_store_is_made_without_a_server(self):
        backends = self.backends(self.section % self.locks + USER + 'cinder_store_password = S3CR3T\n'
                                 'cinder_volume_type = images\ncinder_use_multipath = true\n')
        store = backends.get('volumes')
        self.assertEqual(('cinder://volumes/',), store.url_prefixes)
        self.assertEqual({'volume_type': 'images', 'use_multipath': True}, store.details)
        self.assertIs(store, backends.for_location('cinder://0f0e9a34-3d2b-4a57-8a1c-1c9d2e3f4a5b'))

    def test_what_is_refused(self):
        for options, expected in (
                (USER, '[volumes] cinder_store_password is not set'),
                ('cinder_store_auth_address =\ncinder_store_application_credential_id = x\n',
                 '[volumes] cinder_store_application_credential_secret is not set'),
                ('cinder_store_application_credential_id = x\ncinder_store_application_credential_secret = S3CR3T\n',
                 '[volumes] cinder_store_auth_address is not set'),
                ('cinder_catalog_info = volumev3:publicURL\n', '[volumes] cinder_catalog_info = volumev3:publicURL'),
                ('cinder_catalog_info = :cinder:publicURL\n', '[volumes] cinder_catalog_info = :cinder:publicURL')):
            text = self.assert_refused(self.section % self.locks + options)
            self.assertIn(expected, text)
            self.assertNotIn('S3CR3T', text)

    def test_locks_need_a_directory(self):
        self.assertIn('[oslo_concurrency] lock_path is not set', self.assert_refused(self.section % ''))


class ErrorsTest(unittest.TestCase):

    def test_meaning(self):
        for error, expected in (
                (cinder_errors.NotFound(404), exceptions.ObjectNotFound), (cinder_errors.OverLimit(413), exceptions.StoreFull),
                (cinder_errors.Forbidden(403), exceptions.StoreForbidden), (cinder_errors.BadRequest(400), exceptions.StoreError),
                (cinder_errors.ClientException(503), exceptions.StoreUnavailable),
                (keystone_errors.Unauthorized(), exceptions.StoreUnavailable),
                (keystone_errors.ConnectFailure(), exceptions.StoreUnavailable),
                (OSError(28, 'S3CR3T'), exceptions.StoreFull), (OSError(13, 'S3CR3T'), exceptions.StoreWriteDenied),
                (OSError(5, 'S3CR3T'), exceptions.StoreUnavailable),
                (brick_errors.BrickException('S3CR3T'), exceptions.StoreUnavailable),
                (subprocess.CalledProcessError(1, ['mount', 'S3CR3T'], stderr=b'refused'), exceptions.StoreUnavailable)):
            records = []
            with self.subTest(error), unittest.mock.patch.object(cinder_client.LOG, 'error', lambda *args: records.append(args)), \
                    self.assertRaises(exceptions.StoreError) as caught, cinder_client.errors('Store x'):
                raise error
            self.assertIs(expected, type(caught.exception))
            self.assertNotIn('S3CR3T', '%s %s' % (caught.exception, records))

    def test_other_errors_stay_as_they_are(self):
        for error in (exceptions.ObjectInUse(), ZeroDivisionError()):
            with self.assertRaises(type(error)) as caught, cinder_client.errors('Store x'):
                raise error
            self.assertIs(error, caught.exception)
            self.assertIsNone(caught.exception.__cause__)


class FakeHandle:
    """What os-brick gives for a volume in Ceph."""

    def __init__(self, size):
        self.rbd_image = types.SimpleNamespace(size=lambda: size, flush=lambda: None)


class ConnectionTest(unittest.TestCase):
    volume = types.SimpleNamespace(id='a', size=1, multiattach=False)

    def attachment(self, handle=None):
        connector = types.SimpleNamespace(connect_volume=lambda connection: {'path': handle})
        attacher = types.SimpleNamespace(connector=lambda protocol, connection: connector, root_helper=[], marks=None)
        return cinder_attachments.Attachment(attacher, None, self.volume, 'b')

    def test_connection_of_another_volume_is_refused(self):
        with self.assertLogs('glance', 'ERROR'), self.assertRaises(exceptions.StoreUnavailable):
            self.attachment().connect({'driver_volume_type': 'rbd', 'volume_id': 'other'}, GIB, False)

    def test_device_of_another_size_is_refused(self):
        connection = {'driver_volume_type': 'rbd', 'volume_id': 'a'}
        self.attachment(FakeHandle(GIB)).connect(connection, GIB, False)
        with unittest.mock.patch.object(cinder_attachments, '_SIZE_SECONDS', 0), self.assertLogs('glance', 'ERROR'), \
                self.assertRaises(exceptions.StoreUnavailable):
            self.attachment(FakeHandle(GIB - 1)).connect(connection, GIB, False)

    def test_volumes_on_nfs_that_are_not_raw_are_refused(self):
        for special in ({'format': 'qcow2'}, {'encrypted': True}):
            with self.assertLogs('glance', 'ERROR'), self.assertRaises(exceptions.StoreError):
                self.attachment().connect({'driver_volume_type': 'nfs', 'export': 'host:/x', 'name': 'y', **special}, GIB, False)


class ExportsTest(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.base = pathlib.Path(folder.name, 'mnt')
        self.commands = []
        self.mounted = set()
        self.exports = Exports(str(self.base), ['helper'], os.path.join(folder.name, 'locks'))
        self.exports._run = self.run_command
        self.enterContext(unittest.mock.patch('os.path.ismount', lambda path: path in self.mounted))

    def run_command(self, *command):
        self.commands.append(command[:-1])
        (self.mounted.add if command[0] == 'mount' else self.mounted.discard)(command[-1])

    def state(self):
        return next(self.base.joinpath('_state').iterdir())

    def test_who_leaves_last_unmounts(self):
        first = self.exports.use('host:/x', '-o ro', 'first')
        self.assertEqual(first, self.exports.use('host:/x', '-o ro', 'second'))
        self.assertEqual([('mount', '-t', 'nfs', '-o', 'ro', 'host:/x')], self.commands)
        self.assertNotEqual(first, self.exports.use('host:/y', None, 'third'))
        self.exports.leave('host:/x', 'first')
        self.assertIn(first, self.mounted)
        self.exports.leave('host:/x', 'second')
        self.assertNotIn(first, self.mounted)
        self.assertFalse(os.path.exists(first))

    def test_dead_users_do_not_count(self):
        folder = self.exports.use('host:/x', None, 'first')
        noted = json.loads(self.state().read_text())
        noted['users']['dead'] = [os.getpid(), 1]       # another process had this id
        self.state().write_text(json.dumps(noted))
        self.exports.leave('host:/x', 'first')
        self.assertNotIn(folder, self.mounted)

    def test_damaged_state_is_written_anew(self):
        self.exports.use('host:/x', None, 'first')
        self.state().write_text('{')
        with self.assertLogs('glance', 'WARNING'):
            self.exports.use('host:/x', None, 'second')
        self.assertEqual(['second'], list(json.loads(self.state().read_text())['users']))


class MarksTest(unittest.TestCase):

    def test_who_lives(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = os.path.join(folder.name, 'marks')
        mine, other = Marks(path), Marks(path)
        self.assertEqual([], list(other.dead()))
        for name in ('a', 'b', 'c'):
            mine.set(name)
        self.addCleanup(mine.clear, 'c')
        self.assertEqual([], list(other.dead()))
        mine.clear('a')
        mine.give_up('b')
        self.assertEqual(['b'], list(other.dead()))
        self.assertFalse(other.is_dead('of another host'))
        other.clear('b')
        self.assertEqual([], list(other.dead()))


class SharedAttachmentsTest(unittest.TestCase):

    def setUp(self):
        self.attached, self.detached = [], threading.Semaphore(0)

    def attach(self):
        self.attached.append(types.SimpleNamespace(detach=self.detached.release))
        return self.attached[-1]

    def test_idle_attachment_ends_by_itself(self):
        pool = SharedAttachments()
        pool.borrow('a', self.attach, 0.01).give_back()
        self.assertTrue(self.detached.acquire(timeout=60))
        pool.borrow('a', self.attach, 3600).give_back()
        pool.borrow('a', self.attach, 3600).give_back()
        self.assertEqual(2, len(self.attached))
        pool.close()
        self.assertTrue(self.detached.acquire(timeout=60))
        self.assertEqual({}, pool._entries)

    def test_failed_attachment_leaves_nothing(self):
        pool = SharedAttachments()
        with self.assertRaises(ZeroDivisionError):
            pool.borrow('a', lambda: 1 // 0, 3600)
        self.assertEqual({}, pool._entries)

    def test_what_is_read_is_not_dropped(self):
        pool = SharedAttachments()
        entry = pool.borrow('a', self.attach, 0)
        pool.drop('a')
        self.assertIs(self.attached[0], entry.attachment)
        entry.give_back()
        self.assertTrue(self.detached.acquire(timeout=60))
