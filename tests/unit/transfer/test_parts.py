"""Sources, response bodies, zero runs and the meter, each for itself."""
import io
import os
import tempfile
import threading
import unittest
from unittest import mock

import hypothesis
from hypothesis import strategies

from glance import exceptions
from glance.transfer import body, buffers, limits, sources, sparse


def drain(source, step):
    content, buffer = bytearray(), memoryview(bytearray(step))
    while count := source.readinto(buffer):
        content += buffer[:count]
    return bytes(content)


class SourcesTest(unittest.TestCase):
    content = os.urandom(1000)

    def test_input_with_readinto(self):
        self.assertEqual(self.content, drain(sources.WsgiSource(io.BytesIO(self.content)), 7))

    def test_input_with_read_only(self):
        stream = mock.Mock(spec=['read'])
        stream.read = io.BytesIO(self.content).read
        self.assertEqual(self.content, drain(sources.WsgiSource(stream), 7))

    def test_broken_connection(self):
        for method in ('read', 'readinto'):
            stream = mock.Mock(spec=[method])
            getattr(stream, method).side_effect = ConnectionResetError()
            with self.assertRaises(exceptions.ClientDisconnected):
                sources.WsgiSource(stream).readinto(memoryview(bytearray(1)))

    def test_file(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'file')
            with open(path, 'wb') as file:
                file.write(self.content)
            with sources.FileSource(path) as source:
                self.assertEqual(len(self.content), source.size)
                self.assertEqual(self.content, drain(source, 7))
            with self.assertRaises(ValueError):
                source.readinto(memoryview(bytearray(1)))
            os.symlink(path, path + '.link')
            with self.assertRaises(OSError):
                sources.FileSource(path + '.link')

    def test_reader(self):
        reader = FakeReader(self.content)
        with sources.ReaderSource(reader) as source:
            self.assertEqual(len(self.content), source.size)
            self.assertEqual(self.content, drain(source, 7))
        self.assertEqual(1, reader.closed)

    def test_bytes(self):
        for data in (self.content, bytearray(self.content), memoryview(self.content).cast('I')):
            source = sources.BytesSource(data)
            self.assertEqual(len(self.content), source.size)
            self.assertEqual(self.content, drain(source, 7))


class FakeReader:
    def __init__(self, content):
        self.length, self.offset, self.closed = len(content), 0, 0
        self.readinto = sources.BytesSource(content).readinto

    def close(self):
        self.closed += 1


class ReaderBodyTest(unittest.TestCase):
    def test_iterated(self):
        content = os.urandom(2 * body.CHUNK + 5)
        reader, reports = FakeReader(content), []
        response = body.ReaderBody(reader, reports.append)
        self.assertEqual(content, b''.join(response))
        self.assertEqual(len(content), response.sent)
        response.close()
        response.close()
        self.assertEqual([len(content)], reports)
        self.assertTrue(reader.closed)

    def test_empty(self):
        self.assertEqual([], list(body.ReaderBody(FakeReader(b''))))

    def test_everybody_is_told_whatever_one_of_them_raises(self):
        reader, reports = FakeReader(b'data'), []
        response = body.ReaderBody(reader)
        for callback in (lambda sent: reports.append('first'), lambda sent: 1 / 0, reports.append):
            response.call_on_close(callback)
        list(response)
        with self.assertRaises(ZeroDivisionError):
            response.close()
        response.close()
        self.assertEqual(['first', 4], reports)
        self.assertTrue(reader.closed)

    def test_client_left(self):
        reports = []
        response = body.ReaderBody(FakeReader(bytes(3 * body.CHUNK)), reports.append)
        chunks = iter(response)
        next(chunks)
        next(chunks)
        response.close()
        self.assertEqual([body.CHUNK], reports)

    def test_sent_by_the_server(self):
        reports = []
        response = body.ReaderBody(FakeReader(b'12345'), reports.append)
        response.sent += 5
        response.close()
        self.assertEqual([5], reports)

    def test_reports_although_the_reader_fails_to_close(self):
        reports = []
        reader = FakeReader(b'1')
        reader.close = mock.Mock(side_effect=OSError())
        with self.assertRaises(OSError):
            body.ReaderBody(reader, reports.append).close()
        self.assertEqual([0], reports)


class ZeroRunsTest(unittest.TestCase):
    @hypothesis.given(strategies.lists(strategies.tuples(strategies.booleans(), strategies.integers(0, 3)), max_size=8),
                      strategies.integers(0, sparse.GRANULE - 1), strategies.booleans())
    def test_split(self, parts, tail, tail_is_zero):
        content = b''.join((b'\0' if zero else b'\1') * (count * sparse.GRANULE) for zero, count in parts)
        content += (b'\0' if tail_is_zero else b'\1') * tail
        runs = list(sparse.ZeroRuns().split(memoryview(content)))
        self.assertEqual(content, b''.join(run for _, run in runs))
        for zero, run in runs:
            self.assertEqual(zero, not any(run))
        for (earlier, _), (later, _) in zip(runs, runs[1:], strict=False):
            self.assertNotEqual(earlier, later)

    def test_one_byte_in_a_granule(self):
        for position in (0, 1, sparse.GRANULE - 1):
            content = bytearray(sparse.GRANULE)
            content[position] = 1
            self.assertEqual([False], [zero for zero, _ in sparse.ZeroRuns().split(memoryview(content))])


class MeterTest(unittest.TestCase):
    def test_progress_by_time(self):
        seen = []
        with mock.patch.object(limits.time, 'monotonic') as clock:
            clock.return_value = 100.0
            meter = limits.Meter(progress=seen.append)
            meter.add(5)
            clock.return_value = 104.9
            meter.tick()
            self.assertEqual([], seen)
            clock.return_value = 105.0
            meter.tick()
            meter.tick()
            self.assertEqual([5], seen)


class RingTest(unittest.TestCase):
    def test_waiting_producer_is_called_now_and_then(self):
        """What the call raises ends the wait."""
        ring = buffers.Ring(1, 1, 10)
        ring.claim(self.fail, 60)
        ring.publish(10)
        calls = []

        def idle():
            calls.append(1)
            if len(calls) == 3:
                raise exceptions.Conflict('enough')

        with self.assertRaises(exceptions.Conflict):
            ring.claim(idle, 0.001)

    def test_failure_wakes_producer_and_consumers(self):
        ring = buffers.Ring(2, 1, 10)
        ring.claim(self.fail, 60)
        ring.publish(10)
        ended = []

        def consume():
            next_blocks = ring.blocks(0)
            next(next_blocks)
            ended.append(list(next_blocks))

        thread = threading.Thread(target=consume)
        thread.start()
        ring.fail(ZeroDivisionError())
        thread.join(60)
        with self.assertRaises(ZeroDivisionError):
            ring.claim(self.fail, 60)
        self.assertTrue(ring.failed)
        self.assertFalse(thread.is_alive())
