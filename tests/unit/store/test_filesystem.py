"""What is particular to the file store: its options, its names and paths, durability, permissions, failures."""
import contextlib
import errno
import json
import os
import stat
import tempfile
import threading
import time
import types
import unittest
import uuid
from unittest import mock

from glance import exceptions
from glance.conf import store as store_options
from glance.store.base import Location
from glance.store.drivers import directories, files, kernel
from glance.store.drivers.deadline import Deadline
from glance.store.drivers.directories import MARKER, Directory
from glance.store.drivers.filesystem import FileStore

ID = '0f0e9a34-3d2b-4a57-8a1c-1c9d2e3f4a5b'


class FileStoreTestCase(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = folder.name

    def path(self, *names):
        return os.path.join(self.root, *names)

    def options(self, **values):
        """The options of a section as the driver sees them, with their defaults."""
        options = types.SimpleNamespace(section='here', is_set=values.__contains__)
        for option in store_options.DRIVERS['file']:
            setattr(options, option.dest, option.default)
        options.filesystem_store_datadir = self.path('images')
        for name, value in values.items():
            setattr(options, name, value)
        return options

    def make(self, **values):
        return FileStore.from_options(self.options(**values), 'main')

    def put(self, store, content=b'content', image_id=ID):
        writer = store.writer(image_id)
        writer.write(memoryview(content))
        return writer.commit()


class OptionsTest(FileStoreTestCase):
    def configured(self, **values):
        return directories.configured(self.options(**values))

    def assert_refused(self, expected, **values):
        with self.assertRaises(exceptions.ConfigurationError) as caught:
            self.make(**values)
        self.assertIn('[here] ' + expected, str(caught.exception))

    def test_one_directory(self):
        self.assertEqual([Directory(self.path('a'))], self.configured(filesystem_store_datadir=self.path('a') + '/'))

    def test_several_directories(self):
        found = self.configured(filesystem_store_datadirs=['/a', '/b:200', '/with:colon:100', ' /c: 150 ', '/b:200'])
        self.assertEqual([('/b', 200), ('/c', 150), ('/with:colon', 100), ('/a', 0)],
                         [(directory.path, directory.priority) for directory in found])

    def test_default_directory_does_not_count_beside_several(self):
        self.assertEqual(['/a'], [found.path for found in self.configured(filesystem_store_datadirs=['/a'])])
        self.assertEqual(['/a'], [found.path for found in self.configured(filesystem_store_datadirs=['/a'],
                                                                          filesystem_store_datadir='')])

    def test_refused_directories(self):
        self.assert_refused('has both', filesystem_store_datadir='/a', filesystem_store_datadirs=['/b'])
        self.assert_refused('filesystem_store_datadir is empty', filesystem_store_datadir='')
        self.assert_refused("filesystem_store_datadirs = /a:high: the priority 'high'", filesystem_store_datadirs=['/a:high'])
        self.assert_refused('filesystem_store_datadirs = :100 names no directory', filesystem_store_datadirs=[':100'])
        self.assert_refused('filesystem_store_datadirs gives /a the priorities 1 and 2',
                     filesystem_store_datadirs=['/a:1', '/a:2'])

    def test_file_permissions(self):
        for digits in (9, 888, 40, 277):
            self.assert_refused('filesystem_store_file_perm = %d' % digits, filesystem_store_file_perm=digits)
        for digits, folder_mode in ((0, 0o750), (600, 0o700), (640, 0o710), (604, 0o701), (644, 0o711)):
            path = self.path('images%d' % digits)
            os.mkdir(path, 0o700)
            if not digits:
                os.rmdir(path)
            store = self.make(filesystem_store_datadir=path, filesystem_store_file_perm=digits)
            self.put(store)
            self.assertEqual(folder_mode, stat.S_IMODE(os.stat(path).st_mode))
            self.assertEqual(digits or 640, int('%o' % stat.S_IMODE(os.stat(os.path.join(path, ID)).st_mode)))

    def test_metadata_file(self):
        path = self.path('metadata.json')
        entries = [{'id': 'other', 'mountpoint': self.path('image')},
                   {'id': 'mine', 'mountpoint': self.root, 'list': [1]}]
        with open(path, 'w') as file:
            json.dump(entries, file)
        store = self.make(filesystem_store_metadata_file=path)
        location = self.put(store)
        self.assertEqual({**entries[1], 'store': 'main'}, location.metadata)
        location.metadata['list'].append(2)
        self.assertEqual({**entries[1], 'store': 'main'}, next(store.walk()).location.metadata)

    def test_refused_metadata_files(self):
        path = self.path('metadata.json')
        self.assert_refused('filesystem_store_metadata_file = %s cannot be read' % path, filesystem_store_metadata_file=path)
        for content in ('', '{', '1', '[1]', '{}', '{"id": "x"}', '{"id": 1, "mountpoint": "/"}'):
            with open(path, 'w') as file:
                file.write(content)
            self.assert_refused('filesystem_store_metadata_file = %s' % path, filesystem_store_metadata_file=path)

    def test_unusable_directory_does_not_stop_the_start(self):
        with open(self.path('file'), 'w'):
            pass
        store = self.make(filesystem_store_datadir=self.path('file', 'images'))
        with self.assertRaises(exceptions.StoreUnavailable):
            store.writer(ID)
        os.unlink(self.path('file'))
        self.put(store)


class NamesTest(FileStoreTestCase):
    def test_ids(self):
        store = self.make()
        for image_id in ('', 'x', '.', '..', '../x', ID + '\n', ID + '/', '/' + ID, ID[:-1] + '\0', ID[:-1], '../' + ID,
                         '.%s.%s.part' % (ID, ID)):
            with self.assertRaises(exceptions.Invalid, msg=image_id):
                store.writer(image_id)
            with self.assertRaises(exceptions.Invalid, msg=image_id):
                store.writer(ID, None, image_id or '.')
        self.put(store, image_id=ID.upper())
        self.put(store, image_id=ID.replace('-', ''))

    def test_only_images_in_the_directory_are_reached(self):
        store = self.make()
        os.mkdir(self.path('outside'))
        for path in (self.path('outside', ID), self.path('images', 'other')):
            with open(path, 'w') as file:
                file.write('secret')
        for name, path in (('outside', ID), ('link', self.path('outside'))):
            os.symlink(path, self.path('images', name))
        inside = self.path('images')
        for url in ('file://' + self.path('outside', ID), 'file://%s/../outside/%s' % (inside, ID),
                    'file://%s/other' % inside, 'file://%s/link/%s' % (inside, ID), 'file://' + inside,
                    'file://%s/' % inside, 'file://%s/.' % inside, 'file://%s/%s' % (inside, MARKER),
                    'file://%s/%s?x' % (inside, ID), 'file://%s\0/%s' % (inside, ID), 'file://images/' + ID,
                    'file://' + ID, 'http://%s/%s' % (inside, ID), '%s/%s' % (inside, ID)):
            for operation in (store.open, store.size, store.delete):
                with self.assertRaises(exceptions.BadLocation, msg=url):
                    operation(Location(url))
        self.assertTrue(os.path.exists(self.path('outside', ID)))

    def test_links_directories_and_pipes_are_no_images(self):
        store = self.make()
        with open(self.path('secret'), 'w'):
            pass
        location = Location('file://' + self.path('images', ID))
        for make in (lambda path: os.symlink(self.path('secret'), path), os.mkdir, os.mkfifo):
            make(self.path('images', ID))
            for operation in (store.open, store.size):
                with self.assertRaises(exceptions.BadLocation):
                    operation(location)
            with self.assertRaises(exceptions.ObjectExists):
                store.writer(ID)
            self.assertEqual([], list(store.walk()))
            (os.rmdir if os.path.isdir(self.path('images', ID)) else os.unlink)(self.path('images', ID))

    def test_other_spellings_of_the_directory(self):
        store = self.make()
        self.put(store)
        os.symlink(self.path('images'), self.path('link'))
        for url in ('filesystem://%s/images/%s', 'FILE://%s/images/%s', 'file://%s//images//%s', 'file://%s/./images/%s',
                    'file://%s/link/%s', 'file:// %s/images/%s '):
            self.assertEqual(7, store.size(Location(url % (self.root, ID))), url)


class WritingTest(FileStoreTestCase):
    def test_order_of_durability(self):
        """Data on the disk before the name, the name on the disk before commit returns."""
        store = self.make()
        calls = []

        def record(name):
            real = getattr(os, name)

            def recorded(*args, **kwargs):
                calls.append(name)
                return real(*args, **kwargs)
            return mock.patch.object(files.os, name, recorded)

        writer = store.writer(ID)
        with contextlib.ExitStack() as stack:
            for name in ('pwrite', 'ftruncate', 'fdatasync', 'link', 'unlink', 'fsync'):
                stack.enter_context(record(name))
            writer.write(memoryview(b'content'))
            writer.commit()
        self.assertEqual(['pwrite', 'ftruncate', 'fdatasync', 'link', 'unlink', 'fsync'], calls)

    def test_without_fsync(self):
        store = self.make(filesystem_store_fsync=False)
        with mock.patch.object(files.os, 'fsync') as fsync, mock.patch.object(files.os, 'fdatasync') as fdatasync:
            self.put(store)
        self.assertFalse(fsync.called or fdatasync.called)

    def test_errors(self):
        store = self.make()
        for number, error in ((errno.ENOSPC, exceptions.StoreFull), (errno.EDQUOT, exceptions.StoreFull),
                              (errno.EFBIG, exceptions.StoreFull), (errno.EACCES, exceptions.StoreWriteDenied),
                              (errno.EROFS, exceptions.StoreWriteDenied), (errno.ESTALE, exceptions.StoreUnavailable),
                              (errno.EIO, exceptions.StoreUnavailable)):
            failure = OSError(number, os.strerror(number))
            for module, name, step in ((files.os, 'open', None), (kernel, 'reserve', None),
                                       (files.os, 'pwrite', 'write'), (files.os, 'fdatasync', 'commit'),
                                       (files.os, 'link', 'commit'), (files.os, 'fsync', 'commit')):
                writer = store.writer(ID) if step else None
                with mock.patch.object(module, name, side_effect=failure), self.assertRaises(error):
                    if step is None:
                        store.writer(ID, 10)
                    elif step == 'write':
                        writer.write(memoryview(b'x'))
                    else:
                        writer.commit()
                if writer:
                    writer.abort()
                self.assertEqual([MARKER], os.listdir(self.path('images')), (number, name))

    def test_file_system_without_locks(self):
        store = self.make()
        with mock.patch.object(files.fcntl, 'flock', side_effect=OSError(errno.ENOLCK, 'x')), \
                self.assertRaises(exceptions.StoreUnavailable):
            store.writer(ID)
        self.assertEqual([MARKER], os.listdir(self.path('images')))

    def test_errors_tell_nothing_of_the_host(self):
        store = self.make()
        with mock.patch.object(files.os, 'pwrite', side_effect=OSError(errno.EIO, 'x', self.path('images'))), \
                self.assertRaises(exceptions.StoreUnavailable) as caught:
            writer = store.writer(ID)
            self.addCleanup(writer.abort)
            writer.write(memoryview(b'x'))
        self.assertNotIn(self.root, str(caught.exception))

    def test_abort_never_raises(self):
        writer = self.make().writer(ID)
        with mock.patch.object(files.os, 'unlink', side_effect=OSError(errno.EIO, 'x')):
            writer.abort()
        writer.abort()

    def test_short_writes(self):
        store = self.make()
        real = os.pwrite
        with mock.patch.object(files.os, 'pwrite', lambda fd, data, position: real(fd, data[:3], position)):
            location = self.put(store, b'0123456789')
        reader = store.open(location)
        self.addCleanup(reader.close)
        buffer = bytearray(20)
        self.assertEqual(b'0123456789', buffer[:reader.readinto(memoryview(buffer))])

    def test_more_reserved_than_written(self):
        writer = self.make().writer(ID, 10_000_000)
        writer.write(memoryview(b'x'))
        path = writer.commit().url.removeprefix('file://')
        self.assertEqual(1, os.stat(path).st_size)
        self.assertLess(os.stat(path).st_blocks * 512, 1_000_000)

    def test_link_whose_answer_was_lost(self):
        """A network file system links, loses the answer, tries again and reports that the name exists."""
        writer = self.make().writer(ID)
        real = os.link

        def link(*args, **kwargs):
            real(*args, **kwargs)
            raise FileExistsError(errno.EEXIST, 'x')

        with mock.patch.object(files.os, 'link', link):
            writer.commit()
        self.assertEqual({MARKER, ID}, set(os.listdir(self.path('images'))))

    def test_death_between_the_two_names(self):
        store = self.make()
        location = self.put(store, b'content')
        part = self.path('images', '.%s.%s.part' % (ID, uuid.uuid4()))
        os.link(self.path('images', ID), part)
        self.assertEqual(0, store.discard(ID))
        self.assertFalse(os.path.exists(part))
        self.assertEqual(7, store.size(location))

    def test_sweep_between_creation_and_lock(self):
        store = self.make()
        real, swept = files.fcntl.flock, []

        def flock(fd, operation):
            if not swept:
                swept.append(None)
                swept[0] = self.make().sweep(older_than=0)
            real(fd, operation)

        with mock.patch.object(files.fcntl, 'flock', flock):
            writer = store.writer(ID)
        self.assertEqual(1, len(swept[0]))
        writer.write(memoryview(b'content'))
        self.assertEqual(7, store.size(writer.commit()))

    def test_sweep_knows_its_own_names_only(self):
        store = self.make()
        strange = ['.%s.part' % ID, '.%s.x.part' % ID, '%s.%s.part' % (ID, ID), '.nfs0001', 'notes']
        for name in strange:
            with open(self.path('images', name), 'w'):
                pass
        self.assertEqual([], store.sweep(older_than=0))
        self.assertEqual({MARKER, *strange}, set(os.listdir(self.path('images'))))

    def test_discard_tells_what_it_freed(self):
        store = self.make()
        part = self.path('images', '.%s.%s.part' % (ID, uuid.uuid4()))
        with open(part, 'wb') as file:
            file.write(os.urandom(100_000))
            os.fsync(file.fileno())
        self.assertEqual(0, store.discard(str(uuid.uuid4())))
        self.assertGreaterEqual(store.discard(ID), 100_000)

    def test_sweep_spares_the_young(self):
        store = self.make()
        part = self.path('images', '.%s.%s.part' % (ID, uuid.uuid4()))
        with open(part, 'wb'):
            pass
        self.assertEqual([], store.sweep())
        old = time.time() - 7200
        os.utime(part, (old, old))
        self.assertEqual([os.path.basename(part)], store.sweep())

    def test_file_that_became_shorter(self):
        store = self.make()
        location = self.put(store, bytes(100))
        reader = store.open(location, 10, 90)
        self.addCleanup(reader.close)
        os.truncate(self.path('images', ID), 50)
        buffer = memoryview(bytearray(100))
        self.assertEqual(40, reader.readinto(buffer))
        with self.assertRaises(exceptions.StoreError):
            reader.readinto(buffer)

    def test_delete_that_is_not_permitted(self):
        store = self.make()
        location = self.put(store)
        with mock.patch.object(os, 'unlink', side_effect=PermissionError(errno.EPERM, 'x')), \
                self.assertRaises(exceptions.StoreForbidden):
            store.delete(location)


class SeveralDirectoriesTest(FileStoreTestCase):
    """With free space as the test says it."""

    def setUp(self):
        super().setUp()
        self.free = {}
        patcher = mock.patch.object(os, 'statvfs', lambda path: mock.Mock(f_bavail=self.free[os.path.basename(path)],
                                                                         f_frsize=1000))
        patcher.start()
        self.addCleanup(patcher.stop)

    def make(self, *entries, **values):
        return super().make(filesystem_store_datadirs=[self.path(entry) for entry in entries], **values)

    def chosen(self, store, size=None):
        writer = store.writer(ID, size)
        try:
            return os.path.basename(os.path.dirname(os.readlink('/proc/self/fd/%d' % writer._file)))
        finally:
            writer.abort()

    def test_choice(self):
        store = self.make('a:1', 'b:2', 'c:2')
        for a, b, c, size, expected in ((9, 1, 2, None, 'c'), (9, 2, 1, None, 'b'), (9, 2, 1, 2000, 'b'),
                                        (9, 2, 1, 2001, 'a'), (9, 0, 0, None, 'a'), (9, 0, 1, 0, 'c')):
            self.free = {'a': a, 'b': b, 'c': c}
            self.assertEqual(expected, self.chosen(store, size), (a, b, c, size))

    def test_no_room(self):
        self.free = {'a': 1, 'b': 2}
        store = self.make('a', 'b')
        with self.assertRaises(exceptions.StoreFull):
            store.writer(ID, 2001)
        self.free = {'a': 0, 'b': 0}
        with self.assertRaises(exceptions.StoreFull):
            store.writer(ID)

    def test_size_does_not_count_with_thin_provisioning(self):
        self.free = {'a': 1}
        self.assertEqual('a', self.chosen(self.make('a', filesystem_thin_provisioning=True), 1 << 40))

    def test_writers_in_different_directories(self):
        store = self.make('a', 'b')
        self.free = {'a': 1, 'b': 2}
        first = store.writer(ID)
        self.free = {'a': 2, 'b': 1}
        second = store.writer(ID)
        first.commit()
        with self.assertRaises(exceptions.ObjectExists):
            second.commit()
        second.abort()
        with self.assertRaises(exceptions.ObjectExists):
            store.writer(ID)
        self.assertEqual([{MARKER}, {MARKER, ID}], [set(os.listdir(self.path(name))) for name in 'ab'])


class DeadlineTest(FileStoreTestCase):
    def test_call_that_hangs(self):
        deadline = Deadline(0.01, threads=2, threshold=100)
        self.addCleanup(deadline.close)
        hung = threading.Event()
        self.addCleanup(hung.set)
        with self.assertRaises(exceptions.StoreUnavailable), self.assertNoLogs('glance.store.drivers.deadline'):
            deadline.call(hung.wait)
        with self.assertLogs('glance.store.drivers.deadline', 'WARNING'), \
                contextlib.suppress(exceptions.StoreUnavailable):
            deadline.call(hung.wait)

    def test_result_and_error(self):
        for seconds in (0, 60):
            deadline = Deadline(seconds, threshold=100)
            self.addCleanup(deadline.close)
            self.assertEqual(3, deadline.call(max, 1, 3))
            with self.assertRaises(FileNotFoundError):
                deadline.call(os.stat, self.path('none'))

    def test_store_that_hangs(self):
        location = self.put(self.make())
        store = FileStore('main', [Directory(self.path('images'))], deadline=Deadline(0.01))
        self.addCleanup(store.close)
        hung = threading.Event()
        self.addCleanup(hung.set)
        with mock.patch.object(os, 'unlink', lambda path: hung.wait()), self.assertRaises(exceptions.StoreUnavailable):
            store.delete(location)


class KernelTest(FileStoreTestCase):
    def test_reserve(self):
        with open(self.path('file'), 'wb') as file:
            self.assertTrue(kernel.reserve(file.fileno(), 10_000_000))
            self.assertEqual(0, os.fstat(file.fileno()).st_size)
            with self.assertRaises(OSError) as caught:
                kernel.reserve(file.fileno(), 1 << 62)
            self.assertIn(caught.exception.errno, (errno.ENOSPC, errno.EFBIG))

    def test_where_the_kernel_cannot(self):
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        self.addCleanup(os.close, writing)
        with self.assertRaises(OSError):
            kernel.reserve(writing, 10)
        kernel.start_writeback(writing, 0, 10)
        with mock.patch.object(kernel.ctypes, 'get_errno', return_value=errno.EOPNOTSUPP):
            self.assertFalse(kernel.reserve(writing, 10))
