"""Partitioned disks: the master boot record and the protective one of GPT. Source: UEFI specification, chapter 5."""
import struct

from glance.inspect.base import SECTOR, Examination, Inspector, Unsafe

SIGNATURE_AT, SIGNATURE = 510, b'\x55\xaa'
KERNEL_AT, KERNEL = 0x202, b'HdrS'
FAT_COUNT_AT, MEDIA_AT = 0x10, 0x15
FLOPPY, SMALLEST_DISK = 0xF0, 0xF8
LUKS = b'LUKS\xba\xbe'
PARTITIONS_AT = 446
PARTITION = struct.Struct('<B3sB3sII')
PROTECTIVE = 0xEE
PROTECTIVE_START = b'\x00\x02\x00'


class Gpt(Inspector):
    """Checks the partition table; ``mbr`` and ``gptmbr`` are the ids of its checks. The disk is as large as the data.

    Kernels and file systems without partitions have the same signature and are left alone.
    """

    name = 'gpt'

    def examine(self) -> Examination:
        start = yield from self.read(0, KERNEL_AT + len(KERNEL))
        if start[SIGNATURE_AT:SECTOR] != SIGNATURE or start[KERNEL_AT:] == KERNEL or _is_fat(start):
            return
        if start.startswith(LUKS):  # the signature may come up in its random salt
            return
        self.matched = True
        self._check_partitions([PARTITION.unpack_from(start, PARTITIONS_AT + index * PARTITION.size)
                                for index in range(4)])

    def _check_partitions(self, entries: list[tuple]) -> None:
        used = [entry for entry in entries if entry[2]]
        if not used or any(flag not in (0, 0x80) for flag, *_ in entries):
            raise Unsafe('mbr')
        for _, start, kind, _, first_block, _ in used:
            if kind == PROTECTIVE and (start != PROTECTIVE_START or first_block != 1 or len(used) > 1):
                raise Unsafe('gptmbr')


def _is_fat(sector: bytes) -> bool:
    media = sector[MEDIA_AT]
    return sector[FAT_COUNT_AT] == 2 and (media == FLOPPY or media >= SMALLEST_DISK)
