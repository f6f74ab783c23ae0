"""VHDX. Source: Microsoft, [MS-VHDX]."""
import struct
import uuid
from collections.abc import Iterator

from glance.inspect.base import Examination, Inspector, Steps, Unsafe

KIB = 1024
IDENTIFIER = b'vhdxfile'
HEADERS = (64 * KIB, 128 * KIB)
HEADER_SIGNATURE = b'head'
LOG_GUID = slice(48, 64)
REGION_TABLE, REGION_TABLE_COPY = 192 * KIB, 256 * KIB
TABLE_SIZE = 64 * KIB
MAX_ENTRIES = 2047

REGION_HEADER = struct.Struct('<4sIII')
REGION_ENTRY = struct.Struct('<16sQII')
METADATA_HEADER = struct.Struct('<8sHH20s')
METADATA_ENTRY = struct.Struct('<16sIII4s')
FILE_PARAMETERS = struct.Struct('<II')
HAS_PARENT = 0b10

METADATA_REGION = uuid.UUID('8B7CA206-4790-4B9A-B8FE-575F050F886E').bytes_le
FILE_PARAMETERS_ITEM = uuid.UUID('CAA16737-FA36-4D43-B3B6-33F0AA44E76B').bytes_le
DISK_SIZE_ITEM = uuid.UUID('2FA54224-CD1B-4876-B211-5DBED83BF4B8').bytes_le
PARENT_LOCATOR_ITEM = uuid.UUID('A8D35F2D-B30B-454D-ABF7-D3D84834AB0C').bytes_le


class Vhdx(Inspector):
    """Refuses disks with a parent and tables that are not as Hyper-V writes them."""

    name = 'vhdx'

    def examine(self) -> Examination:
        if (yield from self.read(0, len(IDENTIFIER))) != IDENTIFIER:
            return
        self.matched = True
        yield from self._check_headers()
        metadata = yield from self._find_metadata()
        items = yield from self._list_items(metadata)
        if PARENT_LOCATOR_ITEM in items:
            raise Unsafe('backing_file')
        yield from self._read_items(metadata, items)

    def _check_headers(self) -> Examination:
        headers = []
        for offset in HEADERS:
            headers.append((yield from self.require(offset, LOG_GUID.stop)))
        valid = [header for header in headers if header.startswith(HEADER_SIGNATURE)]
        if not valid:
            raise Unsafe('header')
        if any(any(header[LOG_GUID]) for header in valid):
            self.warnings.append('its log is not empty; it was not closed properly')

    def _find_metadata(self) -> Steps[int]:
        """Return the offset of the metadata region, of which both copies of the region table must tell the same."""
        table = yield from self.require(REGION_TABLE, TABLE_SIZE)
        copy = yield from self.require(REGION_TABLE_COPY, TABLE_SIZE)
        regions = self._regions(table)
        if copy.startswith(b'regi') and self._regions(copy) != regions:
            raise Unsafe('header')
        offset = regions.get(METADATA_REGION, 0)
        if offset < REGION_TABLE_COPY + TABLE_SIZE:
            raise Unsafe('header')
        return offset

    def _regions(self, table: bytes) -> dict[bytes, int]:
        signature, _, count, _ = REGION_HEADER.unpack_from(table)
        if signature != b'regi':
            raise Unsafe('header')
        return _unique((guid, offset) for guid, offset, _, _ in _entries(table, REGION_HEADER, REGION_ENTRY, count))

    def _list_items(self, metadata: int) -> Steps[dict[bytes, int]]:
        """Return the offsets of the items within the metadata region, by their GUID."""
        table = yield from self.require(metadata, TABLE_SIZE)
        signature, _, count, _ = METADATA_HEADER.unpack_from(table)
        if signature != b'metadata':
            raise Unsafe('header')
        return _unique((guid, offset) for guid, offset, *_ in _entries(table, METADATA_HEADER, METADATA_ENTRY, count))

    def _read_items(self, metadata: int, items: dict[bytes, int]) -> Examination:
        wanted = [FILE_PARAMETERS_ITEM, DISK_SIZE_ITEM]
        if not all(items.get(item, 0) >= TABLE_SIZE for item in wanted):
            raise Unsafe('header')
        if abs(items[FILE_PARAMETERS_ITEM] - items[DISK_SIZE_ITEM]) < 8:
            raise Unsafe('header')
        values = {}
        for item in sorted(wanted, key=items.__getitem__):
            values[item] = yield from self.require(metadata + items[item], 8)
        _, flags = FILE_PARAMETERS.unpack(values[FILE_PARAMETERS_ITEM])
        if flags & HAS_PARENT:
            raise Unsafe('backing_file')
        self.virtual_size = int.from_bytes(values[DISK_SIZE_ITEM], 'little')


def _entries(table: bytes, header: struct.Struct, entry: struct.Struct, count: int) -> Iterator[tuple]:
    if count > MAX_ENTRIES:
        raise Unsafe('header')
    return entry.iter_unpack(table[header.size:header.size + count * entry.size])


def _unique(pairs: Iterator[tuple[bytes, int]]) -> dict[bytes, int]:
    """A table as a dictionary; one that lists a GUID twice could mean different things to different readers."""
    found: dict[bytes, int] = {}
    for guid, offset in pairs:
        if guid in found:
            raise Unsafe('header')
        found[guid] = offset
    return found
