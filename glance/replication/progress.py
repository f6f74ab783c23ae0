"""Tells somebody at a terminal how far the data of an image has come."""
import math
import sys
import time
from typing import Self, TextIO

_INTERVAL = 0.2
_UNITS = ('KiB', 'MiB', 'GiB', 'TiB', 'PiB')


def human(size: float) -> str:
    """A number of bytes with the unit that suits it."""
    if size < 1024:
        return '%d bytes' % size
    exponent = min(int(math.log(size, 1024)), len(_UNITS))
    return '%.1f %s' % (size / 1024 ** exponent, _UNITS[exponent - 1])


class Progress:
    """A line that is written over and over, as long as the context lasts; nothing where the output is no terminal."""

    def __init__(self, title: str, total: int | None, output: TextIO | None = None):
        self._title, self._total, self._output = title, total, output or sys.stderr
        self._visible = self._output.isatty()
        self._shown = 0.0

    def __call__(self, count: int) -> None:
        """Take note of the number of bytes so far."""
        now = time.monotonic()
        if not self._visible or now - self._shown < _INTERVAL:
            return
        self._shown = now
        share = ' (%d%%)' % (100 * count // self._total) if self._total else ''
        self._output.write('\r\x1b[K%s: %s%s' % (self._title, human(count), share))
        self._output.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *unused: object) -> None:
        """Remove the line."""
        if self._shown:
            self._output.write('\r\x1b[K')
            self._output.flush()
