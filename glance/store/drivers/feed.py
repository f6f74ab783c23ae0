"""Bytes that one thread writes and a function in another thread reads, as from a file."""
import collections
import threading
from collections.abc import Callable, Iterator
from typing import Any

_BLOCKS = 4


class Interrupted(OSError):
    """The writer gave up; what was read is not the whole."""


class Feed:
    """Runs ``take(file)`` in a thread, with what is put in as the content of the file.

    No more than four blocks wait at a time.
    """

    def __init__(self, take: Callable[['Feed'], Any]):
        self._blocks: collections.deque[bytes] = collections.deque()
        self._changed = threading.Condition()
        self._complete = self._broken = self._done = False
        self._result: Any = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(take,), name='feed', daemon=True)
        self._thread.start()

    # The side of the writer.

    def put(self, block: bytes) -> None:
        """Append a block, and wait while enough of them are there. Raises what the function raised."""
        if not block:
            return
        with self._changed:
            self._changed.wait_for(lambda: self._done or len(self._blocks) < _BLOCKS)
            if self._error is not None:
                raise self._error
            if not self._done:      # who does not want more is found out at the end
                self._blocks.append(block)
                self._changed.notify_all()

    def end(self) -> Any:
        """Say that this was all, and return what the function returns. Raises what it raises."""
        with self._changed:
            self._complete = True
            self._changed.notify_all()
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._result

    def break_off(self) -> Any:
        """Let reading fail unless all was said; return what the function returned if it did all the same, else None."""
        with self._changed:
            said, self._broken = self._complete, True
            self._changed.notify_all()
        self._thread.join()
        return None if said else self._result

    # The side of the reader.

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, ``size`` at most and maybe fewer; none at the end. Raises Interrupted."""
        if size == 0:
            return b''
        with self._changed:
            self._changed.wait_for(lambda: self._blocks or self._complete or self._broken)
            if self._broken:
                raise Interrupted('the upload was given up')
            if not self._blocks:
                return b''
            block = self._blocks.popleft()
            if 0 < size < len(block):
                self._blocks.appendleft(block[size:])
                block = block[:size]
            self._changed.notify_all()
            return block

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.read, b'')

    def _run(self, take: Callable[['Feed'], Any]) -> None:
        try:
            self._result = take(self)
        except BaseException as error:
            self._error = error
        finally:
            with self._changed:
                self._done = True
                self._changed.notify_all()
