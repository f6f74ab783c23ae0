"""Small files of every format, made by hand so that each field can be set, and the ways to have them inspected."""
import io
import logging
import struct
import tarfile
import unittest
import uuid

from glance import exceptions
from glance.inspect.engine import Inspection
from glance.inspect.rules import Rules

MIB = 1024 * 1024
SIZE = 64 * MIB
"""Virtual size of the samples."""


def inspect(data, disk_format='raw', container_format='bare', step=MIB, **rules):
    """The inspection of data that came in blocks of a size; raises what it raises."""
    inspection = Inspection(disk_format, container_format, Rules(**rules))
    for offset in range(0, len(data), step):
        inspection.update(memoryview(data)[offset:offset + step])
    inspection.finish()
    return inspection


class QuietTestCase(unittest.TestCase):
    """Keeps the warnings that tests cause out of their output."""

    def setUp(self):
        super().setUp()
        handler, logger = logging.NullHandler(), logging.getLogger('glance.inspect')
        logger.addHandler(handler)
        self.addCleanup(logger.removeHandler, handler)


class InspectTestCase(QuietTestCase):

    def assert_accepted(self, data, disk_format, virtual_size, **arguments):
        inspection = inspect(data, disk_format, **arguments)
        self.assertEqual(virtual_size, inspection.virtual_size)
        return inspection

    def assert_refused(self, data, disk_format, name, check, **arguments):
        with self.assertRaisesRegex(exceptions.InvalidImageData,
                                    r'\AImage failed safety checks: %s: %s \([^()]+\)\.\Z' % (name, check)):
            inspect(data, disk_format, **arguments)

    def assert_refused_everywhere(self, data, name, check, **arguments):
        """Refused under the own label and under raw, whatever the policies are."""
        for label in {name, 'raw'}:
            with self.subTest(label=label):
                self.assert_refused(data, label, name, check, **arguments)
                self.assert_refused(data, label, name, check, require_match=False, **arguments)


def changed(data, offset, new):
    """Data with some of its bytes overwritten."""
    return data[:offset] + new + data[offset + len(new):]


def qcow2(version=3, backing=0, cluster_bits=16, crypt=0, l1_entries=1, l1_table=0x30000, refcounts=0x10000, snapshots=0,
          incompatible=0, header_length=104, extensions=b'', end=bytes(8), size=SIZE, total=0x40000):
    header = struct.pack('>4sIQIIQIIQQIIQ', b'QFI\xfb', version, backing, 0, cluster_bits, size, crypt, l1_entries,
                         l1_table, refcounts, 1, 0, snapshots)
    if version == 3:
        header += struct.pack('>QQQII', incompatible, 0, 0, 4, header_length)
        header = header.ljust(header_length, b'\0')
    return (header + extensions + end).ljust(total, b'\0')


def extension(kind, data):
    return struct.pack('>II', kind, len(data)) + data.ljust((len(data) + 7) // 8 * 8, b'\0')


DESCRIPTOR = """# Disk DescriptorFile
version=1
CID=fe1a1549
parentCID=%(parent)s
createType="%(kind)s"

# Extent description
%(extents)s

# The Disk Data Base
#DDB
ddb.virtualHWVersion = "4"
ddb.geometry.cylinders = "2"
%(more)s"""


def descriptor(kind='monolithicSparse', parent='ffffffff', extents='RW 2048 SPARSE "disk.vmdk"', more=''):
    return (DESCRIPTOR % {'kind': kind, 'parent': parent, 'extents': extents, 'more': more}).encode()


def vmdk(text=None, version=1, sector=1, sectors=20, directory=26, total=0x10000):
    text = descriptor() if text is None else text
    header = struct.pack('<4sIIQQQQIQQQB4sH', b'KDMV', version, 3, SIZE // 512, 128, sector, sectors, 512, 21, directory, 128,
                         0, b'\n \r\n', 1).ljust(512, b'\0')
    return (header + text.ljust(sectors * 512, b'\0')).ljust(total, b'\0')


def stream_vmdk(change=lambda sectors: None):
    """A VMDK with a footer; ``change`` gets the list of marker, footer and end-of-stream marker."""
    front = vmdk(descriptor('streamOptimized'), version=3, directory=2 ** 64 - 1)
    footer = changed(front[:512], 56, struct.pack('<Q', 26))
    sectors = [struct.pack('<QII', 1, 0, 3).ljust(512, b'\0'), footer, bytes(512)]
    change(sectors)
    return front + b''.join(sectors)


def vhd_footer(kind, size=SIZE, offset=2 ** 64 - 1):
    footer = struct.pack('>8sIIQI4sI4sQQIII', b'conectix', 2, 0x10000, offset, 0, b'test', 0x50000, b'Wi2k', size, size,
                         0x03c40811, kind, 0) + bytes(16)
    footer = footer.ljust(512, b'\0')
    return changed(footer, 64, struct.pack('>I', ~sum(footer) & 0xffffffff))


def dynamic_vhd(kind=3, locators=b'', cookie=b'cxsparse', size=SIZE, offset=512):
    footer = vhd_footer(kind, size, offset)
    header = changed(cookie.ljust(1024, b'\0'), 576, locators)
    return footer + header + bytes(1024) + footer


def fixed_vhd(content=bytes(MIB), kind=2):
    return content + vhd_footer(kind, len(content))


def _guid(text):
    return uuid.UUID(text).bytes_le


FILE_PARAMETERS = _guid('CAA16737-FA36-4D43-B3B6-33F0AA44E76B')
VHDX_SIZE = _guid('2FA54224-CD1B-4876-B211-5DBED83BF4B8')
PARENT_LOCATOR = _guid('A8D35F2D-B30B-454D-ABF7-D3D84834AB0C')
METADATA = _guid('8B7CA206-4790-4B9A-B8FE-575F050F886E')


def vhdx(flags=0, items=None, regions=None, log=bytes(16), region_count=None, item_count=None, metadata=MIB):
    items = {FILE_PARAMETERS: 0x10000, VHDX_SIZE: 0x10008} if items is None else items
    regions = {METADATA: metadata} if regions is None else regions
    data = bytearray(metadata + 0x20000)
    data[:8] = b'vhdxfile'
    for offset in (0x10000, 0x20000):
        data[offset:offset + 4] = b'head'
        data[offset + 48:offset + 64] = log
    table = struct.pack('<4sIII', b'regi', 0, len(regions) if region_count is None else region_count, 0)
    table += b''.join(struct.pack('<16sQII', guid, offset, MIB, 1) for guid, offset in regions.items())
    for offset in (0x30000, 0x40000):
        data[offset:offset + len(table)] = table
    table = struct.pack('<8sHH20x', b'metadata', 0, len(items) if item_count is None else item_count)
    table += b''.join(struct.pack('<16sIII4x', guid, offset, 8, 0) for guid, offset in items.items())
    data[metadata:metadata + len(table)] = table
    values = {FILE_PARAMETERS: struct.pack('<II', 32 * MIB, flags), VHDX_SIZE: struct.pack('<Q', SIZE)}
    for guid, offset in items.items():
        value = values.get(guid, b'')
        data[metadata + offset:metadata + offset + len(value)] = value
    return bytes(data)


def vdi(kind=1, linkage=bytes(16), parent=bytes(16)):
    data = b'<<< QEMU VM Virtual Disk Image >>>\n'.ljust(0x40, b'\0')
    data += struct.pack('<IIII', 0xBEDA107F, 0x10001, 0x180, kind)
    data = data.ljust(0x170, b'\0') + struct.pack('<Q', SIZE)
    return (data.ljust(0x1A8, b'\0') + linkage + parent).ljust(4096, b'\0')


def iso(identifiers=((1, b'CD001'), (255, b'CD001')), blocks=100, start=b'', total=200 * 2048):
    data = start.ljust(32768, b'\0')
    for kind, identifier in identifiers:
        volume = bytes([kind]) + identifier + b'\1'
        volume = volume.ljust(80, b'\0') + struct.pack('<I', blocks) + struct.pack('>I', blocks)
        data += (volume.ljust(128, b'\0') + struct.pack('<H', 2048)).ljust(2048, b'\0')
    return data.ljust(total, b'\0')


def partition(kind=0x83, flag=0, start=b'\x20\x21\x00', block=2048):
    return struct.pack('<B3sB3sII', flag, start, kind, b'\xff\xff\xff', block, 2048)


PROTECTIVE = partition(0xEE, start=b'\x00\x02\x00', block=1)


def mbr(*partitions, start=b'', total=MIB):
    data = start.ljust(446, b'\0')[:446] + b''.join(partitions).ljust(64, b'\0') + b'\x55\xaa'
    return data.ljust(total, b'\0')


def luks(version=1, payload=4096, total=4 * MIB):
    header = struct.pack('>6sH', b'LUKS\xba\xbe', version).ljust(104, b'\0') + struct.pack('>I', payload)
    return header.ljust(total, b'\0')


def luks2(text=b'{"keyslots":{},"segments":{"0":{"type":"crypt","offset":"1048576","size":"dynamic"}}}', size=16384):
    header = struct.pack('>6sHQ', b'LUKS\xba\xbe', 2, size).ljust(4096, b'\0') + text
    return header.ljust(4 * MIB, b'\0')


def ploop(magic=b'WithouFreSpacExt', version=2, in_use=0, sectors=SIZE // 512):
    return (magic + struct.pack('<IIIIIQI', version, 16, 64, 2048, 64, sectors, in_use)).ljust(MIB, b'\0')


OVF = """<?xml version="1.0"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1">
<References>%s</References><DiskSection>%s</DiskSection></Envelope>"""
OVF_FILE = '<File ovf:id="file1" ovf:href="disk.vmdk"/>'
OVF_DISK = '<Disk ovf:diskId="disk1" ovf:fileRef="file1"/>'


def ovf(files=OVF_FILE, disks=OVF_DISK):
    return (OVF % (files, disks)).encode()


def tar(*members, archive_format=tarfile.USTAR_FORMAT):
    """A tar archive of (name, data) pairs, or of TarInfo objects for what is not a plain file."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode='w', format=archive_format) as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                archive.addfile(info, io.BytesIO(member[1]))
    return target.getvalue()


def ova(disk=None, envelope=None, more=()):
    return tar(('a.ovf', envelope or ovf()), *more, ('disk.vmdk', disk or vmdk()))


def every_format():
    """One good file of each format, by the name of the format."""
    return {'qcow2': qcow2(), 'vmdk': vmdk(), 'vhd': dynamic_vhd(), 'vhdx': vhdx(), 'vdi': vdi(), 'iso': iso(),
            'gpt': mbr(PROTECTIVE), 'luks': luks(), 'ploop': ploop(), 'raw': bytes(MIB)}
