"""What takes the bytes of a transfer, and the threads in which several of them work side by side."""
import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from glance.transfer import buffers

IDLE_SECONDS = 1.0
"""How often a producer who waits for sinks looks after other things."""
NICENESS = 10
"""How far the threads of sinks stand back behind others of the process."""


class Sink(Protocol):
    """Takes a stream. What it raises stops the transfer and is raised to who started it."""

    def update(self, block: memoryview) -> None:
        """Take the next bytes, which are only valid during the call."""

    def finish(self) -> None:
        """The stream was complete; not called when the transfer fails before its end."""


@contextlib.contextmanager
def running(sinks: Sequence[Sink], ring: buffers.Ring, idle: Callable[[], None]) -> Iterator[None]:
    """Let each sink consume the ring in a native thread of its own while the body of the ``with`` statement produces.

    Leaving it waits for the sinks, whose errors are raised here; no thread is left behind in any case.

    :param idle: called about every IDLE_SECONDS while the sinks work off the end of the stream; may raise
    """
    threads: list[threading.Thread] = []
    try:
        for index, sink in enumerate(sinks):
            thread = threading.Thread(target=_consume, args=(ring, index, sink), name='transfer-sink-%d' % index,
                                      daemon=True)
            thread.start()
            threads.append(thread)
        yield
        ring.end()
        for thread in threads:
            while thread.is_alive():
                thread.join(IDLE_SECONDS)
                idle()
        ring.check()
    except BaseException as error:
        ring.fail(error)
        raise
    finally:
        for thread in threads:
            thread.join()


def _consume(ring: buffers.Ring, index: int, sink: Sink) -> None:
    _yield_to_requests()
    try:
        for block in ring.blocks(index):
            sink.update(block)
        if not ring.failed:
            sink.finish()
    except BaseException as error:
        ring.fail(error)


def _yield_to_requests() -> None:
    """Let the kernel prefer threads that answer requests to this one, which has megabytes to hash (setpriority(2))."""
    thread = threading.get_native_id()
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + NICENESS)
