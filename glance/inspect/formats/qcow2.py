"""qcow2 versions 2 and 3, and its ancestor qcow, which is never accepted.

Source: QEMU, docs/interop/qcow2.txt.
"""
import struct

from glance.inspect.base import Examination, Inspector, Unsafe

MAGIC = b'QFI\xfb'
V2_HEADER = struct.Struct('>4sIQIIQIIQQIIQ')
V3_FIELDS = struct.Struct('>QQQII')
EXTENSION = struct.Struct('>II')

DIRTY_OR_CORRUPT = 0b11
EXTERNAL_DATA = 1 << 2
COMPRESSION_TYPE = 1 << 3
EXTENDED_L2 = 1 << 4

CRYPT_AES, CRYPT_LUKS = 1, 2
END_EXTENSION = 0
DATA_FILE_EXTENSION = 0x44415441
MAX_EXTENSIONS = 64
MAX_L1_BYTES = 32 * 1024 * 1024


class Qcow2(Inspector):
    """Refuses every reference to another file, features that are not known, and tables out of place."""

    name = 'qcow2'

    def examine(self) -> Examination:
        start = yield from self.read(0, 8)
        if not start.startswith(MAGIC):
            return
        self.matched = True
        self._check_version(start)
        header = start + (yield from self.require(8, V2_HEADER.size - 8))
        (_, version, backing_file, _, cluster_bits, self.virtual_size, crypt, l1_entries, l1_table, refcount_table, _,
         _, snapshots) = V2_HEADER.unpack(header)
        if backing_file:
            raise Unsafe('backing_file')
        if not 9 <= cluster_bits <= 21:
            raise Unsafe('header')
        cluster, header_length = 1 << cluster_bits, V2_HEADER.size
        if version == 3:
            fields = yield from self.require(V2_HEADER.size, V3_FIELDS.size)
            incompatible, _, _, _, header_length = V3_FIELDS.unpack(fields)
            self._check_features(incompatible)
            if not V2_HEADER.size + V3_FIELDS.size <= header_length <= cluster:
                raise Unsafe('header')
        self._check_encryption(crypt)
        if l1_entries * 8 > MAX_L1_BYTES or any(table % cluster for table in (l1_table, refcount_table, snapshots)):
            raise Unsafe('header')
        yield from self._check_extensions(header_length, cluster)

    def _check_version(self, start: bytes) -> None:
        version = start[4:]
        if len(version) < 4:
            raise Unsafe('truncated')
        if version == b'\0\0\0\1':
            self.format = 'qcow'
            raise Unsafe('banned')
        if version not in (b'\0\0\0\2', b'\0\0\0\3'):
            raise Unsafe('version')

    def _check_features(self, incompatible: int) -> None:
        if incompatible & EXTERNAL_DATA:
            raise Unsafe('data_file')
        known = DIRTY_OR_CORRUPT | COMPRESSION_TYPE | (EXTENDED_L2 if self.rules.qcow2_allow_extended_l2 else 0)
        if incompatible & ~known:
            raise Unsafe('unknown_features')
        if incompatible & DIRTY_OR_CORRUPT:
            self.warnings.append('marked as dirty or corrupt')

    def _check_encryption(self, crypt: int) -> None:
        if crypt > CRYPT_LUKS:
            raise Unsafe('unknown_features')
        if crypt == CRYPT_AES:
            self.warnings.append('uses the legacy AES encryption')

    def _check_extensions(self, offset: int, cluster: int) -> Examination:
        """Walk the header extensions, which end with a marker or with the first cluster."""
        for _ in range(MAX_EXTENSIONS):
            if offset + EXTENSION.size > cluster:
                break
            kind, length = EXTENSION.unpack((yield from self.require(offset, EXTENSION.size)))
            if kind == END_EXTENSION:
                return
            if kind == DATA_FILE_EXTENSION:
                raise Unsafe('data_file')
            offset += EXTENSION.size + (length + 7) // 8 * 8
        else:
            raise Unsafe('unknown_features')
        if offset > cluster:
            raise Unsafe('header')
