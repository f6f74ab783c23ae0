"""Limits of transfers at the same time, and of their slowness."""
import unittest
from unittest import mock

from glance import exceptions
from glance.transfer import sources
from glance.transfer.turns import Turns


class TurnsTest(unittest.TestCase):

    def test_the_worker_is_full(self):
        turns = Turns(total=2)
        with turns.turn('a'), turns.turn('b'):
            with self.assertRaises(exceptions.TooManyTransfers), turns.turn('c'):
                pass
        with turns.turn('a'), turns.turn('c'):
            pass

    def test_a_project_has_its_share(self):
        turns = Turns(total=3, of_project=1)
        with turns.turn('a'):
            with self.assertRaises(exceptions.TooManyOfProject), turns.turn('a'):
                pass
            with turns.turn('b'), turns.turn(None):
                pass

    def test_a_turn_ends_with_its_error(self):
        turns = Turns(total=1)
        for _ in range(3):
            with self.assertRaises(KeyError), turns.turn('a'):
                raise KeyError

    def test_no_limit(self):
        turns = Turns()
        with turns.turn('a'), turns.turn('a'), turns.turn('a'):
            self.assertFalse(Turns(1, 1)._running)

    def test_projects_are_forgotten(self):
        turns = Turns()
        with turns.turn('a'):
            self.assertEqual({'a': 1}, dict(turns._running))
        self.assertEqual({}, dict(turns._running))


class PaceTest(unittest.TestCase):
    """A client that brings so many bytes after so many seconds each."""

    def read(self, *pieces, rate=10):
        clock = [0.0]

        class Client:
            def __init__(self):
                self.pieces = list(pieces)

            def readinto(self, buffer):
                if not self.pieces:
                    return 0
                count, seconds = self.pieces.pop(0)
                clock[0] += seconds
                return count

        source, total = sources.PacedSource(Client(), rate), 0
        with mock.patch.object(sources, 'time', mock.Mock(monotonic=lambda: clock[0])):
            while count := source.readinto(memoryview(bytearray(5000))):
                total += count
                clock[0] += 1000  # the store takes its time, which is not the client's
        return total

    def test_fast_enough(self):
        self.assertEqual(4800, self.read(*[(1200, sources.PACE_SECONDS)] * 4))

    def test_slow_at_first(self):
        self.assertEqual(1201, self.read((1, sources.PACE_SECONDS - 1), (1200, 1)))

    def test_too_slow(self):
        with self.assertRaisesRegex(exceptions.TooSlow, '10 bytes per second'):
            self.read((1199, sources.PACE_SECONDS))

    def test_every_stretch_counts(self):
        with self.assertRaises(exceptions.TooSlow):
            self.read((5000, sources.PACE_SECONDS), (1, sources.PACE_SECONDS))
