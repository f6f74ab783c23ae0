"""Nobody waits for the bus, nothing is lost without a word."""
import re
import threading
import unittest
from unittest import mock

from glance.notify import outbox
from glance.notify.outbox import Event, Outbox

PATIENCE = 60


def event(number):
    return Event('INFO', 'image.update', {'number': number}, 'image-%d' % number)


class Bus:
    """Takes what it is sent, while ``open`` is set; raises what ``failures`` holds for an event."""

    def __init__(self, is_open=True):
        self.open, self.arrived, self.closed = threading.Event(), threading.Semaphore(0), threading.Event()
        self.sent, self.failures = [], {}
        if is_open:
            self.open.set()

    def send(self, event):
        self.arrived.release()
        self.open.wait()
        if event.about in self.failures:
            raise self.failures[event.about]
        self.sent.append(event)

    def close(self):
        self.closed.set()


class OutboxTest(unittest.TestCase):

    def make(self, is_open=True, **options):
        self.bus = Bus(is_open)
        self.outbox = Outbox(self.bus, **options)
        self.addCleanup(self.outbox.close)
        self.addCleanup(self.bus.open.set)
        return self.outbox

    def missed(self, logs):
        """Ids of the events that were logged as missed, in order."""
        for record in logs.records:
            self.assertEqual('WARNING', record.levelname)
        return [re.search('image.update about (image-[0-9]+) ', line).group(1) for line in logs.output]

    def wait(self, arrived):
        self.assertTrue(arrived.acquire(timeout=PATIENCE))

    def test_events_arrive_in_order(self):
        events = [event(number) for number in range(100)]
        self.make()
        for one in events:
            self.outbox.put(one)
        self.outbox.close(PATIENCE)
        self.assertEqual(events, self.bus.sent)
        self.assertTrue(self.bus.closed.is_set())

    def test_the_thread_sends_while_others_put(self):
        self.make()
        threads = [threading.Thread(target=lambda: [self.outbox.put(event(number)) for number in range(50)])
                   for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.outbox.close(PATIENCE)
        self.assertEqual(200, len(self.bus.sent))

    def test_without_events_there_is_no_thread(self):
        before = set(threading.enumerate())
        self.make()
        self.assertLessEqual(set(threading.enumerate()), before)
        self.outbox.close()
        self.assertTrue(self.bus.closed.is_set())

    def test_a_stuck_bus_stops_nobody_and_what_overflows_is_named(self):
        self.make(is_open=False, capacity=3)
        self.outbox.put(event(0))
        self.wait(self.bus.arrived)
        with self.assertLogs(outbox.LOG, 'WARNING') as logs:
            for number in range(1, 6):
                self.outbox.put(event(number))
        self.assertEqual(['image-4', 'image-5'], self.missed(logs))
        self.assertIn('3 events', logs.output[0])
        self.bus.open.set()
        self.outbox.close(PATIENCE)
        self.assertEqual([event(number) for number in range(4)], self.bus.sent)

    def test_what_fails_is_named_and_the_next_is_sent(self):
        self.make()
        self.bus.failures = {'image-1': OSError('the broker is away'), 'image-3': ValueError('not fit for JSON')}
        with self.assertLogs(outbox.LOG, 'WARNING') as logs:
            for number in range(5):
                self.outbox.put(event(number))
            self.outbox.close(PATIENCE)
        self.assertEqual(['image-1', 'image-3'], self.missed(logs))
        self.assertIn('the broker is away', logs.output[0])
        self.assertEqual([event(0), event(2), event(4)], self.bus.sent)

    def test_closing_does_not_wait_for_ever(self):
        self.make(is_open=False)
        for number in range(3):
            self.outbox.put(event(number))
        self.wait(self.bus.arrived)
        with self.assertLogs(outbox.LOG, 'WARNING') as logs:
            self.outbox.close(timeout=0)
        self.assertEqual(['image-0', 'image-1', 'image-2'], self.missed(logs))

    def test_what_was_given_up_is_named_once(self):
        self.make(is_open=False)
        self.bus.failures = {'image-0': OSError()}
        self.outbox.put(event(0))
        self.wait(self.bus.arrived)
        with self.assertLogs(outbox.LOG, 'WARNING') as logs:
            self.outbox.close(timeout=0)
            self.bus.open.set()
            self.assertTrue(self.bus.closed.wait(PATIENCE))
        self.assertEqual(['image-0'], self.missed(logs))

    def test_after_closing_nothing_is_taken(self):
        self.make()
        self.outbox.close()
        with self.assertLogs(outbox.LOG, 'WARNING') as logs:
            self.outbox.put(event(1))
        self.assertEqual((['image-1'], []), (self.missed(logs), self.bus.sent))

    def test_closing_twice(self):
        self.make()
        self.outbox.put(event(1))
        self.outbox.close(PATIENCE)
        with self.assertNoLogs(outbox.LOG, 'WARNING'):
            self.outbox.close()
        self.assertEqual([event(1)], self.bus.sent)

    def test_a_process_without_threads_to_spare(self):
        self.make()
        with mock.patch.object(threading.Thread, 'start', side_effect=RuntimeError("can't start new thread")), \
                self.assertLogs(outbox.LOG, 'WARNING') as logs:
            self.outbox.put(event(1))
        self.assertEqual(['image-1'], self.missed(logs))
        self.outbox.put(event(2))
        self.outbox.close(PATIENCE)
        self.assertEqual([event(2)], self.bus.sent)
