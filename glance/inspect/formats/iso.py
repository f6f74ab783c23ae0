"""Optical discs: ISO 9660 (ECMA-119) and UDF (ECMA-167)."""
import struct

from glance.inspect.base import Examination, Inspector, Unsafe

FIRST_DESCRIPTOR = 32768
DESCRIPTOR_SIZE = 2048
MAX_DESCRIPTORS = 64
PRIMARY, TERMINATOR = 1, 255
ISO_9660 = b'CD001'
UDF = (b'NSR02', b'NSR03')
EXTENDED_AREA = (b'BEA01', b'BOOT2')
"""What may come before the descriptor of UDF."""


class Iso(Inspector):
    """Tells the size of the primary volume; for UDF alone, which has no such volume, the size of the data."""

    name = 'iso'

    def examine(self) -> Examination:
        for index in range(MAX_DESCRIPTORS):
            descriptor = yield from self.read(FIRST_DESCRIPTOR + index * DESCRIPTOR_SIZE, DESCRIPTOR_SIZE)
            kind, identifier = descriptor[:1], descriptor[1:6]
            if identifier in UDF and not self.matched:
                self.matched = True
                self.virtual_size = (yield from self.end()).size
                return
            if identifier == ISO_9660:
                self.matched = True
                if len(descriptor) < DESCRIPTOR_SIZE:
                    raise Unsafe('truncated')
                if kind[0] == PRIMARY:
                    self._measure(descriptor)
                if kind[0] in (PRIMARY, TERMINATOR):
                    return
            elif identifier not in EXTENDED_AREA:
                return

    def _measure(self, volume: bytes) -> None:
        blocks, = struct.unpack_from('<I', volume, 80)
        block_size, = struct.unpack_from('<H', volume, 128)
        self.virtual_size = blocks * block_size
