"""The RBD driver against a real Ceph cluster, each class in a pool of its own, as a user with the documented rights."""
import contextlib
import functools
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest
import uuid

from tests.harness.backend import ROOT, Backend, shared_backend
from tests.harness.store_options import store_options

try:
    import rbd
except ImportError:
    Backend('ceph').run('link', sys.prefix)     # no package index has the bindings
    import rbd
import rados

from glance import exceptions
from glance.store.base import Location
from glance.store.drivers.rbd import RbdStore
from glance.transfer import pipeline, sources
from tests.store_conformance.suite import MIB, StoreConformance
from tests.stores.test_served import Service

BLOCK = MIB
QUOTA_SECONDS = 60
CONFIGURATION = """
[DEFAULT]
enabled_backends = ceph:rbd, web:http
[glance_store]
default_backend = ceph
[ceph]
rbd_store_ceph_conf = %(path)s
rbd_store_user = %(pool)s
rbd_store_pool = %(pool)s
"""


def make(path: str, pool: str, **values) -> RbdStore:
    return RbdStore.from_options(store_options('rbd', **{
        'rbd_store_ceph_conf': path, 'rbd_store_user': pool, 'rbd_store_pool': pool, 'rbd_store_chunk_size': BLOCK // MIB,
        **values}), 'ceph')


class Pool:
    """Mixin to a TestCase: a pool for the class, empty for each test, and a user of the same name who may use it."""

    values = {}

    @classmethod
    def setUpClass(cls):
        server = shared_backend('ceph')
        cls.admin = rados.Rados(conffile=server['CEPH_CONF'], rados_id='admin')
        cls.admin.connect(timeout=30)
        cls.addClassCleanup(cls.admin.shutdown)
        cls.pool = 'glance-test-%s' % uuid.uuid4().hex
        cls.command('config set', who='mon', name='mon_allow_pool_delete', value='true')
        cls.command('osd pool create', pool=cls.pool, pg_num=8)
        cls.addClassCleanup(cls.command, 'osd pool delete', pool=cls.pool, pool2=cls.pool,
                            yes_i_really_really_mean_it=True)
        cls.ioctx = cls.admin.open_ioctx(cls.pool)
        cls.addClassCleanup(cls.ioctx.close)
        rbd.RBD().pool_init(cls.ioctx, False)
        cls.configuration = cls._write_configuration(server['CEPH_CONF'])
        super().setUpClass()

    @classmethod
    def _write_configuration(cls, original):
        """The file of the cluster with a user of the pool; the path of its own copy."""
        rights = 'profile rbd pool=%s' % cls.pool
        user = 'client.%s' % cls.pool
        keyring = cls.command('auth get-or-create', entity=user, caps=['mon', 'profile rbd', 'osd', rights, 'mgr', rights])
        cls.addClassCleanup(cls.command, 'auth del', entity=user)
        folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        pathlib.Path(folder, 'keyring').write_text(keyring)
        path = pathlib.Path(folder, 'ceph.conf')
        path.write_text('%s\n[%s]\nkeyring = %s/keyring\n' % (pathlib.Path(original).read_text(), user, folder))
        return str(path)

    @classmethod
    def command(cls, prefix, **arguments):
        """Give the cluster an order; what it says. Raises AssertionError when it refuses."""
        code, output, text = cls.admin.mon_command(json.dumps({'prefix': prefix, **arguments}), b'')
        if code:
            raise AssertionError('%s: %s' % (prefix, text))
        return output.decode()

    def setUp(self):
        self.addCleanup(self._empty)
        self.factory = functools.partial(make, self.configuration, self.pool, **self.values)
        super().setUp()

    def _empty(self):
        for entry in list(rbd.RBD().trash_list(self.ioctx)):
            rbd.RBD().trash_restore(self.ioctx, entry['id'], '')
        for name in sorted(rbd.RBD().list(self.ioctx), reverse=True):       # clones, whose names are words, come first
            with rbd.Image(self.ioctx, name) as image:
                for snapshot in list(image.list_snaps()):
                    with contextlib.suppress(rbd.InvalidArgument):
                        image.unprotect_snap(snapshot['name'])
                    image.remove_snap(snapshot['name'])
            rbd.RBD().remove(self.ioctx, name)

    def pieces(self):
        return {'image %s' % name for name in rbd.RBD().list(self.ioctx)} \
            | {'trash %s' % entry['name'] for entry in rbd.RBD().trash_list(self.ioctx)}


class Conformance(Pool, StoreConformance, unittest.TestCase):
    pass


class ConformanceWithHoles(Pool, StoreConformance, unittest.TestCase):
    values = {'rbd_thin_provisioning': True}


class Objects(Pool, unittest.TestCase):
    """A store with one image, and what is done to it."""

    def setUp(self):
        super().setUp()
        self.image_id, self.attempt = str(uuid.uuid4()), str(uuid.uuid4())
        self.store = self.open_store()

    def open_store(self, **values):
        store = make(self.configuration, self.pool, **{**self.values, **values})
        self.addCleanup(store.close)
        return store

    def read(self, location, offset=0, length=None):
        reader = self.store.open(location, offset, length)
        try:
            content, buffer = bytearray(), memoryview(bytearray(100_000))
            while count := reader.readinto(buffer):
                content += buffer[:count]
            return bytes(content)
        finally:
            reader.close()

    def put(self, content, size=None, store=None):
        location, result = pipeline.store(sources.BytesSource(content), store or self.store, self.image_id,
                                          algorithm='sha256', size=size)
        self.assertEqual(len(content), result.size)
        return location

    def clone(self, version, name='child'):
        """Clone the image as other services do."""
        self.admin.conf_set('rbd_default_clone_format', str(version))
        rbd.RBD().clone(self.ioctx, self.image_id, 'snap', self.ioctx, name)


class Writing(Objects):

    def test_sizes_around_blocks(self):
        for length in (BLOCK - 1, BLOCK, BLOCK + 1, 9 * BLOCK, 9 * BLOCK + 1):
            for size in (None, length):
                content = os.urandom(length)
                location = self.put(content, size)
                self.assertEqual(length, self.store.size(location))
                self.assertEqual(content, self.read(location))
                self.assertEqual(content[BLOCK - 7:BLOCK + 1], self.read(location, BLOCK - 7, min(8, length - BLOCK + 7)))
                self.store.delete(location)
        self.assertEqual(set(), self.pieces())

    def test_what_other_services_find(self):
        content = os.urandom(3 * BLOCK)
        location = self.put(content)
        self.assertEqual('rbd://%s/%s/%s/snap' % (self.admin.get_fsid(), self.pool, self.image_id), location.url)
        self.assertEqual({'store': 'ceph'}, location.metadata)
        with rbd.Image(self.ioctx, self.image_id, snapshot='snap', read_only=True) as image:
            self.assertTrue(image.is_protected_snap('snap'))
            self.assertEqual(content, image.read(0, len(content)))
            self.assertEqual(BLOCK, image.stat()['obj_size'])

    def test_size_that_was_announced_wrongly(self):
        for size in (BLOCK, 3 * BLOCK):
            with self.assertRaises(exceptions.SizeMismatch):
                self.put(os.urandom(2 * BLOCK), size)
            self.assertEqual(set(), self.pieces())
        writer = self.store.writer(self.image_id, 1)
        writer.write(memoryview(b'more'))
        self.assertEqual(b'more', self.read(writer.commit()))

    def test_holes_take_no_space(self):
        content = os.urandom(BLOCK) + bytes(20 * BLOCK) + b'end' + bytes(5 * BLOCK)
        for thin, allocated in ((True, 2), (False, 27)):
            store = self.open_store(rbd_thin_provisioning=thin)
            location = self.put(content, store=store)
            self.assertEqual(content, self.read(location))
            with rbd.Image(self.ioctx, self.image_id, read_only=True) as image:
                prefix = image.block_name_prefix()
            self.assertEqual(allocated, sum(item.key.startswith(prefix) for item in self.ioctx.list_objects()))
            store.delete(location)

    def test_part_that_was_taken_away(self):
        writer = self.store.writer(self.image_id, None, self.attempt)
        writer.abort()
        self.assertEqual(set(), self.pieces())
        writer = self.store.writer(self.image_id, None, self.attempt)
        self.assertEqual({'image %s.part.%s' % (self.image_id, self.attempt)}, self.pieces())
        with self.assertRaises(exceptions.ObjectExists):
            self.store.writer(self.image_id, None, self.attempt)
        self.assertEqual(1, len(self.pieces()))
        writer.abort()

    def test_part_that_was_made_by_half(self):
        """As the cluster leaves it when it fails meanwhile: a name, and some of the objects of an image or none."""
        part = '%s.part.%s' % (self.image_id, self.attempt)
        for missing in (('rbd_header',), ('rbd_header', 'rbd_id')):
            for way in (lambda: self.store.sweep(0), lambda: self.store.discard(self.image_id),
                        lambda: self.store.writer(self.image_id, None, self.attempt).abort()):
                rbd.RBD().create(self.ioctx, part, 0)
                with rbd.Image(self.ioctx, part) as image:
                    keys = {'rbd_header': 'rbd_header.' + image.id(), 'rbd_id': 'rbd_id.' + part}
                for name in missing:
                    self.ioctx.remove_object(keys[name])
                if 'rbd_id' not in missing:
                    self.assertEqual([], self.store.sweep(3600), 'it may still be in the making')
                self.assertEqual({'image ' + part}, self.pieces())
                way()
                self.assertEqual(set(), self.pieces())

    def test_part_whose_making_got_no_answer(self):
        """The store is asked again, with the same attempt."""
        rbd.RBD().create(self.ioctx, '%s.part.%s' % (self.image_id, self.attempt), 0)
        writer = self.store.writer(self.image_id, None, self.attempt)
        writer.write(memoryview(b'content'))
        self.assertEqual(b'content', self.read(writer.commit()))

    def test_process_that_ends_in_the_middle(self):
        """The library would crash where images are open longer than their connection."""
        location = self.put(bytes(3 * BLOCK))
        code = ('from tests.stores.heavy.test_rbd import *\n'
                'store = make(%r, %r)\n'
                'writer = store.writer(%r)\n'
                'writer.write(memoryview(bytes(2 * BLOCK)))\n'
                'reader = store.open(Location(%r))\n'
                'reader.readinto(memoryview(bytearray(10)))\n') % (self.configuration, self.pool, str(uuid.uuid4()),
                                                                   location.url)
        done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=120, cwd=ROOT)
        self.assertEqual((0, ''), (done.returncode, done.stderr))
        self.assertEqual(1, len(self.store.sweep(older_than=0)))

    def test_ids_that_are_none(self):
        for image_id, attempt in (('x', None), (self.image_id, '../x')):
            with self.assertRaises(exceptions.Invalid):
                self.store.writer(image_id, None, attempt)


class FullPool(Objects):
    """Has no more tests: a pool stays full for a while after its quota is gone."""

    def test_full_pool(self):
        kept = self.put(b'kept')
        self.command('osd pool set-quota', pool=self.pool, field='max_bytes', val=str(8 * BLOCK))
        self.addCleanup(self.command, 'osd pool set-quota', pool=self.pool, field='max_bytes', val='0')
        writer = self.store.writer(str(uuid.uuid4()))
        content, deadline = os.urandom(BLOCK), time.monotonic() + QUOTA_SECONDS
        with self.assertRaises(exceptions.StoreFull):
            while time.monotonic() < deadline:
                writer.write(memoryview(content))       # until the cluster notices, which it does every few seconds
                time.sleep(0.2)
        writer.abort()
        self.assertEqual({'image %s' % self.image_id}, self.pieces())
        self.store.delete(kept)


class Deleting(Objects):

    def setUp(self):
        super().setUp()
        self.content = os.urandom(BLOCK + 1)
        self.location = self.put(self.content)

    def test_clone_that_needs_the_image(self):
        self.clone(1)
        with self.assertRaises(exceptions.ObjectInUse):
            self.store.delete(self.location)
        self.assertEqual(self.content, self.read(self.location))
        rbd.RBD().remove(self.ioctx, 'child')
        self.store.delete(self.location)
        self.assertEqual(set(), self.pieces())

    def test_clone_that_outlives_the_image(self):
        self.clone(2)
        self.store.delete(self.location)
        self.assertEqual({'image child', 'trash %s' % self.image_id}, self.pieces())
        with self.assertRaises(exceptions.ObjectNotFound):
            self.store.size(self.location)
        with rbd.Image(self.ioctx, 'child') as child:
            self.assertEqual(self.content, child.read(0, len(self.content)))
        self.assertEqual([], self.store.sweep())
        rbd.RBD().remove(self.ioctx, 'child')
        self.assertEqual([(self.image_id, False)], [(item.name, item.purged) for item in self.store.purge_trash(dry_run=True)])
        self.assertEqual([self.image_id], self.store.sweep())
        self.assertEqual(set(), self.pieces())

    def test_command_that_purges_the_trash(self):
        config = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()), 'glance-manage.conf')
        config.write_text(CONFIGURATION % {'path': self.configuration, 'pool': self.pool})

        def run(*arguments, code=0):
            done = subprocess.run([sys.executable, '-m', 'glance.cmd.manage', '--config-file', config, 'store', 'rbd-trash',
                                   *arguments], capture_output=True, text=True, timeout=120)
            self.assertEqual(code, done.returncode, done.stderr)
            return done.stdout or done.stderr

        self.clone(2)
        self.store.delete(self.location)
        line = 'store ceph, image %s: ' % self.image_id
        self.assertEqual(line + 'still in use\n', run())
        rbd.RBD().remove(self.ioctx, 'child')
        self.assertEqual(line + 'in the trash\n', run('--dry-run'))
        self.assertIn('ERROR: --store web is no store of type rbd; these are: ceph.', run('--store', 'web', code=1))
        self.assertEqual(line + 'removed\n', run('--store', 'ceph'))
        self.assertEqual(set(), self.pieces())

    def test_further_snapshots(self):
        with rbd.Image(self.ioctx, self.image_id) as image:
            image.create_snap('of the operator')
        self.store.delete(self.location)
        self.assertEqual({'trash %s' % self.image_id}, self.pieces())
        self.assertEqual([False], [item.purged for item in self.store.purge_trash()])
        entry = next(iter(rbd.RBD().trash_list(self.ioctx)))
        rbd.RBD().trash_restore(self.ioctx, entry['id'], '')
        with rbd.Image(self.ioctx, self.image_id, snapshot='of the operator') as image:
            self.assertEqual(self.content, image.read(0, len(self.content)))

    def test_trash_of_others_stays(self):
        rbd.RBD().trash_move(self.ioctx, self.image_id)
        self.assertEqual([], self.store.purge_trash())
        self.assertEqual([], self.store.sweep())
        self.assertEqual({'trash %s' % self.image_id}, self.pieces())

    def test_image_that_is_held_open(self):
        with rbd.Image(self.ioctx, self.image_id):
            with self.assertRaises(exceptions.ObjectInUse):
                self.store.delete(self.location)
            self.assertEqual(self.content, self.read(self.location))
        self.store.delete(self.location)

    def test_interrupted_delete_goes_on(self):
        with rbd.Image(self.ioctx, self.image_id) as image:
            image.unprotect_snap('snap')
            image.remove_snap('snap')
        self.assertEqual([self.location], [found.location for found in self.store.walk()])
        self.store.delete(self.location)
        self.assertEqual(set(), self.pieces())

    def test_discard_of_what_was_committed(self):
        self.assertEqual(0, self.store.discard(self.image_id))
        self.assertEqual(self.content, self.read(self.location))
        self.assertEqual(len(self.content), self.store.discard(self.image_id, committed=True))
        self.assertEqual(0, self.store.discard(self.image_id, committed=True))
        self.assertEqual(set(), self.pieces())


class Locations(Objects):

    def test_old_form(self):
        location = self.put(b'content')
        old = Location('rbd://%s' % self.image_id)
        self.assertEqual(b'content', self.read(old))
        self.assertEqual(7, self.store.size(old))
        self.store.delete(old)
        self.assertEqual(set(), self.pieces())
        with self.assertRaises(exceptions.ObjectNotFound):
            self.store.size(location)

    def test_forms_that_are_wrong(self):
        fsid = self.admin.get_fsid()
        for url in ('rbd://%s/%s/x' % (fsid, self.pool), 'rbd://%s/%s/x/snap/' % (fsid, self.pool),
                    'rbd://%s/%s//snap' % (fsid, self.pool), 'rbd://%s/%s/a%%2Fb/snap' % (fsid, self.pool),
                    'rbd://%s/%s/x%%40y/snap' % (fsid, self.pool), 'rbd://user@%s/%s/x/snap' % (fsid, self.pool),
                    'rbd://%s/%s/x/snap' % (uuid.uuid4(), self.pool)):
            for operation in (self.store.open, self.store.size, self.store.delete):
                with self.assertRaises(exceptions.BadLocation, msg=url):
                    operation(Location(url))

    def test_parts_are_encoded(self):
        location = self.put(b'content')
        self.assertEqual(b'content', self.read(Location(location.url.replace('snap', '%73nap'))))
        self.assertEqual(self.store.url_prefixes, (location.url.removesuffix('%s/snap' % self.image_id),))


class Connecting(Pool, unittest.TestCase):

    def store_of(self, path, **values):
        store = make(path, self.pool, **values)
        self.addCleanup(store.close)
        return store

    def written(self, *replacements):
        """A copy of the Ceph configuration with some texts replaced."""
        text = pathlib.Path(self.configuration).read_text()
        for old, new in replacements:
            self.assertIn(old, text)
            text = text.replace(old, new)
        path = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()), 'ceph.conf')
        path.write_text(text)
        return str(path)

    def test_wrong_options(self):
        for values, text in (({'rbd_store_pool': ''}, 'rbd_store_pool'), ({'rbd_store_chunk_size': 33}, '= 33'),
                             ({'rbd_store_ceph_conf': '/nowhere/ceph.conf'}, '/nowhere/ceph.conf')):
            with self.assertRaisesRegex(exceptions.ConfigurationError, r'\[rbd\].*' + text):
                make(self.configuration, self.pool, **values)

    def test_details(self):
        store = self.store_of(self.configuration, rbd_store_chunk_size=7)
        self.assertEqual({'chunk_size': 4 * MIB, 'pool': self.pool, 'thin_provisioning': False,
                          'fsid': self.admin.get_fsid()}, store.details)

    def test_fsid_that_only_the_cluster_knows(self):
        store = self.store_of(self.written(('fsid = ', '# fsid = ')))
        self.assertIsNone(store.details['fsid'])
        self.assertEqual(('rbd://%s/%s/' % (self.admin.get_fsid(), self.pool),), store.url_prefixes)
        self.assertEqual(self.admin.get_fsid(), store.details['fsid'])

    def test_cluster_that_cannot_be_reached(self):
        image_id = str(uuid.uuid4())
        addresses = next(line for line in pathlib.Path(self.configuration).read_text().splitlines() if 'mon host' in line)
        nowhere = self.written((addresses, 'mon host = v2:127.0.0.1:1'), ('fsid = ', '# fsid = '))
        for path, values in ((nowhere, {'rados_connect_timeout': 1}), (self.written(('keyring = ', '# keyring = ')), {}),
                             (self.configuration, {'rbd_store_user': 'nobody'})):
            store = self.store_of(path, **values)
            with self.assertRaises(exceptions.StoreUnavailable):
                store.writer(image_id)
        self.assertEqual((), self.store_of(nowhere, rados_connect_timeout=1).url_prefixes)

    def test_pool_that_is_missing(self):
        with self.assertRaises(exceptions.StoreUnavailable):
            self.store_of(self.configuration, rbd_store_pool='missing').writer(str(uuid.uuid4()))

    def test_rights_that_do_not_suffice(self):
        rights = ['mon', 'profile rbd-read-only', 'osd', 'profile rbd-read-only pool=%s' % self.pool]
        self.command('auth caps', entity='client.%s' % self.pool, caps=rights)
        rights = 'profile rbd pool=%s' % self.pool
        self.addCleanup(self.command, 'auth caps', entity='client.%s' % self.pool,
                        caps=['mon', 'profile rbd', 'osd', rights, 'mgr', rights])
        with self.assertRaises(exceptions.StoreWriteDenied):
            self.store_of(self.configuration).writer(str(uuid.uuid4()))
        self.assertEqual(set(), self.pieces())

    def test_client_that_was_shut_out_connects_again(self):
        store = self.store_of(self.configuration)
        first = store.writer(str(uuid.uuid4()))
        part = next(iter(rbd.RBD().list(self.ioctx)))
        with rbd.Image(self.ioctx, part, read_only=True) as image:
            address = next(iter(image.watchers_list()))['addr']
        self.admin.blocklist_add(address, 60)
        self.admin.wait_for_latest_osdmap()
        first.write(memoryview(b'x'))
        with self.assertRaises(exceptions.StoreUnavailable):
            first.commit()
        first.abort()
        writer = store.writer(str(uuid.uuid4()))
        writer.write(memoryview(b'again'))
        self.assertEqual(5, store.size(writer.commit()))
        store.sweep(older_than=0)
        self.assertEqual(1, len(self.pieces()))


class Served(Pool, Service, unittest.TestCase):
    """A real service whose images lie in Ceph."""

    @classmethod
    def stores(cls, folder):
        return 'ceph:rbd', {'ceph': {'rbd_store_ceph_conf': cls.configuration, 'rbd_store_user': cls.pool,
                                     'rbd_store_pool': cls.pool, 'rbd_store_chunk_size': '1'}}

    def test_life_of_an_image(self):
        self.check_life_of_an_image('ceph')
        self.assertEqual(set(), self.pieces())

    def test_deletion_while_a_clone_needs_the_image(self):
        image_id = self.api.create_image(b'content')['id']
        self.admin.conf_set('rbd_default_clone_format', '1')
        rbd.RBD().clone(self.ioctx, image_id, 'snap', self.ioctx, 'child')
        self.assertEqual(409, self.api.delete('/v2/images/' + image_id).status_code)
        self.assertEqual('active', self.api.get('/v2/images/' + image_id).json()['status'])
        self.assertEqual(b'content', self.api.get('/v2/images/%s/file' % image_id).content)
        rbd.RBD().remove(self.ioctx, 'child')
        self.assertEqual(204, self.api.delete('/v2/images/' + image_id).status_code)
        self.assertEqual(set(), self.pieces())

    def test_what_administrators_are_told(self):
        stores = self.api.get('/v2/info/stores/detail').json()['stores']
        self.assertEqual([{'chunk_size': MIB, 'pool': self.pool, 'thin_provisioning': False, 'fsid': self.admin.get_fsid()}],
                         [store['properties'] for store in stores])
