"""Parallels disks, of which ploop is one kind. Source: QEMU, docs/interop/parallels.txt."""
import struct

from glance.inspect.base import SECTOR, Examination, Inspector, Unsafe

MAGIC_SIZE = 16
OLD_MAGIC, MAGIC = b'WithoutFreeSpace', b'WithouFreSpacExt'
HEADER_SIZE = 64
VERSION = 2
IN_USE = 0x746F6E59


class Ploop(Inspector):
    """Refuses disks that were not closed."""

    name = 'ploop'

    def examine(self) -> Examination:
        magic = yield from self.read(0, MAGIC_SIZE)
        if magic not in (OLD_MAGIC, MAGIC):
            return
        self.matched = True
        header = magic + (yield from self.require(MAGIC_SIZE, HEADER_SIZE - MAGIC_SIZE))
        version, = struct.unpack_from('<I', header, 16)
        if version != VERSION:
            raise Unsafe('version')
        sectors, in_use = struct.unpack_from('<QI', header, 36)
        if in_use == IN_USE:
            raise Unsafe('header')
        if magic == OLD_MAGIC:
            sectors &= 0xffffffff  # the old format has garbage above
        self.virtual_size = sectors * SECTOR
