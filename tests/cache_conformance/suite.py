"""The tests that the cache has to pass with every driver."""
import contextlib
import errno
import hashlib
import multiprocessing
import os
import pathlib
import shutil
import signal
import tempfile
import threading
import time
import uuid
from unittest import mock

from glance import exceptions
from glance.cache import cleaner, core, filling, pruner
from glance.cache.content import Content
from glance.cache.core import MAX_FILLS, SMALL, Cache
from glance.cache.drivers.base import Entry
from glance.cache.filling import HELD_BACK, Draft, EntryReader, GrowingReader, follow
from glance.cache.layout import INCOMPLETE, INVALID, QUEUE, VERIFIED, Layout
from glance.transfer import pipeline
from glance.transfer.hashing import Digest
from glance.transfer.limits import Meter

SECONDS = 30
MIB = 1024 * 1024


class Clock:
    """Seconds since 1970 as a test sets them."""

    def __init__(self):
        self.now = float(int(time.time()))

    def __call__(self) -> float:
        return self.now


class Store:
    """The data of one image in a store that counts how often it is opened.

    ``gate`` holds back what lies behind ``open_until`` bytes; ``fail_at`` is where reading breaks off.
    """

    def __init__(self, data: bytes):
        self.data, self.opened = data, []
        self.open_until, self.gate = len(data), threading.Event()
        self.fail_at: int | None = None

    def open(self, offset: int) -> 'StoreReader':
        self.opened.append(offset)
        return StoreReader(self, offset)


class StoreReader:
    place = 'store'

    def __init__(self, store: Store, offset: int):
        self._store, self.position = store, offset
        self.offset, self.length = offset, len(store.data) - offset

    def readinto(self, buffer: memoryview) -> int:
        store = self._store
        if self.position >= store.open_until and not store.gate.is_set() and store.open_until < len(store.data):
            store.gate.wait(SECONDS)
        if store.fail_at is not None and self.position >= store.fail_at:
            raise exceptions.StoreUnavailable()
        end = len(store.data)
        if not store.gate.is_set():
            end = min(end, max(store.open_until, self.position))
        if store.fail_at is not None:
            end = min(end, store.fail_at)
        piece = store.data[self.position:min(end, self.position + len(buffer))]
        buffer[:len(piece)] = piece
        self.position += len(piece)
        return len(piece)

    def fileno(self) -> None:
        return None

    def close(self) -> None:
        """Nothing is open."""


def read(reader, limit: int | None = None) -> bytes:
    content, buffer = bytearray(), memoryview(bytearray(100_000))
    while (limit is None or len(content) < limit) and (count := reader.readinto(buffer)):
        content += buffer[:count]
    return bytes(content)


def write_and_wait(directory: str, content: Content, begun) -> None:
    """In a child process: write half of an entry, and say so."""
    store = Store(bytes(content.size))
    store.open_until = content.size // 2
    source = store.open(0)
    real = source.readinto

    def readinto(buffer):
        if source.position == store.open_until:
            begun.set()
            signal.pause()
        return real(buffer)
    source.readinto = readinto
    pipeline.spread(source, [Draft.claim(Layout(directory), content)], Meter(content.size))


class CacheConformance:
    """Mixin to a TestCase that provides ``make_driver(layout)``, which gives the same books each time."""

    LAST_ACCESS_IS_EXACT = True

    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix='glance-test-'))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.directory = self.folder / 'cache'
        self.clock = Clock()
        self.cache = self.make_cache()

    def make_cache(self, **options) -> Cache:
        layout = Layout(str(self.directory))
        layout.prepare()
        options = {'max_size': 100 * MIB, 'stall_time': 3600, 'clock': self.clock, **options}
        cache = Cache(layout, self.make_driver(layout), **options)
        self.addCleanup(cache.close)
        return cache

    def content(self, data: bytes, **values) -> Content:
        digest = hashlib.sha512(data).hexdigest()
        return Content(**{'image_id': str(uuid.uuid4()), 'size': len(data), 'algorithm': 'sha512', 'digest': digest,
                          'checksum': hashlib.md5(data).hexdigest(), **values})

    def fill(self, data: bytes = b'data', cache: Cache | None = None, **values) -> Content:
        """Put an image into the cache as its first reader does."""
        content, cache = self.content(data, **values), cache or self.cache
        fills = cache.counters.fills
        reader = cache.through(content, Store(data).open, local=False)
        self.assertEqual(data, read(reader))
        reader.close()
        self.wait_for_fills(fills + 1, cache)
        return content

    def wait_for_fills(self, number: int, cache: Cache | None = None) -> None:
        """Wait until as many images arrived in the cache, which readers of their data do not wait for."""
        counters = (cache or self.cache).counters
        self.wait_for('fill', lambda: counters.fills == number)

    def open(self, content: Content, offset: int = 0, length: int | None = None, cache: Cache | None = None):
        reader = (cache or self.cache).open(content, offset, length, Store(b'').open)
        if reader is not None:
            self.addCleanup(reader.close)
        return reader

    def wait_for(self, what: str, condition):
        deadline = time.monotonic() + SECONDS
        while not (value := condition()):
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.005)
        return value

    def check_becomes_rejected(self, content: Content) -> None:
        """Ask for an entry that must not be given out until it is gone."""
        def rejected():
            self.assertIsNone(self.open(content))
            return content.image_id not in [entry.image_id for entry in self.cache.entries()]
        self.wait_for('rejection', rejected)

    def entry(self, content: Content, cache: Cache | None = None) -> Entry:
        return {entry.image_id: entry for entry in (cache or self.cache).entries()}[content.image_id]

    def names(self, folder: str = '') -> list[str]:
        found = self.directory / folder
        return sorted(path.name for path in found.iterdir() if path.is_file() and not path.name.startswith('cache.db'))

    def path(self, content: Content, folder: str = '') -> pathlib.Path:
        return self.directory / folder / content.image_id


class Books(CacheConformance):
    """What the driver writes down."""

    def test_a_new_entry_is_recorded_and_uses_are_counted(self):
        content = self.fill(b'12345')
        entry = self.entry(content)
        self.assertEqual((5, 0), (entry.size, entry.hits))
        self.assertAlmostEqual(self.clock.now, entry.last_accessed, delta=1)
        written = entry.last_modified
        for _ in range(3):
            self.clock.now += 100
            self.cache.count_hit(content.image_id, 5)
        entry = self.entry(content)
        self.assertEqual((3, written), (entry.hits, entry.last_modified))
        self.assertAlmostEqual(self.clock.now, entry.last_accessed, delta=1)
        self.assertEqual((3, 15), (self.cache.counters.hits, self.cache.counters.hit_bytes))

    def test_another_process_sees_the_same_books(self):
        content = self.fill(b'12345')
        other = self.make_cache()
        other.count_hit(content.image_id, 5)
        self.assertEqual(1, self.entry(content).hits)
        self.assertIsInstance(self.open(content, cache=other), EntryReader)

    def test_what_is_not_there_can_be_used_and_forgotten(self):
        image_id = str(uuid.uuid4())
        self.cache.count_hit(image_id, 1)
        self.assertFalse(self.cache.delete(image_id))
        self.cache.driver.forget([image_id])
        self.cache.driver.forget([])
        self.assertEqual([], self.cache.entries())

    def test_entries_are_listed_by_id_and_removed(self):
        contents = sorted((self.fill(bytes(size)) for size in (1, 2, 3)), key=lambda content: content.image_id)
        self.assertEqual([content.image_id for content in contents], [entry.image_id for entry in self.cache.entries()])
        self.assertTrue(self.cache.delete(contents[0].image_id))
        self.assertEqual(2, len(self.cache.driver.entries()))
        self.assertEqual(2, self.cache.clear())
        self.assertEqual([], self.cache.driver.entries())
        self.assertEqual([], self.names() + self.names(VERIFIED))

    def test_books_are_put_right_by_the_directory(self):
        kept, lost, foreign = self.fill(b'kept'), self.fill(b'lost'), str(uuid.uuid4())
        self.cache.count_hit(kept.image_id, 4)
        self.path(lost).unlink()
        (self.directory / foreign).write_bytes(b'foreign')
        os.utime(self.directory / foreign, (1000, 1000))
        self.assertEqual({kept.image_id, foreign}, {entry.image_id for entry in self.cache.entries()})
        self.make_cache().recover()
        known = {entry.image_id: entry for entry in self.cache.driver.entries()}
        self.assertEqual({kept.image_id, foreign}, known.keys())
        self.assertEqual((1, 0, 7), (known[kept.image_id].hits, known[foreign].hits, known[foreign].size))
        self.assertEqual(1000, known[foreign].last_modified)


class Filling(CacheConformance):
    """Entries on their way into the cache."""

    def test_data_of_many_lengths_goes_through(self):
        for length in (1, 4096, HELD_BACK - 1, HELD_BACK, HELD_BACK + 1, 5 * MIB + 7):
            data = os.urandom(length)
            content = self.fill(data)
            self.assertEqual(data, self.path(content).read_bytes())
            self.assertEqual(data, read(self.open(content)))
        self.assertEqual([], self.names(INCOMPLETE))
        self.assertEqual((6, 0), (self.cache.counters.fills, self.cache.counters.hits))

    def test_images_without_data_or_with_a_strange_id_are_left_alone(self):
        for content in (self.content(b''), self.content(b'data', image_id='Not-a-UUID'),
                        self.content(b'data', image_id='../' + str(uuid.uuid4())),
                        self.content(b'data', image_id=str(uuid.uuid4()).upper()), self.content(b'data', image_id='..')):
            store = Store(b'data'[:content.size])
            self.assertEqual(store.data, read(self.cache.through(content, store.open, local=False)))
            self.assertIsNone(self.open(content))
        self.assertEqual([], self.cache.entries())

    def test_readers_of_one_image_share_one_fetch(self):
        data = os.urandom(4 * MIB)
        content, store = self.content(data), Store(data)
        store.open_until = 2 * MIB
        caches = [self.cache, self.make_cache(), self.make_cache()]
        readers = [cache.through(content, store.open, local=False) for cache in caches * 2]
        self.assertEqual([0], store.opened)
        # Nobody waits for the end to get the beginning.
        self.assertEqual([data[:100_000]] * 6, [read(reader, 100_000) for reader in readers])
        self.assertEqual([], self.cache.entries())
        store.gate.set()
        self.assertEqual([data[100_000:]] * 6, [read(reader) for reader in readers])
        self.assertEqual([0], store.opened)
        self.wait_for_fills(1)
        self.assertEqual([content.image_id], [entry.image_id for entry in self.cache.entries()])

    def test_a_reader_who_leaves_does_not_end_the_fill(self):
        data = os.urandom(3 * MIB)
        content, store = self.content(data), Store(data)
        store.open_until = MIB
        reader = self.cache.through(content, store.open, local=False)
        read(reader, 10)
        reader.close()
        store.gate.set()
        self.wait_for_fills(1)
        self.assertEqual(data, read(self.open(content)))

    def test_wrong_data_breaks_the_transfer_and_is_never_an_entry(self):
        for size in (4, 3 * MIB):
            data = os.urandom(size)
            content = self.content(data, digest='0' * 128)
            reader = self.cache.through(content, Store(data).open, local=False)
            received = bytearray()
            with self.assertRaises(exceptions.StoreError):
                buffer = memoryview(bytearray(100_000))
                while count := reader.readinto(buffer):
                    received += buffer[:count]
            self.assertLessEqual(len(received), max(0, size - HELD_BACK))
            reader.close()
            self.assertIsNone(self.open(content))
            self.wait_for('invalid', lambda content=content: content.image_id in self.names(INVALID))
        self.assertEqual([], self.cache.entries())
        self.assertEqual([], self.names(INCOMPLETE))
        self.assertEqual(2, self.cache.counters.failed_fills)

    def test_readers_go_on_with_the_store_when_the_fill_breaks_off(self):
        data = os.urandom(4 * MIB)
        content, store, rest = self.content(data), Store(data), Store(data)
        store.fail_at = 2 * MIB
        calls = []

        def open_store(offset):
            calls.append(offset)
            return (store if len(calls) == 1 else rest).open(offset)
        reader = self.cache.through(content, open_store, local=False)
        self.assertEqual(data, read(reader))
        self.assertEqual(1, len(rest.opened))
        self.assertIsNone(self.open(content))
        self.assertEqual([content.image_id], self.names(INVALID))

    def test_what_the_store_refuses_is_told_at_once(self):
        content = self.content(b'data')

        def refuse(offset):
            raise exceptions.ObjectNotFound()
        for local in (False, True):
            self.assertRaises(exceptions.ObjectNotFound, self.cache.through, content, refuse, local)
        self.assertEqual([], self.names(INCOMPLETE) + self.names(INVALID))
        self.fill()

    def test_large_local_files_are_read_where_they_are_and_cached_aside(self):
        data = bytes(SMALL + 1)
        content, store = self.content(data), Store(data)
        reader = self.cache.through(content, store.open, local=True)
        self.assertNotIsInstance(reader, GrowingReader)
        self.assertEqual(data, read(reader))
        self.wait_for('entry', lambda: self.open(content))
        self.assertEqual([0, 0], store.opened)
        small = self.content(b'small')
        self.assertIsInstance(self.cache.through(small, Store(b'small').open, local=True), GrowingReader)

    def test_the_kernel_can_send_what_there_is(self):
        data = os.urandom(4 * MIB)
        content, store = self.content(data), Store(data)
        store.open_until = 2 * MIB
        reader = self.cache.through(content, store.open, local=False)
        self.addCleanup(reader.close)
        sent = 0
        while sent < 2 * MIB:
            count = reader.ready(sent)
            self.assertEqual(data[sent:sent + count], os.pread(reader.fileno(), count, sent))
            sent += count
        store.gate.set()
        self.wait_for_fills(1)
        self.assertEqual(2 * MIB, reader.ready(sent))
        # Where the file gives out, the store goes on.
        reader.give_up(sent)
        self.assertEqual(data[sent:], read(reader))
        self.assertEqual([0, sent], store.opened)

    def test_the_kernel_is_not_to_send_what_is_wrong(self):
        data = os.urandom(3 * MIB)
        reader = self.cache.through(self.content(data, digest='0' * 128), Store(data).open, local=False)
        self.addCleanup(reader.close)
        self.wait_for('end of the fill', lambda: self.cache.counters.failed_fills)
        self.assertEqual(3 * MIB - HELD_BACK, reader.ready(0))
        self.assertRaises(exceptions.StoreError, reader.ready, 3 * MIB - HELD_BACK)

    def test_what_a_dead_writer_left_is_begun_anew(self):
        data = os.urandom(3 * MIB)
        content = self.content(data)
        context = multiprocessing.get_context('spawn')
        begun = context.Event()
        child = context.Process(target=write_and_wait, args=(str(self.directory), content, begun))
        child.start()
        self.addCleanup(child.kill)
        self.assertTrue(begun.wait(SECONDS))
        reader, store = self.cache.through(content, Store(data).open, local=False), Store(data)
        self.assertIsInstance(reader, GrowingReader)
        child.kill()
        child.join(SECONDS)
        # Who was reading along gets what the dead one had written, and the rest from the store.
        self.assertEqual(len(data), len(read(reader)))
        self.assertEqual(data, read(self.cache.through(content, store.open, local=False)))
        self.assertEqual([0], store.opened)
        self.wait_for_fills(1)
        self.assertEqual(data, read(self.open(content)))

    def test_recovery_removes_what_the_dead_left_and_nothing_of_the_living(self):
        dead, data = str(uuid.uuid4()), os.urandom(2 * MIB)
        (self.directory / INCOMPLETE / dead).write_bytes(b'half')
        (self.directory / INCOMPLETE / 'foreign').write_bytes(b'x')
        content, store = self.content(data), Store(data)
        store.open_until = MIB
        reader = self.cache.through(content, store.open, local=False)
        self.make_cache().recover()
        self.assertEqual(sorted([content.image_id, 'foreign']), self.names(INCOMPLETE))
        store.gate.set()
        self.assertEqual(data, read(reader))

    def test_an_entry_that_is_deleted_while_it_is_written_is_not_published(self):
        data = os.urandom(3 * MIB)
        content, store = self.content(data), Store(data)
        store.open_until = MIB
        reader = self.cache.through(content, store.open, local=False)
        self.cache.delete(content.image_id)
        store.gate.set()
        self.assertEqual(data, read(reader))
        self.wait_for_fills(1)
        self.assertEqual([], self.cache.entries())
        self.assertEqual([0], store.opened)

    def test_an_entry_is_durable_before_it_is_published_and_published_before_it_is_recorded(self):
        calls, real = [], {name: getattr(os, name) for name in ('fdatasync', 'link', 'fsync')}

        def recorded(name):
            def call(first, *args, **kwargs):
                if name != 'fsync' or os.path.samestat(os.fstat(first), os.stat(self.directory)):
                    calls.append(name)
                return real[name](first, *args, **kwargs)
            return mock.patch.object(filling.os, name, call)

        record = self.cache.driver.record
        with contextlib.ExitStack() as stack:
            for name in real:
                stack.enter_context(recorded(name))
            stack.enter_context(mock.patch.object(
                self.cache.driver, 'record', lambda entry: (calls.append('record'), record(entry))))
            self.fill(os.urandom(2 * MIB))
        self.assertEqual(['fdatasync', 'link', 'fsync', 'record'], calls)

    def test_readers_do_not_wait_for_the_hash_but_at_the_end(self):
        data = os.urandom(6 * MIB)
        content, store, go_on = self.content(data), Store(data), threading.Event()
        self.addCleanup(go_on.set)

        class Held(Digest):
            def __init__(self, algorithm):
                super().__init__(algorithm)
                real = self.update
                self.update = lambda block: real(block) if go_on.wait(SECONDS) else self.fail()
        with mock.patch.object(core, 'Digest', Held):
            reader = self.cache.through(content, store.open, local=False)
            self.assertEqual(data[:-HELD_BACK], read(reader, len(data) - HELD_BACK))
            self.assertEqual([], self.cache.entries())
            go_on.set()
            self.assertEqual(data[-HELD_BACK:], read(reader))
        self.assertEqual([0], store.opened)

    def test_readers_do_not_wait_for_the_disk(self):
        data = os.urandom(2 * MIB)
        content, store, synced = self.content(data), Store(data), threading.Event()
        self.addCleanup(synced.set)
        real = os.fdatasync

        def sync(fd):
            self.assertTrue(synced.wait(SECONDS))
            real(fd)
        with mock.patch.object(filling.os, 'fdatasync', sync):
            other = self.make_cache()
            for cache in (self.cache, other):
                self.assertEqual(data, read(cache.through(content, store.open, local=False)))
            self.assertEqual(([0], []), (store.opened, self.cache.entries()))
            # Who was to see to it that the image is cached does wait.
            cached = []
            fetching = threading.Thread(target=lambda: (other.fetch(content, store.open),
                                                        cached.append(other.is_cached(content.image_id))))
            fetching.start()
            synced.set()
            fetching.join(SECONDS)
            self.assertEqual([True], cached)
        self.assertIsNotNone(self.open(content))
        self.assertEqual([0], store.opened)

    def test_what_the_disk_does_not_take_is_no_entry_and_no_concern_of_readers(self):
        for name in ('fdatasync', 'fsync'):
            cache = self.make_cache()
            data = os.urandom(2 * MIB)
            content = self.content(data)
            with mock.patch.object(filling.os, name, side_effect=OSError(errno.EIO, 'Input/output error')):
                self.assertEqual(data, read(cache.through(content, Store(data).open, local=False)))
                self.wait_for('failure', lambda counters=cache.counters: counters.failed_fills)
            self.assertFalse(self.cache.is_cached(content.image_id))
            self.assertEqual([], self.names(INCOMPLETE) + self.cache.driver.entries())
            self.fill(data, image_id=content.image_id)
            self.cache.clear()

    def test_readers_go_on_with_the_store_when_the_disk_does_not_give_the_draft_back(self):
        data = os.urandom(3 * MIB)
        content, store = self.content(data), Store(data)
        reader = self.cache.through(content, store.open, local=False)
        with mock.patch.object(filling.os, 'preadv', side_effect=OSError(errno.EIO, 'Input/output error')):
            self.assertEqual(data, read(reader))
        self.assertEqual([0, 0], store.opened)

    def test_what_a_writer_verified_before_it_died_is_not_believed(self):
        # After a power cut the permissions may be there, and the data not.
        content = self.content(b'data')
        self.path(content, INCOMPLETE).write_bytes(b'\0' * 4)
        self.path(content, INCOMPLETE).chmod(0o640)
        self.assertIsNone(follow(self.cache.layout, content, Store(b'data').open))
        self.fill(b'data', image_id=content.image_id)
        self.assertEqual(b'data', read(self.open(content)))

    def test_a_system_without_room_for_threads_is_no_concern_of_readers(self):
        content, store = self.content(b'data'), Store(b'data')
        for _ in range(MAX_FILLS + 1):
            with mock.patch.object(threading.Thread, 'start', side_effect=RuntimeError("can't start new thread")):
                self.assertEqual(b'data', read(self.cache.through(content, store.open, local=False)))
        self.assertEqual([], self.names(INCOMPLETE))
        self.fill(b'data', image_id=content.image_id)

    def test_a_full_disk_is_no_concern_of_readers(self):
        # More than any disk has: space is set aside before a byte is read.
        content = self.content(b'data', size=2 ** 55)
        cache = self.make_cache(max_size=2 ** 60)
        store = Store(b'data')
        self.assertEqual(b'data', read(cache.through(content, store.open, local=False)))
        self.assertEqual([], self.names(INCOMPLETE))
        self.assertEqual([0], store.opened)

    def test_a_directory_that_vanishes_is_no_concern_of_readers(self):
        content = self.fill(b'data')
        shutil.rmtree(self.directory)
        self.assertIsNone(self.open(content))
        self.assertEqual(b'data', read(self.cache.through(content, Store(b'data').open, local=False)))
        self.directory.write_text('a file')
        self.assertIsNone(self.open(content))
        self.assertEqual(b'data', read(self.cache.through(content, Store(b'data').open, local=False)))
        self.assertRaises(exceptions.CacheUnavailable, self.cache.entries)
        self.directory.unlink()
        self.make_cache()
        self.fill(b'data')

    def test_folders_that_vanish_are_made_again(self):
        for folder in (INCOMPLETE, INVALID, QUEUE, VERIFIED):
            shutil.rmtree(self.directory / folder)
        content = self.fill(b'data')
        self.assertIsNotNone(self.open(content))
        self.assertTrue(self.cache.queue(str(uuid.uuid4())))


class Serving(CacheConformance):
    """Entries that are read."""

    def test_spans(self):
        data = os.urandom(3 * MIB)
        content = self.fill(data)
        for offset, length in ((0, None), (0, 10), (5, 100), (MIB, 2 * MIB), (3 * MIB - 1, 1), (7, None)):
            reader = self.open(content, offset, length)
            end = len(data) if length is None else offset + length
            self.assertEqual((offset, end - offset), (reader.offset, reader.length))
            self.assertEqual(data[offset:end], read(reader))
            self.assertEqual(data[offset:end], os.pread(reader.fileno(), reader.length, reader.offset))

    def test_damaged_entries_are_not_served(self):
        def flip(path):
            with path.open('r+b') as file:
                first = file.read(1)[0]
                file.seek(0)
                file.write(bytes([first ^ 1]))

        def exchange(path):
            path.unlink()
            path.write_bytes(b'atad')

        def truncate(path):
            os.truncate(path, 3)

        def lengthen(path):
            with path.open('ab') as file:
                file.write(b'!')
        for damage in (flip, exchange, truncate, lengthen):
            content = self.fill(b'data')
            damage(self.path(content))
            self.check_becomes_rejected(content)
            self.assertIn(content.image_id, self.names(INVALID))
            self.fill(b'data', image_id=content.image_id)
            self.assertEqual(b'data', read(self.open(content)))

    def test_what_is_no_file_is_left_alone(self):
        contents = [self.content(b'data') for _ in range(3)]
        for content, make in zip(contents, (os.mkdir, os.mkfifo, lambda path: os.symlink('/etc/passwd', path)), strict=True):
            make(self.path(content))
            self.assertIsNone(self.open(content))
            self.assertEqual(b'data', read(self.cache.through(content, Store(b'data').open, local=False)))
        self.assertEqual([], self.cache.entries())
        pruner.prune(self.make_cache(max_size=0))
        self.assertEqual([True] * 3, [os.path.lexists(self.path(content)) for content in contents])

    def test_entries_of_another_release_are_verified_before_they_are_served(self):
        good, bad, unknown = self.content(b'data'), self.content(b'data'), self.content(b'data', algorithm=None, digest=None)
        for content, data in ((good, b'data'), (bad, b'evil'), (unknown, b'data')):
            self.path(content).write_bytes(data)
            self.assertIsNone(self.open(content))
        self.wait_for('verification', lambda: self.open(good))
        self.assertEqual(b'data', read(self.open(good, cache=self.make_cache())))
        self.wait_for('rejections', lambda: self.names(INVALID) == sorted([bad.image_id, unknown.image_id]))
        self.assertIsNone(self.open(bad))

    def test_entries_are_verified_again_after_a_start_of_the_machine(self):
        content = self.fill(b'data')
        stamp = self.path(content, VERIFIED)
        stamp.write_text(stamp.read_text().replace('"boot": "', '"boot": "former-'))
        other = self.make_cache()
        self.assertIsNone(self.open(content, cache=other))
        self.wait_for('verification', lambda: self.open(content, cache=other))

    def test_an_entry_is_not_used_for_other_data_of_the_same_id(self):
        content = self.fill(b'data')
        self.check_becomes_rejected(self.content(b'new!', image_id=content.image_id))

    def test_an_image_without_hashes_is_known_by_its_own(self):
        content = self.fill(b'data', algorithm=None, digest=None)
        self.assertEqual(b'data', read(self.open(content)))
        with self.path(content).open('r+b') as file:
            file.write(b'evil')
        self.check_becomes_rejected(content)

    def test_readers_go_on_after_the_entry_is_removed(self):
        content = self.fill(b'data')
        reader = self.open(content)
        self.cache.clear()
        self.assertEqual(b'data', read(reader))

    def test_a_file_system_that_became_read_only_is_no_concern_of_readers(self):
        content, store = self.fill(b'data'), Store(b'data')
        os.truncate(self.path(content), 2)
        error = OSError(errno.EROFS, 'Read-only file system')
        with mock.patch('os.rename', side_effect=error), mock.patch('os.unlink', side_effect=error):
            self.assertIsNone(self.cache.open(content, 0, None, store.open))

    def test_a_disk_that_fails_sends_readers_to_the_store(self):
        content, store = self.fill(b'data'), Store(b'data')
        reader = self.cache.open(content, 0, None, store.open)
        os.truncate(self.path(content), 2)
        self.assertEqual(b'data', read(reader))
        self.assertEqual([2], store.opened)
        self.assertFalse(self.cache.is_cached(content.image_id))


class Keeping(CacheConformance):
    """Size, order, queue and leftovers."""

    def test_the_queue_keeps_its_order(self):
        ids = [str(uuid.uuid4()) for _ in range(3)]
        for second, image_id in enumerate(ids):
            self.assertTrue(self.cache.queue(image_id))
            os.utime(self.directory / QUEUE / image_id, (second, second))
        self.assertFalse(self.cache.queue(ids[0]))
        self.assertEqual(ids, self.make_cache().queued())
        self.assertTrue(self.cache.dequeue(ids[1]))
        self.assertFalse(self.cache.dequeue(ids[1]))
        content = self.fill(b'data', image_id=ids[0])
        self.assertFalse(self.cache.queue(content.image_id))
        self.assertEqual([ids[2]], self.cache.queued())
        self.assertEqual(1, self.cache.clear_queue())

    def test_the_least_recently_used_gives_way(self):
        contents = []
        for size in (30, 20, 10):
            self.clock.now += 100
            contents.append(self.fill(bytes([size]) * size))
        self.clock.now += 100
        self.cache.count_hit(contents[0].image_id, 30)
        small = self.make_cache(max_size=41)
        self.assertEqual(pruner.Pruned(1, 20), pruner.prune(small))
        self.assertEqual(pruner.Pruned(0, 0), pruner.prune(small))
        self.assertEqual({contents[0].image_id, contents[2].image_id}, {entry.image_id for entry in small.entries()})
        self.assertEqual(pruner.Pruned(2, 40), pruner.prune(self.make_cache(max_size=0)))
        self.assertEqual([], self.cache.driver.entries())

    def test_files_that_the_books_do_not_know_count_and_go_first(self):
        known = self.fill(b'x' * 10)
        foreign = self.directory / str(uuid.uuid4())
        foreign.write_bytes(b'y' * 10)
        os.utime(foreign, (1000, 1000))
        self.assertEqual(pruner.Pruned(1, 10), pruner.prune(self.make_cache(max_size=15)))
        self.assertEqual([known.image_id], [entry.image_id for entry in self.cache.entries()])

    def test_room_is_made_for_what_comes(self):
        cache = self.make_cache(max_size=3 * MIB)
        contents = []
        for number in range(4):
            self.clock.now += 100
            contents.append(self.fill(bytes([number]) * MIB, cache=cache))
        self.assertEqual({content.image_id for content in contents[1:]}, {entry.image_id for entry in cache.entries()})
        large = bytes(3 * MIB + 1)
        self.assertEqual(large, read(cache.through(self.content(large), Store(large).open, local=False)))
        self.assertEqual(3, len(cache.entries()))

    def test_entries_in_the_making_count(self):
        cache = self.make_cache(max_size=3 * MIB)
        data = os.urandom(2 * MIB)
        content, store = self.content(data), Store(data)
        store.open_until = MIB
        reader = cache.through(content, store.open, local=False)
        self.assertEqual(data, read(cache.through(self.content(data), Store(data).open, local=False)))
        store.gate.set()
        self.assertEqual(data, read(reader))
        self.wait_for_fills(1, cache)
        self.assertEqual([content.image_id], [entry.image_id for entry in cache.entries()])

    def test_without_that_the_cache_grows_until_it_is_pruned(self):
        cache = self.make_cache(max_size=10, prune_on_fill=False)
        for _ in range(3):
            self.fill(b'x' * 10, cache=cache)
        self.assertEqual(3, len(cache.entries()))
        self.assertEqual(pruner.Pruned(2, 20), pruner.prune(cache))

    def test_times_of_the_future_are_taken_for_the_present(self):
        self.clock.now += 86400
        early = self.fill(b'early')
        self.clock.now -= 86400
        late = self.fill(b'late!')
        self.assertEqual(pruner.Pruned(0, 0), pruner.prune(self.make_cache(max_size=10)))
        self.assertLessEqual(self.entry(early).last_accessed, self.clock.now)
        self.clock.now += 10
        self.cache.count_hit(late.image_id, 5)
        self.assertEqual(pruner.Pruned(1, 5), pruner.prune(self.make_cache(max_size=5)))
        self.assertEqual([late.image_id], [entry.image_id for entry in self.cache.entries()])

    def test_leftovers_are_cleaned(self):
        entry = self.fill(b'data')
        invalid, stale, young, future = (str(uuid.uuid4()) for _ in range(4))
        (self.directory / INVALID / invalid).write_bytes(b'x')
        for image_id, age in ((stale, 3601), (young, 10), (future, -5000)):
            path = self.directory / INCOMPLETE / image_id
            path.write_bytes(b'x')
            os.utime(path, (self.clock.now - age, self.clock.now - age))
        orphan = self.directory / VERIFIED / str(uuid.uuid4())
        for path in (orphan, orphan.with_name(orphan.name + '.draft')):
            path.write_text('{}')
            os.utime(path, (1000, 1000))
        (self.directory / INVALID / 'foreign').write_bytes(b'x')
        self.assertEqual(3, cleaner.clean(self.cache))
        self.assertEqual([young], self.names(INCOMPLETE))
        self.assertEqual(['foreign'], self.names(INVALID))
        self.assertEqual([entry.image_id], self.names(VERIFIED))
        self.assertIsNotNone(self.open(entry))

    def test_cleaning_goes_on_when_others_remove_something_meanwhile(self):
        for number in range(2):
            (self.directory / VERIFIED / ('%s.%d' % (uuid.uuid4(), number))).write_text('{}')
        lstat = os.lstat

        def late(path):
            os.unlink(path)
            return lstat(path)
        with mock.patch('os.lstat', late):
            self.assertEqual(0, cleaner.clean(self.cache))
        self.assertEqual([], self.names(VERIFIED))

    def test_what_the_file_system_refuses_is_told(self):
        (self.directory / INVALID / str(uuid.uuid4())).write_bytes(b'x')
        with mock.patch('os.unlink', side_effect=OSError(errno.EROFS, 'Read-only file system')):
            self.assertRaisesRegex(exceptions.CacheUnavailable, 'Read-only', cleaner.clean, self.cache)

    def test_what_is_being_written_is_not_cleaned_however_old(self):
        data = os.urandom(2 * MIB)
        content, store = self.content(data), Store(data)
        store.open_until = MIB
        reader = self.cache.through(content, store.open, local=False)
        os.utime(self.path(content, INCOMPLETE), (1000, 1000))
        self.assertEqual(0, cleaner.clean(self.make_cache()))
        store.gate.set()
        self.assertEqual(data, read(reader))
        self.wait_for_fills(1)
        self.assertIsNotNone(self.open(content))

    def test_fetching_waits_for_who_fills(self):
        data = os.urandom(2 * MIB)
        content, store = self.content(data), Store(data)
        store.open_until = MIB
        reader = self.cache.through(content, store.open, local=False)
        fetched = []
        thread = threading.Thread(target=lambda: fetched.append(self.make_cache().fetch(content, store.open)))
        thread.start()
        store.gate.set()
        thread.join(SECONDS)
        self.assertEqual([None], fetched)
        self.assertEqual([0], store.opened)
        reader.close()
        self.cache.fetch(content, store.open)
        self.assertEqual([0], store.opened)

    def test_fetching_tells_what_kept_it_from_being_cached(self):
        wrong = self.content(b'data', digest='0' * 128)
        self.assertRaises(exceptions.StoreError, self.cache.fetch, wrong, Store(b'data').open)
        large = self.content(b'data')
        self.assertRaises(exceptions.CacheUnavailable, self.make_cache(max_size=3).fetch, large, Store(b'data').open)


MIXINS = (Books, Filling, Serving, Keeping)


def cases(module: str, base: type) -> dict[str, type]:
    """Return a test class for each mixin, by name, to be put into the namespace of the module."""
    return {mixin.__name__: type(mixin.__name__, (mixin, base), {'__module__': module}) for mixin in MIXINS}
