"""A ring of buffers between one producer and several consumers.

The producer fills buffers in turn; every consumer sees every buffer in order, at its own pace; a buffer is filled again
when the slowest consumer is done with it. So the memory of a stream is fixed, and who is too fast waits.
"""
import itertools
import threading
from collections.abc import Callable, Iterator


class Ring:
    """One stream on its way from the producer to its consumers.

    :param consumers: how many consumers there are; each is known by its index
    :param count: number of buffers
    :param size: bytes in each; memory is taken when a buffer is first used
    """

    def __init__(self, consumers: int, count: int, size: int):
        self._size = size
        self._count = count
        self._buffers: list[memoryview] = []
        self._lengths = [0] * count
        self._published = 0
        self._consumed = [0] * consumers
        self._ended = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()

    def claim(self, idle: Callable[[], None], every: float) -> memoryview:
        """Wait for a free buffer and return it. Raises what was given to ``fail``.

        :param idle: called every ``every`` seconds of waiting; what it raises ends the wait
        """
        while True:
            with self._changed:
                free = self._changed.wait_for(lambda: self.failed or self._has_room(), every)
            self.check()
            if free:
                break
            idle()
        slot = self._published % self._count
        if slot == len(self._buffers):
            self._buffers.append(memoryview(bytearray(self._size)))
        return self._buffers[slot]

    def publish(self, length: int) -> None:
        """Hand the first ``length`` bytes of the claimed buffer to the consumers."""
        with self._changed:
            self._lengths[self._published % self._count] = length
            self._published += 1
            self._changed.notify_all()

    def end(self) -> None:
        """Tell the consumers that nothing will follow."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def fail(self, error: BaseException) -> None:
        """Stop the producer and all consumers; of several errors the first one counts."""
        with self._changed:
            self._error = self._error or error
            self._changed.notify_all()

    @property
    def failed(self) -> bool:
        """Whether ``fail`` was called."""
        return self._error is not None

    def check(self) -> None:
        """Raise what was given to ``fail``."""
        if self._error is not None:
            raise self._error

    def blocks(self, consumer: int) -> Iterator[memoryview]:
        """The stream as this consumer sees it, each block valid until the next is asked for.

        Ends with the stream, or early when the ring has failed, which ``failed`` tells.
        """
        for position in itertools.count():
            with self._changed:
                while not (self._published > position or self._ended or self.failed):
                    self._changed.wait()
                if self.failed or self._published == position:
                    return
            slot = position % self._count
            yield self._buffers[slot][:self._lengths[slot]]
            with self._changed:
                self._consumed[consumer] += 1
                self._changed.notify_all()

    def _has_room(self) -> bool:
        return self._published - min(self._consumed) < self._count
