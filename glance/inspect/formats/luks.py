"""LUKS. Source: LUKS1 On-Disk Format Specification 1.2.3; LUKS2 On-Disk Format Specification 1.1.1."""
import re
import struct

from glance.inspect.base import MAX_REGION, SECTOR, Examination, Inspector, Steps, Unsafe

MAGIC = b'LUKS\xba\xbe'
V1_HEADER_SIZE = 592
V2_HEADER_SIZE = 4096
FIRST_SEGMENT = re.compile(rb'"segments"\s*:\s*{\s*"0"\s*:\s*{')
OFFSET = re.compile(rb'[^{}]{0,1024}?"offset"\s*:\s*"(\d{1,19})"')


class Luks(Inspector):
    """Tells the size of the encrypted data. Keys are never tried, whatever number of iterations a header names."""

    name = 'luks'

    def examine(self) -> Examination:
        start = yield from self.read(0, 8)
        if not start.startswith(MAGIC):
            return
        self.matched = True
        if len(start) < 8:
            raise Unsafe('truncated')
        version, = struct.unpack_from('>H', start, 6)
        if version == 1:
            header = start + (yield from self.require(8, V1_HEADER_SIZE - 8))
            sectors, = struct.unpack_from('>I', header, 104)
            payload = sectors * SECTOR
        elif version == 2 and self.rules.allow_luks2:
            payload = yield from self._find_segment(start)
        else:
            raise Unsafe('version')
        size = (yield from self.end()).size
        if payload > size:
            raise Unsafe('truncated')
        self.virtual_size = size - payload

    def _find_segment(self, start: bytes) -> Steps[int]:
        """Return the offset of the encrypted data, which stands in the JSON behind the binary header."""
        header = start + (yield from self.require(8, V2_HEADER_SIZE - 8))
        header_size, = struct.unpack_from('>Q', header, 8)
        if not V2_HEADER_SIZE < header_size <= MAX_REGION:
            raise Unsafe('header')
        text = yield from self.require(V2_HEADER_SIZE, header_size - V2_HEADER_SIZE)
        segment = FIRST_SEGMENT.search(text)
        offset = segment and OFFSET.match(text, segment.end())
        if not offset:
            raise Unsafe('header')
        return int(offset[1])
