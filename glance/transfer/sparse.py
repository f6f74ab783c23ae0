"""Zero runs: finding them in a block of bytes and handing them to a store as holes."""
from collections.abc import Iterator

from glance.store import base

GRANULE = 64 * 1024
"""Holes start and end at multiples of this many bytes; a multiple of the block size of every file system in use."""


class ZeroRuns:
    """Finds runs of zeros by comparing with a block of zeros, which costs next to nothing where there are none."""

    def __init__(self) -> None:
        # A bytearray, because its comparison with a memoryview is one memcmp; memoryviews compare item by item.
        self._zeros = bytearray(GRANULE)

    def split(self, block: memoryview) -> Iterator[tuple[bool, memoryview]]:
        """Cut a block, which starts at a multiple of GRANULE in its stream, into (is it all zeros, bytes) runs."""
        start = 0
        while start < len(block):
            zero = self._is_zero(block[start:start + GRANULE])
            end = start + GRANULE
            while end < len(block) and self._is_zero(block[end:end + GRANULE]) == zero:
                end += GRANULE
            yield zero, block[start:end]
            start = end

    def _is_zero(self, granule: memoryview) -> bool:
        if len(granule) == GRANULE:
            return self._zeros == granule
        return self._zeros[:len(granule)] == granule


class WriterSink:
    """Makes the writer of a store a sink of a transfer; further ones write one stream into several stores at once.

    It neither commits nor aborts: that is for who opened the writer.
    """

    def __init__(self, writer: base.Writer):
        self._writer = writer
        self._runs = ZeroRuns() if writer.holes else None

    def update(self, block: memoryview) -> None:
        if self._runs is None:
            self._writer.write(block)
            return
        for zero, run in self._runs.split(block):
            if zero:
                self._writer.hole(len(run))
            else:
                self._writer.write(run)

    def finish(self) -> None:
        """Part of the interface of a sink."""
