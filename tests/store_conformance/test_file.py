"""The file store: one directory, several, thin provisioning, and with a time limit for calls."""
import functools
import multiprocessing
import os
import pathlib
import resource
import subprocess
import tempfile
import unittest
import uuid

from glance import exceptions
from glance.store.drivers.deadline import Deadline
from glance.store.drivers.directories import MARKER, Directory
from glance.store.drivers.filesystem import FileStore
from glance.transfer import pipeline, sources
from tests.store_conformance.suite import MIB, StoreConformance


def make(paths, seconds=0, **settings):
    return FileStore('main', [Directory(path) for path in paths], deadline=Deadline(seconds), **settings)


class OneDirectory(StoreConformance, unittest.TestCase):
    directories = 1
    settings = {}

    def setUp(self):
        self.paths = []
        for _ in range(self.directories):
            folder = tempfile.TemporaryDirectory()
            self.addCleanup(folder.cleanup)
            self.paths.append(folder.name)
        self.factory = functools.partial(make, self.paths, **self.settings)
        super().setUp()

    def pieces(self):
        return {name for path in self.paths for name in os.listdir(path)} - {MARKER}

    def blocks(self, location):
        return os.stat(location.url.removeprefix('file://')).st_blocks * 512

    def test_holes_have_their_space(self):
        for size in (None, 12 * MIB):
            writer = self.store.writer(str(uuid.uuid4()), size)
            writer.hole(8 * MIB)
            writer.write(memoryview(bytes(MIB)))
            writer.hole(3 * MIB)
            location = writer.commit()
            self.assertEqual(12 * MIB, self.store.size(location))
            self.assertGreaterEqual(self.blocks(location), 12 * MIB)


class SeveralDirectories(OneDirectory):
    directories = 3


class ThinProvisioning(OneDirectory):
    settings = {'thin': True}

    def test_holes_have_their_space(self):
        writer = self.store.writer(self.image_id, 64 * MIB)
        writer.hole(64 * MIB)
        self.assertLess(self.blocks(writer.commit()), MIB, 'thin files have none')


class WithoutFsync(OneDirectory):
    settings = {'fsync': False}


class WithTimeout(OneDirectory):
    settings = {'seconds': 60}


def write_with_file_limit(factory, image_id, limit, size, result) -> None:
    """In a child process with a limit to the length of files: say how a write of 2 MiB ended."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    store = factory()
    try:
        pipeline.store(sources.BytesSource(bytes(2 * MIB)), store, image_id, algorithm='sha256', size=size)
        result.put('stored')
    except exceptions.StoreFull:
        result.put('full')


class FullStore(unittest.TestCase):
    """A store without room refuses, keeps nothing of what it refused, and works again when there is room."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = folder.name
        self.image_id = str(uuid.uuid4())

    def test_limit_to_the_length_of_files(self):
        context = multiprocessing.get_context('spawn')
        for size in (None, 2 * MIB):
            result = context.Queue()
            factory = functools.partial(make, [self.path])
            child = context.Process(target=write_with_file_limit, args=(factory, self.image_id, MIB, size, result))
            child.start()
            self.assertEqual('full', result.get(timeout=60))
            child.join()
            self.assertEqual([MARKER], os.listdir(self.path))

    @unittest.skipUnless(os.geteuid() == 0, 'mounting a small file system needs root')
    def test_small_file_system(self):
        subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=20m', 'none', self.path], check=True)
        self.addCleanup(subprocess.run, ['umount', self.path], check=True)
        store = make([self.path])
        content = os.urandom(MIB) * 15

        def put(image_id, size=None):
            return pipeline.store(sources.BytesSource(content), store, image_id, algorithm='sha256', size=size)[0]

        first = put(self.image_id)
        for size in (None, len(content)):
            with self.assertRaises(exceptions.StoreFull):
                put(str(uuid.uuid4()), size)
            self.assertEqual({MARKER, self.image_id}, set(os.listdir(self.path)))
        store.delete(first)
        put(str(uuid.uuid4()), len(content))

    @unittest.skipUnless(os.geteuid() == 0, 'mounting a small file system needs root')
    def test_known_size_is_reserved_before_the_body(self):
        subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=20m', 'none', self.path], check=True)
        self.addCleanup(subprocess.run, ['umount', self.path], check=True)
        store = make([self.path])
        first = store.writer(self.image_id, 15 * MIB)
        with self.assertRaises(exceptions.StoreFull):
            store.writer(str(uuid.uuid4()), 15 * MIB)
        first.abort()
        store.writer(str(uuid.uuid4()), 15 * MIB).abort()

    @unittest.skipUnless(os.geteuid() == 0, 'mounting a file system needs root')
    def test_unmounted_directory(self):
        subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=20m', 'none', self.path], check=True)
        store = make([self.path])
        location = pipeline.store(sources.BytesSource(b'x'), store, self.image_id, algorithm='sha256')[0]
        subprocess.run(['umount', self.path], check=True)
        for operation in (store.open, store.size, store.delete):
            with self.assertRaises(exceptions.StoreUnavailable):
                operation(location)
        with self.assertRaises(exceptions.StoreUnavailable):
            store.writer(str(uuid.uuid4()))
        self.assertEqual([], os.listdir(self.path))

    def test_empty_directory_may_be_a_mount_point(self):
        """What starts while the file system is not mounted does not take its images for deleted."""
        store = make([self.path])
        self.assertEqual([], os.listdir(self.path))
        location = store.location(Directory(self.path), self.image_id)
        for operation in (store.open, store.size, store.delete):
            with self.assertRaises(exceptions.StoreUnavailable):
                operation(location)
        self.assertEqual(([], []), (list(store.walk()), store.sweep(0)))
        pipeline.store(sources.BytesSource(b'x'), store, str(uuid.uuid4()), algorithm='sha256')
        with self.assertRaises(exceptions.ObjectNotFound):
            make([self.path]).delete(location)

    def test_directory_with_images_of_former_releases_is_marked(self):
        pathlib.Path(self.path, str(uuid.uuid4())).write_bytes(b'x')
        store = make([self.path])
        with self.assertRaises(exceptions.ObjectNotFound):
            store.delete(store.location(Directory(self.path), self.image_id))


def store_for_ever(factory, ready) -> None:
    """In a child process: store images whose content tells whether they are whole."""
    store = factory()
    while True:
        image_id = str(uuid.uuid4())
        pipeline.store(sources.BytesSource(image_id.encode() * 40_000), store, image_id, algorithm='sha256')
        ready.set()


class KilledAtAnyTime(unittest.TestCase):
    """Whatever the point at which a writer dies, a name that exists is that of a whole image."""

    def test_kills(self):
        with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
            factory = functools.partial(make, [one, two])
            context = multiprocessing.get_context('spawn')
            for _ in range(5):
                ready = context.Event()
                children = [context.Process(target=store_for_ever, args=(factory, ready)) for _ in range(2)]
                for child in children:
                    child.start()
                self.assertTrue(ready.wait(60))
                for child in children:
                    child.kill()
                    child.join()
            store = factory()
            store.sweep(older_than=0)
            found = list(store.walk())
            self.assertTrue(found)
            for item in found:
                path = item.location.url.removeprefix('file://')
                with open(path, 'rb') as file:
                    self.assertEqual(os.path.basename(path).encode() * 40_000, file.read())
            self.assertEqual({os.path.basename(item.location.url) for item in found},
                             {*os.listdir(one), *os.listdir(two)} - {MARKER})
