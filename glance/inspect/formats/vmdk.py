"""VMDK: sparse extents with an embedded descriptor, and the kinds that are never accepted.

Source: VMware, Virtual Disk Format 5.0.
"""
import re
import struct

from glance.inspect.base import SECTOR, Ending, Examination, Inspector, Unsafe
from glance.inspect.formats import vmdk_descriptor

SPARSE_MAGIC, COWD_MAGIC = b'KDMV', b'COWD'
VERSIONS = (1, 2, 3)
DESCRIPTOR_SECTOR = 1
MAX_DESCRIPTOR = 1024 * 1024 - 1
SPARSE_HEADER = struct.Struct('<4sIIQQQQIQQQ')
GD_AT_END = 2 ** 64 - 1
GRAIN_DIRECTORY, REDUNDANT_DIRECTORY = slice(56, 64), slice(48, 56)
MARKER = struct.Struct('<QII')
FOOTER_MARKER = 3

TEXT_WINDOW = 64 * 1024
NOT_TEXT = re.compile(rb'[^\t\n\r\x20-\x7e]')
CREATE_TYPE = re.compile(rb'createtype[ \t]*=', re.IGNORECASE)
FIRST_LINES = (b'version=1', b'version=2', b'version=3')


class Vmdk(Inspector):
    """Accepts one sparse extent that carries its own descriptor; a descriptor alone refers to other files."""

    name = 'vmdk'

    def examine(self) -> Examination:
        start = yield from self.read(0, SECTOR)
        if start.startswith(COWD_MAGIC):
            raise Unsafe('banned')
        if start.startswith(SPARSE_MAGIC):
            self.matched = True
            yield from self._check_sparse(start)
        else:
            yield from self._check_text(start)

    def _check_sparse(self, header: bytes) -> Examination:
        if len(header) < SECTOR:
            raise Unsafe('truncated')
        (_, version, _, capacity, _, descriptor_sector, descriptor_sectors, _, _, grain_directory,
         _) = SPARSE_HEADER.unpack_from(header)
        self.virtual_size = capacity * SECTOR
        if version not in VERSIONS:
            raise Unsafe('version')
        if descriptor_sector != DESCRIPTOR_SECTOR or not 0 < descriptor_sectors * SECTOR <= MAX_DESCRIPTOR:
            raise Unsafe('descriptor')
        descriptor = yield from self.require(SECTOR, descriptor_sectors * SECTOR)
        if not vmdk_descriptor.is_safe(descriptor, self.rules.vmdk_allowed_types):
            raise Unsafe('descriptor')
        if grain_directory == GD_AT_END:
            _check_footer(header, (yield from self.end()))

    def _check_text(self, start: bytes) -> Examination:
        if start.startswith(b'# Disk DescriptorFile'):
            raise Unsafe('descriptor')
        if len(start) == SECTOR and not NOT_TEXT.search(start):
            start += yield from self.read(SECTOR, TEXT_WINDOW - SECTOR)
        text = NOT_TEXT.split(start, maxsplit=1)[0]
        if CREATE_TYPE.search(text) or _first_line(text) in FIRST_LINES:
            raise Unsafe('descriptor')


def _first_line(text: bytes) -> bytes:
    """The first line that is neither empty nor a comment; by it readers guess that a text describes a disk."""
    lines = (line.strip() for line in text.split(b'\n'))
    return next((line for line in lines if line and not line.startswith(b'#')), b'')


def _check_footer(header: bytes, ending: Ending) -> None:
    """A header without the place of its directories is followed, in the last three sectors of the file, by a marker,
    the header again with that place, and the end-of-stream marker. Readers trust the copy, so it must be one."""
    sectors = ending.tail[-3 * SECTOR:]
    if len(sectors) < 3 * SECTOR or ending.size % SECTOR:
        raise Unsafe('footer')
    marker, copy, end_of_stream = sectors[:SECTOR], sectors[SECTOR:2 * SECTOR], sectors[2 * SECTOR:]
    count, size, kind = MARKER.unpack_from(marker)
    if count > 1 or size != 0 or kind != FOOTER_MARKER or any(end_of_stream):
        raise Unsafe('footer')
    if _without_directories(copy, header) != _without_directories(header, header):
        raise Unsafe('footer')


def _without_directories(sector: bytes, header: bytes) -> bytes:
    """A header without the offsets that the first header leaves to the footer."""
    rest = bytearray(sector)
    for field in (GRAIN_DIRECTORY, REDUNDANT_DIRECTORY):
        if header[field] == b'\xff' * 8:
            rest[field] = bytes(8)
    return bytes(rest)
