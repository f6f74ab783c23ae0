"""One pass over a stream for many inspectors."""
import logging
from collections.abc import Callable, Iterable
from typing import Any

from glance.inspect import base

LOG = logging.getLogger(__name__)

NEVER = 2 ** 80
"""Beyond the end of every stream and of every offset that an image can name."""


class Scan:
    """Feeds inspectors with the regions that they ask for.

    The stream is walked from one end of a region to the next, so inspectors and judge see the same sequence of events
    however the stream is cut. Where nothing is asked for, a block costs a comparison and a copy of its tail.

    :param judge: called after inspectors were resumed; may raise to end the scan
    """

    def __init__(self, inspectors: Iterable[base.Inspector], judge: Callable[[], None]):
        self.size = 0
        self._watches = [_Watch(inspector) for inspector in inspectors]
        self._judge = judge
        self._tail = b''
        for watch in self._watches:
            watch.resume(None)
        self._plan()

    @property
    def decided(self) -> bool:
        """Whether it is known of every inspector if its format matches, except of those who wait for the end."""
        return all(watch.inspector.matched is not None or watch.start == NEVER for watch in self._watches)

    def update(self, data: memoryview) -> None:
        """Take the next bytes. Raises what the judge raises."""
        self._tail = bytes(data[-base.TAIL:]) if len(data) >= base.TAIL else (self._tail + data)[-base.TAIL:]
        while len(data) and self.size + len(data) > self._start:
            step = min(len(data), self._stop - self.size)
            for watch in self._watches:
                watch.take(self.size, data[:step])
            self.size += step
            data = data[step:]
            if self.size == self._stop:
                self._resume()
        self.size += len(data)

    def finish(self) -> None:
        """The stream is over: give the inspectors what there is of their regions, then the ending.

        The judge is not called: who calls this judges at once.
        """
        ending = base.Ending(self.size, self._tail)
        for watch in self._watches:
            while watch.start < NEVER:
                watch.resume(watch.taken())
            if not watch.done:
                watch.resume(ending)

    def _resume(self) -> None:
        for watch in self._watches:
            if watch.stop == self.size:
                watch.resume(watch.taken())
        self._plan()
        self._judge()

    def _plan(self) -> None:
        self._start = min((watch.start for watch in self._watches), default=NEVER)
        self._stop = min((watch.stop for watch in self._watches), default=NEVER)


class _Watch:
    """One inspector, and the region that it waits for: ``start`` is where its next missing byte is expected."""

    def __init__(self, inspector: base.Inspector):
        self.inspector = inspector
        self.done = False
        self.start = self.stop = NEVER
        self._bytes = bytearray()
        self._examination = inspector.examine()

    def take(self, position: int, data: memoryview) -> None:
        """Keep what is wanted of the bytes at a position of the stream, which never reach beyond ``stop``."""
        if position + len(data) > self.start:
            self._bytes += data[max(0, self.start - position):]
            self.start = position + len(data)

    def taken(self) -> bytes:
        taken, self._bytes = bytes(self._bytes), bytearray()
        return taken

    def resume(self, answer: Any) -> None:
        """Let the inspector go on with what it waited for. A failure of the inspector itself is noted and logged."""
        passed = self.stop if self.stop < NEVER else 0
        self.start = self.stop = NEVER
        try:
            wish = self._examination.send(answer)
            if wish is not None:
                self._want(wish, passed)
            return
        except StopIteration:
            self.inspector.matched = bool(self.inspector.matched)
        except base.Unsafe as unsafe:
            self.inspector.matched = True
            self.inspector.unsafe = unsafe.check
        except Exception:
            LOG.exception('The inspector of %s failed', self.inspector.name)
            self.inspector.failed = True
            self.inspector.matched = bool(self.inspector.matched)
        self.done = True

    def _want(self, region: base.Region, passed: int) -> None:
        if region.offset < passed or not 0 < region.length <= base.MAX_REGION:
            raise ValueError('%s asks for %d bytes at %d' % (self.inspector.name, region.length, region.offset))
        self.start, self.stop = region.offset, region.offset + region.length
