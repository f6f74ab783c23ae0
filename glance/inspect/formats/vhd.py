"""VHD, the format of Virtual PC. Source: Microsoft, Virtual Hard Disk Image Format Specification 1.0."""
import struct
from dataclasses import dataclass

from glance.inspect.base import SECTOR, Ending, Examination, Inspector, Unsafe
from glance.inspect.rules import Rules

COOKIE = b'conectix'
DYNAMIC_COOKIE = b'cxsparse'
DYNAMIC_HEADER_SIZE = 1024
PARENT_LOCATORS = slice(576, 768)
CHECKSUM = slice(64, 68)
SHORTEST_FOOTER = 511
"""Early versions of Virtual PC wrote a footer without its last byte."""
FIXED, DYNAMIC, DIFFERENCING = 2, 3, 4


@dataclass(frozen=True, slots=True)
class Footer:
    """The fields of a footer that decide what a reader makes of the file."""

    data_offset: int
    current_size: int
    kind: int


class Vhd(Inspector):
    """Refuses differencing disks and parents of any kind.

    A fixed disk is raw data with a footer; ``wraps_raw`` tells that nothing but the footer was recognised, so that the
    stream begins with the data of the guest.
    """

    name = 'vhd'

    def __init__(self, rules: Rules):
        super().__init__(rules)
        self.wraps_raw = False

    def examine(self) -> Examination:
        header = None
        start = yield from self.read(0, SECTOR)
        if start.startswith(COOKIE):
            self.matched = True
            header = self._parse(start)
            if header.kind == DYNAMIC:
                yield from self._check_dynamic(header.data_offset)
        ending = yield from self.end()
        last = next((sector for sector in ending.sectors() if sector.startswith(COOKIE)), None)
        if last is not None:
            self.matched = True
            footer = self._parse(last)
            if header is None:
                self.wraps_raw = True
                if footer.kind != FIXED:
                    raise Unsafe('footer')
            elif footer != header:
                raise Unsafe('footer')
        if self.matched:
            self._check_fixed(header or footer, ending)

    def _parse(self, sector: bytes) -> Footer:
        if len(sector) < SHORTEST_FOOTER:
            raise Unsafe('truncated')
        data_offset, = struct.unpack_from('>Q', sector, 16)
        self.virtual_size, = struct.unpack_from('>Q', sector, 48)
        kind, = struct.unpack_from('>I', sector, 60)
        if kind == DIFFERENCING:
            raise Unsafe('backing_file')
        if kind not in (FIXED, DYNAMIC):
            raise Unsafe('header')
        if int.from_bytes(sector[CHECKSUM], 'big') != ~(sum(sector) - sum(sector[CHECKSUM])) & 0xffffffff:
            self.warnings.append('the checksum of the footer is wrong')
        return Footer(data_offset, self.virtual_size, kind)

    def _check_dynamic(self, offset: int) -> Examination:
        if offset < SECTOR:
            raise Unsafe('header')
        header = yield from self.require(offset, DYNAMIC_HEADER_SIZE)
        if not header.startswith(DYNAMIC_COOKIE):
            raise Unsafe('header')
        if any(header[PARENT_LOCATORS]):
            raise Unsafe('backing_file')

    def _check_fixed(self, footer: Footer, ending: Ending) -> None:
        if footer.kind == FIXED and footer.current_size > ending.size - SHORTEST_FOOTER:
            raise Unsafe('truncated')
