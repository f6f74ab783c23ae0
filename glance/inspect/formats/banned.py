"""Formats that are refused as soon as they are recognised: QED, Bochs, cloop and DMG.

All of them can refer to other files, are read by code that nobody maintains, or both.
"""
from glance.inspect.base import Examination, Inspector, Unsafe


class Qed(Inspector):
    """QEMU enhanced disk. Source: QEMU, docs/interop/qed_spec.txt."""

    name = 'qed'

    def examine(self) -> Examination:
        if (yield from self.read(0, 4)) == b'QED\0':
            raise Unsafe('banned')


class Bochs(Inspector):
    """Bochs growing and sparse images."""

    name = 'bochs'
    magic = b'Bochs Virtual HD Image'

    def examine(self) -> Examination:
        if (yield from self.read(0, len(self.magic))) == self.magic:
            raise Unsafe('banned')


class Cloop(Inspector):
    """Compressed loop devices, which begin as a shell script that would mount them."""

    name = 'cloop'

    def examine(self) -> Examination:
        start = yield from self.read(0, 128)
        if start.startswith(b'#!/bin/sh') and b'V2.0 Format' in start:
            raise Unsafe('banned')


class Dmg(Inspector):
    """Apple disk images, recognised by the trailer in their last sector."""

    name = 'dmg'

    def examine(self) -> Examination:
        ending = yield from self.end()
        if any(sector.startswith(b'koly') for sector in ending.sectors()):
            raise Unsafe('banned')
