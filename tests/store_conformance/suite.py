"""The tests that every store has to pass."""
import functools
import hashlib
import multiprocessing
import os
import signal
import threading
import uuid

from glance import exceptions
from glance.store import base
from glance.transfer import pipeline, sources

MIB = 1024 * 1024


def write_and_wait(factory, image_id: str, attempt: str, content: bytes, ready) -> None:
    """In a child process: write without an end, and say so."""
    writer = factory().writer(image_id, None, attempt)
    writer.write(memoryview(content))
    ready.set()
    signal.pause()


class StoreConformance:
    """Mixin to a TestCase. ``setUp`` of the class that uses it sets ``factory``, then calls ``super().setUp()``.

    ``factory`` makes a store, always of the same place, and can be pickled.
    """

    factory = None

    def setUp(self):
        super().setUp()
        self.store = self.factory()
        self.addCleanup(self.store.close)
        self.image_id = str(uuid.uuid4())

    def pieces(self) -> set[str]:
        """Names of all that the backend holds for the store, also what is not complete."""
        raise NotImplementedError

    def put(self, content: bytes, image_id: str | None = None, size: int | None = None) -> base.Location:
        writer = self.store.writer(image_id or self.image_id, size)
        view = memoryview(content)
        while view:
            writer.write(view[:MIB])
            view = view[MIB:]
        return writer.commit()

    def get(self, location: base.Location, offset: int = 0, length: int | None = None) -> bytes:
        reader = self.store.open(location, offset, length)
        try:
            content = read_to_end(reader)
            self.assertEqual(reader.length, len(content))
            self.assertEqual(offset, reader.offset)
            return content
        finally:
            reader.close()
            reader.close()

    def test_round_trip_of_many_lengths(self):
        for length in (0, 1, 4095, 4096, 65536, MIB - 1, MIB, MIB + 1):
            for size in (None, length):
                content = os.urandom(length)
                location = self.put(content, str(uuid.uuid4()), size)
                self.assertEqual(content, self.get(location))
                self.assertEqual(length, self.store.size(location))

    def test_large_object_through_the_pipeline(self):
        content = os.urandom(MIB) * 33 + b'end'
        location, result = pipeline.store(sources.BytesSource(content), self.store, self.image_id, algorithm='sha512')
        self.assertEqual(len(content), result.size)
        self.assertEqual(hashlib.sha512(content).hexdigest(), result.hash_value)
        with sources.ReaderSource(self.store.open(location)) as source:
            self.assertEqual(result, pipeline.copy(source, None, algorithm='sha512'))

    def test_url_is_of_the_store(self):
        location = self.put(b'x')
        self.assertEqual(self.store.schemes[0], location.url.partition('://')[0])
        self.assertTrue(location.url.startswith(self.store.url_prefixes))

    def test_nothing_is_visible_before_commit(self):
        self.assertEqual([], list(self.store.walk()))
        writer = self.store.writer(self.image_id)
        writer.write(memoryview(b'half'))
        self.assertEqual([], list(self.store.walk()))
        location = writer.commit()
        self.assertEqual([location], [found.location for found in self.store.walk()])

    def test_abort_leaves_nothing(self):
        before = self.pieces()
        for size in (None, 10):
            writer = self.store.writer(self.image_id, size)
            writer.write(memoryview(b'half'))
            writer.abort()
            writer.abort()
            self.assertEqual(before, self.pieces())
        self.assertEqual(b'whole', self.get(self.put(b'whole')))

    def test_abort_after_commit_keeps_the_object(self):
        writer = self.store.writer(self.image_id)
        writer.write(memoryview(b'content'))
        location = writer.commit()
        writer.abort()
        self.assertEqual(b'content', self.get(location))

    def test_failing_source_leaves_nothing(self):
        class Broken:
            left = 3 * MIB

            def readinto(self, buffer):
                if not self.left:
                    raise exceptions.ClientDisconnected()
                self.left -= len(buffer[:MIB])
                return len(buffer[:MIB])

        before = self.pieces()
        with self.assertRaises(exceptions.ClientDisconnected):
            pipeline.store(Broken(), self.store, self.image_id, algorithm='sha512')
        self.assertEqual(before, self.pieces())

    def test_ranges(self):
        content = os.urandom(3 * MIB)
        location = self.put(content)
        for offset, length in ((0, 1), (3 * MIB - 1, 1), (MIB - 10, 20), (5, None), (0, 0), (3 * MIB, None),
                               (7, 2 * MIB)):
            end = None if length is None else offset + length
            self.assertEqual(content[offset:end], self.get(location, offset, length), (offset, length))

    def test_range_outside_the_object(self):
        location = self.put(b'0123456789')
        for offset, length in ((11, None), (0, 11), (5, 6), (-1, 2), (0, -1)):
            with self.assertRaises(exceptions.Invalid):
                self.store.open(location, offset, length)

    def test_kernel_can_send_what_has_a_descriptor(self):
        reader = self.store.open(self.put(b'0123456789'), 3, 4)
        try:
            if reader.fileno() is not None:
                self.assertEqual(b'3456', os.pread(reader.fileno(), reader.length, reader.offset))
        finally:
            reader.close()

    def test_holes_read_as_zeros(self):
        writer = self.store.writer(self.image_id)
        writer.hole(MIB)
        writer.write(memoryview(b'data'))
        writer.hole(2 * MIB + 3)
        location = writer.commit()
        self.assertEqual(bytes(MIB) + b'data' + bytes(2 * MIB + 3), self.get(location))
        self.assertEqual(3 * MIB + 7, self.store.size(location))

    def test_zero_runs_do_not_change_the_digest(self):
        content = bytes(2 * MIB) + os.urandom(100) + bytes(MIB) + b'x' + bytes(70000)
        location, result = pipeline.store(sources.BytesSource(content), self.store, self.image_id, algorithm='sha256',
                                          size=len(content))
        self.assertEqual(hashlib.sha256(content).hexdigest(), result.hash_value)
        self.assertEqual(content, self.get(location))

    def test_second_object_of_an_image(self):
        location = self.put(b'first')
        before = self.pieces()
        with self.assertRaises(exceptions.ObjectExists):
            self.put(b'second')
        self.assertEqual(before, self.pieces())
        self.assertEqual(b'first', self.get(location))

    def test_of_two_writers_one_wins(self):
        first, second = self.store.writer(self.image_id), self.factory().writer(self.image_id)
        first.write(memoryview(b'first'))
        second.write(memoryview(b'second'))
        location = second.commit()
        with self.assertRaises(exceptions.ObjectExists):
            first.commit()
        first.abort()
        self.assertEqual(b'second', self.get(location))
        self.assertEqual([location], [found.location for found in self.store.walk()])

    def test_race_of_commits(self):
        for _ in range(10):
            self._check_race(str(uuid.uuid4()))

    def _check_race(self, image_id):
        won, lost = [], []
        barrier = threading.Barrier(4)

        def write(content):
            writer = self.store.writer(image_id)
            writer.write(memoryview(content))
            barrier.wait()
            try:
                won.append((content, writer.commit()))
            except exceptions.ObjectExists:
                lost.append(content)
                writer.abort()

        in_threads([functools.partial(write, b'%d' % number) for number in range(4)])
        self.assertEqual((1, 3), (len(won), len(lost)))
        content, location = won[0]
        self.assertEqual(content, self.get(location))

    def test_delete(self):
        before = self.pieces()
        location = self.put(b'content')
        self.store.delete(location)
        self.assertEqual(before, self.pieces())
        for operation in (self.store.delete, self.store.open, self.store.size):
            with self.assertRaises(exceptions.ObjectNotFound):
                operation(location)
        self.assertEqual(b'again', self.get(self.put(b'again')))

    def test_foreign_location(self):
        for url in ('', 'nothing', 'file', 'gopher://host/x', self.store.schemes[0] + '://',
                    self.store.schemes[0] + ':///etc/passwd', self.store.schemes[0] + '://../x'):
            for operation in (self.store.delete, self.store.open, self.store.size):
                with self.assertRaises(exceptions.BadLocation, msg=url):
                    operation(base.Location(url))

    def test_readers_and_writers_at_once(self):
        shared = os.urandom(2 * MIB)
        location = self.put(shared)

        def read():
            self.assertEqual(shared, self.get(location))

        def write():
            content = os.urandom(MIB + 1)
            own = self.put(content, str(uuid.uuid4()), len(content))
            self.assertEqual(content, self.get(own))
            self.store.delete(own)

        in_threads([read, write] * 4)
        self.assertEqual([location], [found.location for found in self.store.walk()])

    def test_walk_tells_size_and_age(self):
        locations = {self.put(b'x' * length, str(uuid.uuid4())).url: length for length in (0, 1, 1000)}
        found = list(self.store.walk())
        self.assertEqual(locations, {item.location.url: item.size for item in found})
        self.assertTrue(all(-60 < item.age < 3600 for item in found))

    def test_killed_writer(self):
        """kill -9 in the middle: nothing visible, the rest can be removed, the image can be written again."""
        before = self.pieces()
        attempt = str(uuid.uuid4())
        self._kill_writer(attempt)
        self.assertEqual([], list(self.store.walk()))
        self.assertEqual(0, self.store.discard(self.image_id, str(uuid.uuid4())))
        self.store.discard(self.image_id, attempt)
        self.assertEqual(before, self.pieces())
        self.assertEqual(b'again', self.get(self.put(b'again')))

    def test_sweep_after_a_killed_writer(self):
        before = self.pieces()
        self._kill_writer(str(uuid.uuid4()))
        self.assertEqual([], self.store.sweep(older_than=3600))
        self.store.sweep(older_than=0)
        self.assertEqual(before, self.pieces())

    def test_discard_and_sweep_spare_the_living(self):
        committed = self.put(b'committed', str(uuid.uuid4()))
        writer = self.store.writer(self.image_id)
        writer.write(memoryview(b'a'))
        other = self.factory()
        self.addCleanup(other.close)
        self.assertEqual(0, other.discard(self.image_id))
        self.assertEqual([], other.sweep(older_than=0))
        writer.write(memoryview(b'b'))
        self.assertEqual(b'ab', self.get(writer.commit()))
        self.assertEqual(b'committed', self.get(committed))

    def _kill_writer(self, attempt):
        context = multiprocessing.get_context('spawn')
        ready = context.Event()
        child = context.Process(target=write_and_wait,
                                args=(self.factory, self.image_id, attempt, os.urandom(2 * MIB), ready))
        child.start()
        try:
            self.assertTrue(ready.wait(60))
        finally:
            child.kill()
            child.join()


def read_to_end(reader: base.Reader) -> bytes:
    """What is left of a span; the reader stays open."""
    content, buffer = bytearray(), memoryview(bytearray(100_000))
    while count := reader.readinto(buffer):
        content += buffer[:count]
    return bytes(content)


def in_threads(functions) -> None:
    """Run the functions at once; raise what one of them raised."""
    errors = []

    def guarded(function):
        try:
            function()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
