"""The pipeline: content, digests, sizes, limits, errors, threads and memory."""
import hashlib
import os
import threading
import unittest
import uuid

from glance import exceptions
from glance.store.base import Location
from glance.transfer import pipeline, sources

BLOCK = pipeline.BLOCK


class MemoryWriter:
    def __init__(self, holes=False, fail_at=None):
        self.holes, self.fail_at = holes, fail_at
        self.content = bytearray()
        self.runs = []
        self.threads = set()
        self.committed = self.aborted = 0

    def write(self, data):
        self.threads.add(threading.get_ident())
        self.content += data
        if self.fail_at is not None and len(self.content) > self.fail_at:
            raise exceptions.StoreFull()

    def hole(self, length):
        self.runs.append((len(self.content), length))
        self.content += bytes(length)

    def commit(self):
        self.committed += 1
        return Location('memory://x')

    def abort(self):
        self.aborted += 1


class MemoryStore:
    def __init__(self, writer):
        self._writer = writer
        self.arguments = None

    def writer(self, image_id, size=None, attempt=None):
        self.arguments = image_id, size, attempt
        return self._writer


class Pieces:
    """A source that delivers the content in pieces of given lengths, and counts the calls."""

    def __init__(self, content, lengths=(BLOCK,), error=None):
        self._inner, self._lengths, self._error = sources.BytesSource(content), lengths, error
        self.calls = 0

    def readinto(self, buffer):
        length = self._lengths[self.calls % len(self._lengths)]
        self.calls += 1
        count = self._inner.readinto(buffer[:length])
        if not count and self._error:
            raise self._error
        return count


class CollectingSink:
    def __init__(self, error=None, error_in_finish=None):
        self._error, self._error_in_finish = error, error_in_finish
        self.content = bytearray()
        self.finished = 0

    def update(self, block):
        if self._error:
            raise self._error
        self.content += block

    def finish(self):
        self.finished += 1
        if self._error_in_finish:
            raise self._error_in_finish


class CopyTest(unittest.TestCase):
    def setUp(self):
        # Threads of tests before may end meanwhile: what counts is that none is left that was not there.
        threads = set(threading.enumerate())
        self.addCleanup(lambda: self.assertLessEqual(set(threading.enumerate()), threads))

    def copy(self, source, writer=None, algorithm='sha512', **options):
        return pipeline.copy(source, writer, algorithm=algorithm, **options)

    def test_content_and_digests(self):
        for length in (0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 7 * BLOCK + 5):
            content = os.urandom(length)
            for algorithm in ('sha512', 'md5', 'blake2b'):
                for size in (None, length):
                    writer, sink = MemoryWriter(), CollectingSink()
                    result = self.copy(Pieces(content, (1000, BLOCK, 1)), writer, algorithm, size=size, sinks=[sink])
                    self.assertEqual(pipeline.Result(length, hashlib.md5(content).hexdigest(), algorithm,
                                                     hashlib.new(algorithm, content).hexdigest()), result)
                    self.assertEqual(content, writer.content)
                    self.assertEqual(content, sink.content)
                    self.assertEqual(1, sink.finished)
                    self.assertEqual((0, 0), (writer.committed, writer.aborted))

    def test_without_writer(self):
        result = self.copy(sources.BytesSource(b'x'), None, 'sha256')
        self.assertEqual(hashlib.sha256(b'x').hexdigest(), result.hash_value)

    def test_small_stream_stays_in_the_thread_of_the_caller(self):
        writer = MemoryWriter()
        self.copy(sources.BytesSource(bytes(BLOCK - 1)), writer)
        self.assertEqual({threading.get_ident()}, writer.threads)

    def test_sinks_work_side_by_side(self):
        """Each waits for the other one at every block, which only two threads can do."""
        barrier = threading.Barrier(2, timeout=60)

        class Meeting(CollectingSink):
            def update(self, block):
                barrier.wait()
                super().update(block)

        data, sinks = os.urandom(8 * BLOCK), [Meeting(), Meeting()]
        self.copy(sources.BytesSource(data), sinks=sinks)
        self.assertTrue(all(sink.content == data for sink in sinks))

    def test_memory_is_bounded(self):
        """The source is never further ahead of the slowest sink than the buffers allow."""
        done, ahead = [0], []

        class Slow(CollectingSink):
            def update(self, block):
                done[0] += len(block)

        class Watching(Pieces):
            read = 0

            def readinto(self, buffer):
                ahead.append(self.read - done[0])
                count = super().readinto(buffer)
                self.read += count
                return count

        self.copy(Watching(bytes(40 * BLOCK)), sinks=[Slow()])
        self.assertLessEqual(max(ahead), pipeline.BLOCKS * BLOCK)

    def test_unknown_algorithm_reads_nothing(self):
        source = Pieces(b'x')
        for algorithm in ('no-such', 'shake_128', '', None):
            with self.assertRaises(exceptions.Invalid):
                self.copy(source, MemoryWriter(), algorithm)
        self.assertEqual(0, source.calls)

    def test_announced_size_over_the_limit_reads_nothing(self):
        source = Pieces(b'x')
        with self.assertRaises(exceptions.ImageSizeLimitExceeded):
            self.copy(source, MemoryWriter(), size=11, limit=10)
        self.assertEqual(0, source.calls)

    def test_limit(self):
        for length in (10, 3 * BLOCK):
            content = bytes(length)
            self.assertEqual(length, self.copy(Pieces(content), MemoryWriter(), limit=length).size)
            source = Pieces(content + bytes(100 * BLOCK))
            with self.assertRaises(exceptions.ImageSizeLimitExceeded):
                self.copy(source, MemoryWriter(), limit=length)
            self.assertLessEqual(source.calls, length // BLOCK + 1)

    def test_more_than_announced(self):
        for length in (10, 3 * BLOCK):
            source = Pieces(bytes(length + 100 * BLOCK))
            with self.assertRaises(exceptions.SizeMismatch):
                self.copy(source, MemoryWriter(), size=length)
            self.assertLessEqual(source.calls, length // BLOCK + 1)

    def test_fewer_than_announced(self):
        for length in (0, 10, BLOCK, 3 * BLOCK):
            sink = CollectingSink()
            with self.assertRaises(exceptions.SizeMismatch):
                self.copy(Pieces(bytes(length)), MemoryWriter(), size=length + 1, sinks=[sink])
            self.assertEqual(0, sink.finished)

    def test_errors_reach_the_caller_unchanged(self):
        error = ZeroDivisionError('of the test')
        for length in (10, 9 * BLOCK):
            content = bytes(length)
            for arguments in ({'source': Pieces(content, error=error)},
                              {'sinks': [CollectingSink(error)]},
                              {'sinks': [CollectingSink(error_in_finish=error)]}):
                arguments = {'source': Pieces(content), 'writer': MemoryWriter(), **arguments}
                with self.assertRaises(ZeroDivisionError) as caught:
                    self.copy(**arguments)
                self.assertIs(error, caught.exception)

    def test_error_of_a_sink_stops_an_endless_source(self):
        class Endless:
            def readinto(self, buffer):
                return min(len(buffer), 1000)

        with self.assertRaises(exceptions.StoreFull):
            self.copy(Endless(), MemoryWriter(fail_at=2 * BLOCK))

    def test_error_of_a_sink_is_seen_in_the_middle_of_a_block(self):
        """A slow client is not read to the end of a block that nobody wants any more."""
        failing = threading.Event()

        class Failing(CollectingSink):
            def update(self, block):
                failing.set()
                raise exceptions.Conflict('refused')

        class Dripping:
            read = drops = 0

            def readinto(self, buffer):
                count = min(len(buffer), BLOCK) if self.read < BLOCK else 1
                if count == 1:
                    failing.wait(60)
                    self.drops += 1
                self.read += count
                return count

        source = Dripping()
        with self.assertRaises(exceptions.Conflict):
            self.copy(source, sinks=[Failing()])
        self.assertLess(source.drops, BLOCK)

    def test_keyboard_interrupt(self):
        with self.assertRaises(KeyboardInterrupt):
            self.copy(Pieces(bytes(5 * BLOCK), error=KeyboardInterrupt()), MemoryWriter())

    def test_progress_by_bytes(self):
        class Zeros:
            left = 200 * BLOCK

            def readinto(self, buffer):
                count = min(len(buffer), self.left)
                self.left -= count
                return count

        seen = []
        self.copy(Zeros(), None, progress=seen.append)
        self.assertEqual(seen, sorted(seen))
        for earlier, later in zip([0, *seen], [*seen, 200 * BLOCK], strict=True):
            self.assertLessEqual(later - earlier, 64 * BLOCK)

    def test_progress_can_abort(self):
        def progress(done):
            raise exceptions.Conflict('the lease is lost')

        with self.assertRaises(exceptions.Conflict):
            self.copy(sources.BytesSource(bytes(65 * BLOCK)), None, progress=progress)

    def test_holes(self):
        content = (bytes(65536) + b'x' * 65536) * 20 + bytes(3 * BLOCK) + b'end' + bytes(100)
        writer = MemoryWriter(holes=True)
        result = self.copy(sources.BytesSource(content), writer)
        self.assertEqual(content, writer.content)
        self.assertEqual(hashlib.sha512(content).hexdigest(), result.hash_value)
        self.assertEqual([(2 * 65536 * number, 65536) for number in range(20)], writer.runs[:20])
        self.assertEqual(20 * 65536 + 3 * BLOCK, sum(length for _, length in writer.runs))

    def test_no_holes_for_writers_that_want_none(self):
        writer = MemoryWriter()
        self.copy(sources.BytesSource(bytes(2 * BLOCK)), writer)
        self.assertEqual([], writer.runs)
        self.assertEqual(2 * BLOCK, len(writer.content))


class StoreTest(unittest.TestCase):
    def test_stored(self):
        writer = MemoryWriter()
        store = MemoryStore(writer)
        image_id, attempt = str(uuid.uuid4()), str(uuid.uuid4())
        location, result = pipeline.store(sources.BytesSource(b'content'), store, image_id, algorithm='sha256', size=7,
                                          attempt=attempt)
        self.assertEqual((image_id, 7, attempt), store.arguments)
        self.assertEqual(('memory://x', 7), (location.url, result.size))
        self.assertEqual((b'content', 1, 0), (writer.content, writer.committed, writer.aborted))

    def test_aborted_after_any_error(self):
        for error in (exceptions.ClientDisconnected(), KeyboardInterrupt(), SystemExit()):
            writer = MemoryWriter()
            with self.assertRaises(type(error)):
                pipeline.store(Pieces(b'content', error=error), MemoryStore(writer), 'id', algorithm='sha256')
            self.assertEqual((0, 1), (writer.committed, writer.aborted))

    def test_aborted_after_failed_commit(self):
        writer = MemoryWriter()

        def commit():
            raise exceptions.ObjectExists()

        writer.commit = commit
        with self.assertRaises(exceptions.ObjectExists):
            pipeline.store(sources.BytesSource(b''), MemoryStore(writer), 'id', algorithm='sha256')
        self.assertEqual(1, writer.aborted)

    def test_nothing_is_opened_for_what_cannot_succeed(self):
        store = MemoryStore(MemoryWriter())
        with self.assertRaises(exceptions.ImageSizeLimitExceeded):
            pipeline.store(sources.BytesSource(b''), store, 'id', algorithm='sha256', size=2, limit=1)
        with self.assertRaises(exceptions.Invalid):
            pipeline.store(sources.BytesSource(b''), store, 'id', algorithm='crc')
        self.assertIsNone(store.arguments)
