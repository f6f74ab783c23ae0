"""VirtualBox disk images. Source: VirtualBox, VDICore.h; QEMU, block/vdi.c (layout of the header)."""
import struct

from glance.inspect.base import Examination, Inspector, Unsafe

SIGNATURE = 0xBEDA107F
SIGNATURE_AT = 0x40
HEADER_END = 0x1C8
DYNAMIC, STATIC = 1, 2


class Vdi(Inspector):
    """Refuses differencing images, which have a parent, and every other kind that is not a whole disk."""

    name = 'vdi'

    def examine(self) -> Examination:
        signature = yield from self.read(SIGNATURE_AT, 4)
        if signature != struct.pack('<I', SIGNATURE):
            return
        self.matched = True
        header = bytes(SIGNATURE_AT + 4) + (yield from self.require(SIGNATURE_AT + 4, HEADER_END - SIGNATURE_AT - 4))
        self.virtual_size, = struct.unpack_from('<Q', header, 0x170)
        linkage, parent = header[0x1A8:0x1B8], header[0x1B8:0x1C8]
        if any(linkage) or any(parent):
            raise Unsafe('backing_file')
        kind, = struct.unpack_from('<I', header, 0x4C)
        if kind not in (DYNAMIC, STATIC):
            raise Unsafe('header')
