"""The one way of bytes through the service: read once, hashed, inspected and stored at the same time.

Buffers of BLOCK bytes are filled from the source in the thread of the caller and handed to all sinks, each of which
works in a native thread of its own: the slowest sets the pace, and a transfer holds BLOCKS buffers whatever its length.
A stream that ends within its first buffer is dealt with by the caller's thread alone.
"""
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from glance.store import base
from glance.transfer import buffers, hashing, limits, sources, sparse
from glance.transfer.sinks import IDLE_SECONDS, Sink, running

BLOCK = 1024 * 1024
BLOCKS = 8
"""With half as many the two hashes and the disk wait for each other's unevenness: an upload takes a fifth longer."""


@dataclass(frozen=True, slots=True)
class Result:
    """What went through: number of bytes, MD5 and multihash as lower-case hexadecimal digits."""

    size: int
    md5: str
    hash_algo: str
    hash_value: str


def copy(source: sources.Source, writer: base.Writer | None, *, algorithm: str, size: int | None = None,
         limit: int | None = None, sinks: Sequence[Sink] = (),
         progress: Callable[[int], None] | None = None) -> Result:
    """Move a stream to its end. The writer is neither committed nor aborted; after an error the caller aborts it.

    :param writer: where the bytes go; None only hashes them
    :param algorithm: name of the multihash as hashlib knows it
    :param size: number of bytes announced; None when not known
    :param limit: largest number of bytes accepted
    :param sinks: further takers of the stream, for example an inspector of formats
    :param progress: called with the number of bytes read, every 64 MiB or 5 seconds at the latest; may raise to end it
    :raises Invalid: for an unknown algorithm, before a byte is read
    :raises ImageSizeLimitExceeded: before a byte is read when ``size`` is too much, else as soon as it is seen
    :raises SizeMismatch: as soon as there are more bytes than announced, or at the end when there were fewer
    :raises BaseException: what source, writer, sinks and progress raise
    """
    return _Transfer(algorithm, size, limit, sinks, progress).run(source, writer)


def store(source: sources.Source, target: base.Store, image_id: str, *, algorithm: str, size: int | None = None,
          limit: int | None = None, sinks: Sequence[Sink] = (), progress: Callable[[int], None] | None = None,
          attempt: str | None = None) -> tuple[base.Location, Result]:
    """Write a stream into a store as one object: published as a whole, or nothing of it is left.

    Parameters and errors are those of ``copy`` and of ``Store.writer``, ``Writer.write`` and ``Writer.commit``.
    """
    transfer = _Transfer(algorithm, size, limit, sinks, progress)
    writer = target.writer(image_id, size, attempt)
    try:
        result = transfer.run(source, writer)
        return writer.commit(), result
    except BaseException:
        writer.abort()
        raise


def spread(source: sources.Source, sinks: Sequence[Sink], meter: limits.Meter) -> int:
    """Hand a stream to every sink, to its end; return the number of bytes, which the meter has counted.

    :raises BaseException: what the source, the sinks and the meter raise
    """
    ring = buffers.Ring(len(sinks), BLOCKS, BLOCK)
    block = ring.claim(meter.tick, IDLE_SECONDS)
    count = _fill(block, source, ring, meter)
    if count < BLOCK:
        meter.complete()
        for sink in sinks:
            if count:
                sink.update(block[:count])
            sink.finish()
    else:
        with running(sinks, ring, meter.tick):
            while count == BLOCK:
                ring.publish(count)
                count = _fill(ring.claim(meter.tick, IDLE_SECONDS), source, ring, meter)
            meter.complete()
            if count:
                ring.publish(count)
    return meter.done


def _fill(block: memoryview, source: sources.Source, ring: buffers.Ring, meter: limits.Meter) -> int:
    """Read until the block is full or the source ends; return the number of bytes read."""
    filled = 0
    while filled < BLOCK and (count := source.readinto(block[filled:])):
        filled += count
        meter.add(count)
        ring.check()
    return filled


class _Transfer:
    """One stream; made before anything is opened, so that a transfer that cannot succeed is refused at once."""

    def __init__(self, algorithm: str, size: int | None, limit: int | None, sinks: Sequence[Sink],
                 progress: Callable[[int], None] | None):
        self._digests = hashing.Digests(algorithm)
        self._meter = limits.Meter(size, limit, progress)
        self._sinks = [*self._digests.sinks, *sinks]

    def run(self, source: sources.Source, writer: base.Writer | None) -> Result:
        sinks = self._sinks + ([sparse.WriterSink(writer)] if writer is not None else [])
        size = spread(source, sinks, self._meter)
        return Result(size, self._digests.md5, self._digests.algorithm, self._digests.multihash)
