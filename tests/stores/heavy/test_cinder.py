"""The Cinder driver against a real Cinder, with volumes in Ceph and on (what stands in for) NFS.

Each test has a volume type of its own, by which its volumes are told from those of others. A volume takes seconds: where
the conformance suite makes dozens of them, fewer are made here, which is said beside each.
"""
import contextlib
import functools
import multiprocessing
import os
import pathlib
import signal
import sys
import tempfile
import threading
import unittest
import uuid

from cinderclient import client as cinder
from keystoneauth1 import session
from keystoneauth1.identity import v3
from oslo_context import context as request_context

from glance import exceptions
from glance.context import RequestContext
from glance.store.base import Location
from glance.store.drivers import cinder_volumes
from glance.store.drivers.cinder import CinderStore
from tests.harness.backend import ROOT, Backend, shared_backend
from tests.harness.store_options import store_options
from tests.store_conformance.suite import MIB, StoreConformance

GIB = cinder_volumes.GIB


def make_options(described: dict[str, str], folder: str, volume_type: str | None, **values):
    return store_options('cinder', **{
        'cinder_store_auth_address': described['CINDER_AUTH'], 'cinder_store_user_name': described['CINDER_USER'],
        'cinder_store_password': described['CINDER_PASSWORD'], 'cinder_store_project_name': described['CINDER_PROJECT'],
        'cinder_volume_type': volume_type, 'cinder_mount_point_base': f'{folder}/mnt',
        'rootwrap_config': f'{folder}/rootwrap.conf', **values})


def make(described: dict[str, str], folder: str, volume_type: str | None, **values) -> CinderStore:
    return CinderStore('cinder', make_options(described, folder, volume_type, **values), f'{folder}/locks')


def admin_client(described: dict[str, str]):
    auth = v3.Password(described['CINDER_AUTH'], username='admin', password=described['CINDER_PASSWORD'],
                       project_name='admin', user_domain_id='default', project_domain_id='default')
    return cinder.Client('3.54', session=session.Session(auth=auth))


@functools.cache
def shared_cinder() -> dict[str, str]:
    """The running Cinder; what os-brick needs to reach its volumes in Ceph is put into this environment."""
    described = shared_backend('cinder')
    Backend('ceph').run('link', sys.prefix)
    return described


def write_rootwrap(folder: str) -> None:
    """What glance-rootwrap permits: the filters of the package, and programs of this environment."""
    binaries = pathlib.Path(sys.executable).parent
    pathlib.Path(folder, 'rootwrap.conf').write_text(
        f'[DEFAULT]\nfilters_path = {ROOT}/etc/glance/rootwrap.d\n'
        f'exec_dirs = {binaries},/sbin,/usr/sbin,/bin,/usr/bin\n')


def open_and_wait(factory, location: Location, ready) -> None:
    """In a child process: read without an end, and say so."""
    reader = factory().open(location)
    reader.readinto(memoryview(bytearray(1)))
    ready.set()
    signal.pause()


class VolumeType:
    """Mixin to a TestCase: a volume type of its own on one of the backends."""

    backend = 'ceph'
    properties: dict[str, str] = {}
    values: dict[str, object] = {}

    def setUp(self):
        self.described = shared_cinder()
        self.admin = admin_client(self.described)
        folder = tempfile.TemporaryDirectory(prefix='glance-test-')
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        write_rootwrap(self.folder)
        self.volume_type = self.admin.volume_types.create('glance-%s' % uuid.uuid4().hex)
        self.volume_type.set_keys({'volume_backend_name': self.backend, **self.properties})
        self.addCleanup(self._remove_volumes)
        self.factory = functools.partial(make, self.described, self.folder, self.volume_type.name, **self.values)
        super().setUp()

    def volumes(self):
        return [volume for volume in self.admin.volumes.list(search_opts={'all_tenants': 1})
                if volume.volume_type == self.volume_type.name]

    def pieces(self):
        return {volume.id for volume in self.volumes() if volume.status not in ('deleting', 'error_deleting')}

    def _remove_volumes(self):
        helper = cinder_volumes.Volumes(self.admin, None, 60)
        for volume in self.volumes():
            for attachment in self.admin.attachments.list(search_opts={'volume_id': volume.id, 'all_tenants': 1}):
                self.admin.attachments.delete(attachment.id)
            helper.remove_quietly(volume.id)
        for _ in cinder_volumes._pauses(60):
            if not self.volumes():
                break
        self.admin.volume_types.delete(self.volume_type)


class ConformanceOnCeph(VolumeType, StoreConformance, unittest.TestCase):

    def test_round_trip_of_many_lengths(self):
        """Fewer lengths than elsewhere: there are no blocks or parts whose borders could matter below a GiB."""
        for length in (0, 1, MIB + 1):
            for size in (None, length):
                content = os.urandom(length)
                location = self.put(content, str(uuid.uuid4()), size)
                self.assertEqual(content, self.get(location))
                self.assertEqual(length, self.store.size(location))

    def test_race_of_commits(self):
        """Once instead of ten times."""
        self._check_race(str(uuid.uuid4()))


class ConformanceOnNfs(VolumeType, StoreConformance, unittest.TestCase):
    """Only what differs by how a volume is connected; the rest is the same code and was shown on Ceph."""

    backend = 'nfs'
    test_round_trip_of_many_lengths = ConformanceOnCeph.test_round_trip_of_many_lengths
    test_large_object_through_the_pipeline = None
    test_url_is_of_the_store = None
    test_second_object_of_an_image = None
    test_race_of_commits = None
    test_of_two_writers_one_wins = None
    test_foreign_location = None
    test_walk_tells_size_and_age = None
    test_zero_runs_do_not_change_the_digest = None
    test_failing_source_leaves_nothing = None
    test_nothing_is_visible_before_commit = None
    test_range_outside_the_object = None
    test_discard_and_sweep_spare_the_living = None
    test_sweep_after_a_killed_writer = None

    def test_exports_are_mounted_as_long_as_they_are_used(self):
        location = self.put(b'0123456789')
        mounts = pathlib.Path(self.folder, 'mnt', 'nfs')
        first, second = self.store.open(location), self.store.open(location, 5)
        [folder] = mounts.iterdir()
        self.assertTrue(os.path.ismount(folder))
        first.close()
        self.assertTrue(os.path.ismount(folder))
        second.close()
        self.assertEqual([], list(mounts.iterdir()))
        self.assertEqual([], list(pathlib.Path(self.folder, 'mnt', '_state').iterdir()))


class Volumes(VolumeType, unittest.TestCase):
    """What the driver promises beyond the suite, on Ceph."""

    def setUp(self):
        super().setUp()
        self.store = self.factory()
        self.addCleanup(self.store.close)
        self.image_id, self.attempt = str(uuid.uuid4()), str(uuid.uuid4())

    def write(self, content: bytes, size: int | None = None, store: CinderStore | None = None):
        writer = (store or self.store).writer(self.image_id, size, self.attempt)
        writer.write(memoryview(content))
        return writer

    def read(self, location: Location, offset: int = 0, length: int | None = None, store: CinderStore | None = None):
        reader = (store or self.store).open(location, offset, length)
        try:
            content, buffer = bytearray(), memoryview(bytearray(MIB))
            while count := reader.readinto(buffer):
                content += buffer[:count]
            return bytes(content)
        finally:
            reader.close()

    def only_volume(self):
        [volume] = self.volumes()
        return volume

    def test_what_is_noted_beside_a_volume(self):
        context = RequestContext(project_id='p' * 32, user_id='u', auth_token='t')
        context.update_store()
        self.addCleanup(vars(request_context._request_store).pop, 'context', None)
        writer = self.write(b'content', 7)
        volume = self.only_volume()
        self.assertEqual(('image-%s' % self.image_id, 1, 'in-use'), (volume.name, volume.size, volume.status))
        self.assertEqual({'glance_image_id': self.image_id, 'image_size': '7', 'image_owner': 'p' * 32,
                          'glance_incomplete': self.attempt}, without(volume.metadata, 'glance_alive'))
        location = writer.commit()
        volume = self.only_volume()
        self.assertEqual({'glance_image_id': self.image_id, 'image_size': '7', 'image_owner': 'p' * 32, 'readonly': 'True'},
                         volume.metadata)
        self.assertEqual('available', volume.status)
        self.assertEqual('cinder://cinder/%s' % volume.id, location.url)
        self.assertEqual({'store': 'cinder'}, location.metadata)

    def test_locations_with_and_without_a_store(self):
        volume_id = self.write(b'content').commit().url.rpartition('/')[2]
        unnamed = CinderStore(None, self.store._options, f'{self.folder}/locks')
        self.addCleanup(unnamed.close)
        self.assertEqual(Location('cinder://' + volume_id, {}), unnamed.location(volume_id))
        for url in ('cinder://' + volume_id, 'cinder://cinder/' + volume_id, 'cinder://other.name/' + volume_id):
            for store in (self.store, unnamed):
                self.assertEqual(7, store.size(Location(url)))
        self.assertEqual(b'content', self.read(Location('cinder://' + volume_id)))
        for url in ('cinder://' + volume_id.upper(), 'cinder:///' + volume_id, 'cinder://a/b/' + volume_id,
                    'cinder://cinder/%s?x' % volume_id, 'cinder://u@' + volume_id, 'cinder://cinder/image'):
            with self.assertRaises(exceptions.BadLocation, msg=url):
                self.store.size(Location(url))

    def test_volume_tells_its_image(self):
        location = self.write(b'content').commit()
        self.assertEqual(self.image_id, self.store.made_for(location))
        for url in ('cinder://cinder/' + self.image_id, 'cinder://cinder/x'):
            self.assertIsNone(self.store.made_for(Location(url)))

    def test_volume_that_cannot_grow(self):
        project = self.store._volumes().client.client.get_project_id()
        self.admin.quotas.update(project, **{'gigabytes_' + self.volume_type.name: 1})
        self.addCleanup(self.admin.quotas.update, project, **{'gigabytes_' + self.volume_type.name: -1})
        writer = self.write(b'begin')
        writer.hole(GIB - 5)
        with self.assertRaises(exceptions.StoreFull):
            writer.write(memoryview(b'x'))
        writer.abort()
        self.assertEqual(set(), self.pieces())

    def test_image_of_unknown_size_larger_than_a_volume(self):
        self._check_growth(self.store)

    def _check_growth(self, store):
        writer = self.write(b'begin', None, store)
        writer.hole(GIB - 8)
        writer.write(memoryview(b'border'))
        writer.hole(GIB)
        writer.write(memoryview(b'end'))
        location = writer.commit()
        self.assertEqual(4, self.only_volume().size, '1 GiB, and 1, and 2')
        self.assertEqual(2 * GIB + 6, store.size(location))
        self.assertEqual(b'begin\0', self.read(location, 0, 6, store))
        self.assertEqual(b'\0border\0', self.read(location, GIB - 4, 8, store))
        self.assertEqual(b'\0end', self.read(location, 2 * GIB + 2, None, store))

    def test_growing_while_attached(self):
        store = self.factory(cinder_do_extend_attached=True)
        self.addCleanup(store.close)
        self._check_growth(store)

    def test_volume_in_use_is_not_deleted(self):
        location = self.write(b'content').commit()
        reader = self.store.open(location)
        with self.assertRaises(exceptions.ObjectInUse):
            self.store.delete(location)
        self.assertEqual(7, reader.readinto(memoryview(bytearray(7))))
        reader.close()
        self.store.delete(location)
        self.assertEqual(set(), self.pieces())

    def test_volume_with_a_snapshot_is_not_deleted(self):
        location = self.write(b'content').commit()
        volume = self.only_volume()
        snapshot = self.store._volumes().client.volume_snapshots.create(volume.id)
        for _ in cinder_volumes._pauses(60):
            if self.admin.volume_snapshots.get(snapshot.id).status == 'available':
                break
        with self.assertRaises(exceptions.ObjectInUse):
            self.store.delete(location)
        self.admin.volume_snapshots.delete(snapshot.id)
        for _ in cinder_volumes._pauses(60):
            with contextlib.suppress(exceptions.ObjectInUse):
                self.store.delete(location)
                break
        self.assertEqual(set(), self.pieces())

    def test_readers_share_an_attachment(self):
        location = self.write(b'0123456789').commit()
        first, second = self.store.open(location), self.store.open(location, 5, 2)
        self.assertEqual(1, len(self.only_volume().attachments))
        first.close()
        self.assertEqual(1, len(self.only_volume().attachments))
        buffer = bytearray(9)
        self.assertEqual(2, second.readinto(memoryview(buffer)))
        self.assertEqual(b'56', buffer[:2])
        second.close()
        self.assertEqual([], self.only_volume().attachments, 'kept only where others could attach it too')

    def test_volume_that_somebody_holds_is_waited_for(self):
        location = self.write(b'content').commit()
        volume = self.only_volume()
        client = self.store._volumes().client
        held = client.attachments.create(volume.id, None, mode='ro')
        store = self.factory(cinder_attachment_retry_attempts=1)
        self.addCleanup(store.close)
        with self.assertRaises(exceptions.StoreUnavailable):
            store.open(location)
        reading = threading.Thread(target=lambda: self.assertEqual(b'content', self.read(location)))
        reading.start()
        client.attachments.delete(held['id'])
        reading.join(60)
        self.assertFalse(reading.is_alive())

    def test_dead_writer_is_found_by_its_attempt_and_age(self):
        volume = self._leave_behind()
        self.assertEqual([], self.store.sweep(3600))
        self.assertEqual(0, self.store.discard(self.image_id, str(uuid.uuid4())))
        self.assertEqual([], list(self.store.walk()))
        with self.assertRaises(exceptions.ObjectNotFound):
            self.store.open(self.store.location(volume.id))
        self.assertEqual(GIB, self.store.discard(self.image_id, self.attempt))
        volume = self._leave_behind()
        self.admin.volumes.set_metadata(volume.id, {'glance_alive': '1'})
        self.assertEqual([volume.id], self.store.sweep(3600))
        self.assertEqual(set(), self.pieces())

    def _leave_behind(self):
        """What a process leaves that dies: a volume that is attached."""
        volumes = self.store._volumes()
        volume = volumes.create(self.image_id, self.attempt, None, None)
        volumes.client.attachments.create(volume.id, None, mode='rw')
        return volume

    def test_attachment_of_a_dead_reader_is_ended(self):
        location = self.write(b'content').commit()
        self._kill_reader(location)
        self.assertEqual(1, len(self.only_volume().attachments))
        self.assertEqual(b'content', self.read(location))
        self._kill_reader(location)
        self.store.sweep()
        self.assertEqual([], self.only_volume().attachments)

    def _kill_reader(self, location):
        context = multiprocessing.get_context('spawn')
        ready = context.Event()
        child = context.Process(target=open_and_wait, args=(self.factory, location, ready))
        child.start()
        try:
            self.assertTrue(ready.wait(60))
        finally:
            child.kill()
            child.join()

    def test_quota_and_unknown_type(self):
        store = self.factory()
        self.addCleanup(store.close)
        with self.assertRaises(exceptions.StoreFull):
            store.writer(self.image_id, 6000 * GIB)
        missing = make(self.described, self.folder, 'no-such-type')
        self.addCleanup(missing.close)
        with self.assertRaises(exceptions.StoreError), self.assertLogs('glance', 'ERROR') as logged:
            missing.writer(self.image_id)
        self.assertIn('no-such-type', logged.output[0])
        self.assertEqual(set(), self.pieces())

    def test_wrong_password_and_wrong_address(self):
        for values in ({'cinder_store_password': 'S3CR3T'}, {'cinder_endpoint_template': 'http://127.0.0.1:1/S3CR3T'},
                       {'cinder_store_auth_address': 'http://127.0.0.1:1/v3'}):
            store = self.factory(cinder_http_retries=0, **values)
            self.addCleanup(store.close)
            with self.assertLogs('glance', 'ERROR') as logged, self.assertRaises(exceptions.StoreUnavailable) as caught:
                store.writer(self.image_id)
            self.assertNotIn('S3CR3T', '%s %s' % (caught.exception, logged.output))

    def test_connection_that_fails_is_undone(self):
        location = self.write(b'content').commit()
        attacher = self.store.attacher
        attacher.connector = lambda protocol, connection: FailingConnector()
        with self.assertLogs('glance', 'ERROR') as logged, self.assertRaises(exceptions.StoreUnavailable):
            self.store.open(location)
        self.assertNotIn('auth_username', '%s' % logged.output)
        self.assertEqual([(True, True)], FailingConnector.disconnected)
        self.assertEqual([], self.only_volume().attachments)

    def test_endpoint_template(self):
        store = self.factory(cinder_endpoint_template=self.described['CINDER_URL'])
        self.addCleanup(store.close)
        self.assertEqual([], list(store.walk()))


class FailingConnector:
    """What os-brick does where a volume cannot be connected."""

    disconnected: list[tuple[bool, bool]] = []

    def connect_volume(self, connection):
        raise OSError('no such device; %s' % connection)

    def disconnect_volume(self, connection, connected, force, ignore_errors):
        self.disconnected.append((force, ignore_errors))


class SharedVolumes(VolumeType, unittest.TestCase):
    """Volumes that can be attached several times."""

    properties = {'multiattach': '<is> True'}

    def test_attachment_is_kept_for_a_while(self):
        store, other = self.factory(cinder_attachment_idle=3600), self.factory(cinder_attachment_idle=0)
        self.addCleanup(store.close)
        self.addCleanup(other.close)
        writer = store.writer(str(uuid.uuid4()))
        writer.write(memoryview(b'content'))
        location = writer.commit()
        kept = set()
        for each in (store, store, other):
            reader = each.open(location)
            buffer = bytearray(8)
            self.assertEqual(7, reader.readinto(memoryview(buffer)))
            reader.close()
            [volume] = self.volumes()
            kept |= {attachment['attachment_id'] for attachment in volume.attachments}
            self.assertEqual(1, len(kept), 'the second reader took that of the first, the other store let go of its own')
        with self.assertRaises(exceptions.ObjectInUse):
            other.delete(location)
        store.delete(location)
        self.assertEqual(set(), self.pieces())


class UserMode(VolumeType, unittest.TestCase):
    """Volumes that belong to those who upload."""

    values = {'cinder_store_user_name': None, 'cinder_store_password': None, 'cinder_store_project_name': None,
              'cinder_store_auth_address': None}

    def setUp(self):
        super().setUp()
        self.store = self.factory()
        self.addCleanup(self.store.close)
        self.addCleanup(vars(request_context._request_store).pop, 'context', None)

    def act_as(self, user, project):
        login = session.Session(auth=v3.Password(
            self.described['CINDER_AUTH'], username=user, password=self.described['CINDER_PASSWORD'], project_name=project,
            user_domain_id='default', project_domain_id='default'))
        catalog = [{'type': 'volumev3', 'name': 'cinderv3', 'endpoints': [
            {'region': 'RegionOne', 'publicURL': login.get_endpoint(service_type='volumev3')}]}]
        context = RequestContext(auth_token=login.get_token(), project_id=login.get_project_id(),
                                 user_id=login.get_user_id(), service_catalog=catalog)
        context.update_store()
        return context

    def test_volumes_belong_to_the_caller(self):
        image_id = str(uuid.uuid4())
        demo = self.act_as('demo', 'demo')
        writer = self.store.writer(image_id, 7)
        writer.write(memoryview(b'content'))
        location = writer.commit()
        [volume] = self.volumes()
        self.assertEqual(demo.project_id, getattr(volume, 'os-vol-tenant-attr:tenant_id'))
        self.assertEqual(7, self.store.size(location))
        self.act_as('alt', 'alt')
        with self.assertRaises(exceptions.ObjectNotFound):
            self.store.open(location)
        demo.update_store()
        reader = self.store.open(location)
        buffer = bytearray(8)
        self.assertEqual(7, reader.readinto(memoryview(buffer)))
        reader.close()
        self.store.delete(location)
        self.assertEqual(set(), self.pieces())

    def test_nothing_without_a_caller(self):
        self.assertEqual([], self.store.sweep(0))
        with self.assertRaises(exceptions.WalkNotSupported):
            list(self.store.walk())
        with self.assertRaises(exceptions.StoreError):
            self.store.writer(str(uuid.uuid4()))
        self.act_as('demo', 'demo').service_catalog.clear()
        with self.assertRaises(exceptions.StoreError), self.assertLogs('glance', 'ERROR') as logged:
            self.store.writer(str(uuid.uuid4()))
        self.assertIn('volumev3::publicURL', logged.output[0])


def without(values: dict, name: str) -> dict:
    return {key: value for key, value in values.items() if key != name}
