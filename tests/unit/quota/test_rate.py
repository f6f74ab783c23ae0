"""How often a project may create images."""
import threading
import unittest

from glance import exceptions
from glance.quota import rate
from glance.quota.rate import Rate
from tests.unit.layers import fakes


class RateTest(unittest.TestCase):

    def setUp(self):
        self.clock = fakes.Clock()

    def taken(self, limiter, owner='p', tries=100):
        """How many of the tries pass, and what the first refusal says of the time to wait."""
        for count in range(tries):
            try:
                limiter.take(owner)
            except exceptions.RateExceeded as error:
                return count, error.retry_after
        return tries, None

    def test_a_second_at_once_and_then_at_the_rate(self):
        limiter = Rate(4, self.clock.monotonic)
        self.assertEqual((4, 1), self.taken(limiter))
        self.assertEqual((4, 1), self.taken(limiter, 'q'))
        self.clock.now += 0.5
        self.assertEqual((2, 1), self.taken(limiter))
        self.clock.now += 60
        self.assertEqual((4, 1), self.taken(limiter))

    def test_less_than_one_a_second(self):
        limiter = Rate(0.1, self.clock.monotonic)
        self.assertEqual((1, 10), self.taken(limiter))
        self.clock.now += 4
        self.assertEqual((0, 6), self.taken(limiter))
        self.clock.now += 6
        self.assertEqual((1, 10), self.taken(limiter))

    def test_owners_that_are_quiet_are_forgotten(self):
        limiter = Rate(2, self.clock.monotonic)
        self.taken(limiter, 'busy')
        for number in range(rate._KEPT - 1):
            limiter.take(number)
        self.clock.now += 0.5
        limiter.take('new')
        self.assertEqual({'busy', 'new'}, set(limiter._buckets))

    def test_threads(self):
        limiter, passed = Rate(50, self.clock.monotonic), []

        def run():
            passed.append(self.taken(limiter)[0])
        threads = [threading.Thread(target=run) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(50, sum(passed))
