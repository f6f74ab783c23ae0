"""What the inspectors of all formats have in common.

An inspector examines a stream with a generator, which asks for regions in the order of their offsets and is resumed
with their bytes as soon as they have passed by. It keeps nothing itself; ``scan`` does, one region at a time.
"""
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from glance.inspect.rules import Rules

MAX_REGION = 1024 * 1024
"""The longest region that may be asked for, whatever an image says."""
TAIL = 2048
"""Number of bytes that are kept of the end of a stream."""
SECTOR = 512


@dataclass(frozen=True, slots=True)
class Region:
    """A wish for bytes: at least one, at most MAX_REGION, none of which has been asked for before."""

    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Ending:
    """The stream is over: its size and its last TAIL bytes, or all of them when there are fewer."""

    size: int
    tail: bytes

    def sectors(self) -> tuple[bytes, ...]:
        """What readers may take for the last sector: the last 512 bytes, and what is left behind the last multiple of
        512 where programs round the size of a file up."""
        return self.tail[-SECTOR:], self.tail[-(self.size % SECTOR or SECTOR):]


Result = TypeVar('Result')
Steps = Generator[Region | None, Any, Result]
"""Yields a Region and is resumed with its bytes (fewer when the stream ends), or None and gets the Ending."""
Examination = Steps[None]


class Unsafe(Exception):
    """A check has failed whose failure is fatal; only raised where the format was recognised."""

    def __init__(self, check: str):
        super().__init__(check)
        self.check = check


class Inspector:
    """Base of the inspectors; each looks at one stream.

    ``matched`` tells whether the stream has the format, None as long as it is not known; ``unsafe`` is the id of the
    check that failed, if any; ``warnings`` are remarks for the log; ``virtual_size`` is in bytes.
    """

    name: ClassVar[str]
    """The format as the API knows it."""

    def __init__(self, rules: Rules):
        self.rules = rules
        self.format = self.name
        self.matched: bool | None = None
        self.unsafe: str | None = None
        self.failed = False
        self.warnings: list[str] = []
        self.virtual_size: int | None = None

    def examine(self) -> Examination:
        """Look at the stream. Set ``matched`` before raising Unsafe; returning without it means another format."""
        raise NotImplementedError

    def read(self, offset: int, length: int) -> Steps[bytes]:
        """The bytes of a region; fewer, or none, when the stream ends before."""
        return (yield Region(offset, length))

    def require(self, offset: int, length: int) -> Steps[bytes]:
        """The bytes of a region that must be there. Raises Unsafe."""
        data = yield Region(offset, length)
        if len(data) < length:
            raise Unsafe('truncated')
        return data

    def end(self) -> Steps[Ending]:
        """Wait for the end of the stream."""
        return (yield None)
