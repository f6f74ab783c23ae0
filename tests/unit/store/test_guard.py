"""The guard around stores that are reached over a network."""
import unittest

from glance import exceptions
from glance.store import circuit
from glance.store.base import Capability, Location
from glance.store.circuit import Circuit
from glance.store.guard import GuardedStore


class Clock:
    """Seconds that pass when somebody sleeps."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


class CircuitTest(unittest.TestCase):

    def setUp(self):
        super().setUp()
        self.clock = Clock()
        self.circuit = Circuit(self.clock)

    def fail(self, times):
        for _ in range(times):
            self.assertTrue(self.circuit.permits())
            self.circuit.failed()

    def test_opens_after_failures_in_a_row(self):
        self.fail(circuit.FAILURES - 1)
        self.circuit.succeeded()
        self.fail(circuit.FAILURES - 1)
        self.assertFalse(self.circuit.open)
        self.fail(1)
        self.assertTrue(self.circuit.open)
        self.assertFalse(self.circuit.permits())

    def test_one_tries_after_the_pause(self):
        self.fail(circuit.FAILURES)
        self.clock.sleep(circuit.PAUSE)
        self.assertEqual([True, False, False], [self.circuit.permits() for _ in range(3)])
        self.circuit.succeeded()
        self.assertEqual([True, True], [self.circuit.permits() for _ in range(2)])

    def test_stays_open_when_the_one_fails(self):
        self.fail(circuit.FAILURES)
        self.clock.sleep(circuit.PAUSE)
        self.fail(1)
        self.clock.sleep(circuit.PAUSE - 1)
        self.assertFalse(self.circuit.permits())
        self.clock.sleep(1)
        self.assertTrue(self.circuit.permits())

    def test_somebody_else_tries_when_the_one_is_never_heard_of_again(self):
        self.fail(circuit.FAILURES)
        self.clock.sleep(circuit.PAUSE)
        self.assertTrue(self.circuit.permits())
        self.clock.sleep(circuit.PAUSE)
        self.assertTrue(self.circuit.permits())


class Flaky:
    """A store, its writer and its reader in one, that fails as often as it is told to."""

    name, schemes, capabilities, url_prefixes, details = 'far', ('far',), Capability.READ, ('far://',), {'a': 1}
    holes, offset, length = True, 3, 7

    def __init__(self):
        self.failures, self.error, self.calls = 0, exceptions.StoreUnavailable, []

    def _call(self, name, *arguments):
        self.calls.append((name, *arguments))
        if self.failures:
            self.failures -= 1
            raise self.error()
        return 11

    def writer(self, *arguments):
        self._call('writer', *arguments)
        return self

    def open(self, *arguments):
        self._call('open', *arguments)
        return self

    def size(self, *arguments):
        return self._call('size', *arguments)

    def delete(self, *arguments):
        self._call('delete', *arguments)

    def discard(self, *arguments):
        return self._call('discard', *arguments)

    def sweep(self, *arguments):
        return [self._call('sweep', *arguments)]

    def walk(self):
        yield self._call('walk')

    def write(self, data):
        self._call('write', bytes(data))

    def hole(self, length):
        self._call('hole', length)

    def commit(self):
        self._call('commit')
        return Location('far://x')

    def abort(self):
        self.calls.append(('abort',))

    def readinto(self, buffer):
        return self._call('readinto', len(buffer))

    def fileno(self):
        return None

    def close(self):
        self.calls.append(('close',))


class GuardTest(unittest.TestCase):
    LOCATION = Location('far://x')

    def setUp(self):
        super().setUp()
        self.clock, self.flaky = Clock(), Flaky()
        self.store = self.guard()

    def guard(self, **options):
        return GuardedStore(self.flaky, clock=self.clock, sleep=self.clock.sleep, **options)

    def test_everything_reaches_the_store(self):
        self.assertEqual(('far', ('far',), Capability.READ, ('far://',), {'a': 1}),
                         (self.store.name, self.store.schemes, self.store.capabilities, self.store.url_prefixes,
                          self.store.details))
        writer = self.store.writer('id', 5, 'attempt')
        writer.write(memoryview(b'abc'))
        writer.hole(4)
        self.assertEqual((True, self.LOCATION), (writer.holes, writer.commit()))
        writer.abort()
        reader = self.store.open(self.LOCATION, 3, 7)
        self.assertEqual((3, 7, None, 11), (reader.offset, reader.length, reader.fileno(),
                                            reader.readinto(memoryview(bytearray(8)))))
        reader.close()
        self.assertEqual((11, None, 11, [11], [11]), (
            self.store.size(self.LOCATION), self.store.delete(self.LOCATION), self.store.discard('id', 'attempt', True),
            self.store.sweep(5.0), list(self.store.walk())))
        self.store.close()
        self.assertEqual([
            ('writer', 'id', 5, 'attempt'), ('write', b'abc'), ('hole', 4), ('commit',), ('abort',),
            ('open', self.LOCATION, 3, 7), ('readinto', 8), ('close',), ('size', self.LOCATION),
            ('delete', self.LOCATION), ('discard', 'id', 'attempt', True), ('sweep', 5.0), ('walk',), ('close',),
        ], self.flaky.calls)

    def test_what_cannot_be_reached_is_tried_again(self):
        for operation in (lambda: self.store.open(self.LOCATION), lambda: self.store.writer('id'),
                          lambda: self.store.size(self.LOCATION), lambda: self.store.delete(self.LOCATION)):
            self.store = self.guard()
            self.flaky.calls.clear()
            self.flaky.failures = 2
            operation()
            self.assertEqual(3, len(self.flaky.calls))
            self.flaky.failures = 3
            with self.assertRaises(exceptions.StoreUnavailable):
                operation()
            self.assertEqual(6, len(self.flaky.calls))

    def test_other_errors_are_answers(self):
        self.flaky.error = exceptions.ObjectNotFound
        for _ in range(circuit.FAILURES + 1):
            self.flaky.failures = 1
            with self.assertRaises(exceptions.ObjectNotFound):
                self.store.size(self.LOCATION)
        self.assertTrue(self.store.available)
        self.assertEqual(circuit.FAILURES + 1, len(self.flaky.calls))

    def test_who_hangs_is_not_asked_again(self):
        def hang(_location):
            self.clock.sleep(60)
            raise exceptions.StoreUnavailable()

        self.flaky.size = hang
        started = self.clock()
        with self.assertRaises(exceptions.StoreUnavailable):
            self.store.size(self.LOCATION)
        self.assertEqual(60, self.clock() - started)

    def test_who_fails_again_and_again_is_left_alone_for_a_while(self):
        self.flaky.failures = 1000
        with self.assertLogs('glance.store.guard', 'ERROR'):
            for _ in range(3):
                with self.assertRaises(exceptions.StoreUnavailable):
                    self.store.open(self.LOCATION)
        self.assertFalse(self.store.available)
        calls = len(self.flaky.calls)
        self.assertEqual(circuit.FAILURES, calls)
        with self.assertRaises(exceptions.StoreUnavailable):
            self.store.delete(self.LOCATION)
        self.assertEqual(calls, len(self.flaky.calls))
        self.clock.sleep(circuit.PAUSE)
        self.flaky.failures = 0
        self.assertEqual(11, self.store.size(self.LOCATION))
        self.assertTrue(self.store.available)

    def test_what_has_begun_goes_on_while_others_are_turned_away(self):
        reader, writer = self.store.open(self.LOCATION), self.store.writer('id')
        self.flaky.failures = circuit.FAILURES
        for _ in range(circuit.FAILURES):
            with self.assertRaises(exceptions.StoreUnavailable):
                reader.readinto(memoryview(bytearray(1)))
        self.assertFalse(self.store.available)
        writer.write(memoryview(b'x'))
        self.assertTrue(self.store.available)

    def test_so_many_transfers(self):
        store = self.guard(transfers=2)
        reader, writer = store.open(self.LOCATION), store.writer('id')
        for operation in (lambda: store.open(self.LOCATION), lambda: store.writer('id')):
            with self.assertRaises(exceptions.StoreUnavailable) as raised:
                operation()
            self.assertIn('too much to do', str(raised.exception))
        self.assertEqual(11, store.size(self.LOCATION))
        reader.close()
        reader.close()
        writer.abort()
        self.flaky.failures, self.flaky.error = 1, exceptions.ObjectNotFound
        with self.assertRaises(exceptions.ObjectNotFound):
            store.open(self.LOCATION)
        writers = [store.writer('id'), store.writer('id')]
        with self.assertRaises(exceptions.StoreUnavailable):
            store.writer('id')
        writers[0].commit()
        writers[0].abort()
        store.writer('id')
        with self.assertRaises(exceptions.StoreUnavailable):
            store.writer('id')
