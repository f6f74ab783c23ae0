"""Containers: archives and compressed files of disks, and what must not be a disk."""
import bz2
import gzip
import hashlib
import io
import lzma
import os
import tarfile
import zipfile

from glance import exceptions
from tests.unit.inspect import samples
from tests.unit.inspect.samples import MIB, InspectTestCase, changed, inspect

REJECT = {'container_check_policy': 'reject'}


class ContainerTestCase(InspectTestCase):
    container = 'ova'

    def assert_good(self, data, disk_format='vmdk', **arguments):
        with self.assertNoLogs('glance.inspect'):
            self.assertIsNone(inspect(data, disk_format, self.container, **REJECT, **arguments).virtual_size)

    def assert_malformed(self, data, check, name=None, disk_format='vmdk'):
        """A warning or an error, as the policy says."""
        with self.assertLogs('glance.inspect', 'WARNING'):
            self.assertIsNone(inspect(data, disk_format, self.container).virtual_size)
        self.assert_refused(data, disk_format, name or self.container, check, container_format=self.container, **REJECT)

    def assert_unsafe(self, data, name, check, disk_format='vmdk'):
        for policy in ('warn', 'reject'):
            self.assert_refused(data, disk_format, name, check, container_format=self.container,
                                container_check_policy=policy, require_match=False)


def manifest(members, algorithm='sha256'):
    return ('a.mf', ''.join('%s(%s)= %s\n' % (algorithm.upper(), name, hashlib.new(algorithm, data).hexdigest())
                            for name, data in members).encode())


class OvaTest(ContainerTestCase):
    members = (('a.ovf', samples.ovf()), ('disk.vmdk', samples.vmdk()))

    def test_accepted(self):
        self.assert_good(samples.ova())
        self.assert_good(samples.tar(*self.members, ('a.cert', b'x')))
        self.assert_good(samples.ova(samples.qcow2()), 'qcow2')
        self.assert_good(samples.tar(*self.members, archive_format=tarfile.GNU_FORMAT))

    def test_extended_headers(self):
        info = tarfile.TarInfo('disk.vmdk')
        info.size, info.pax_headers = len(samples.vmdk()), {'mtime': '1.5', 'comment': 'x'}
        target = io.BytesIO()
        with tarfile.open(fileobj=target, mode='w', format=tarfile.PAX_FORMAT) as archive:
            envelope = tarfile.TarInfo('a.ovf')
            envelope.size = len(samples.ovf())
            archive.addfile(envelope, io.BytesIO(samples.ovf()))
            archive.addfile(info, io.BytesIO(samples.vmdk()))
        self.assert_good(target.getvalue())
        for keyword in ('linkpath', 'GNU.sparse.major'):
            info = tarfile.TarInfo('disk.vmdk')
            info.pax_headers = {keyword: '1'}
            self.assert_unsafe(samples.tar(info, archive_format=tarfile.PAX_FORMAT), 'ova', 'banned')
        info.pax_headers = {'path': '../x'}
        self.assert_unsafe(samples.tar(info, archive_format=tarfile.PAX_FORMAT), 'ova', 'banned')
        info.pax_headers = {'comment': 'x' * 9000}
        self.assert_malformed(samples.tar(info, archive_format=tarfile.PAX_FORMAT), 'header')
        info.pax_headers = {'size': 'many'}
        self.assert_malformed(samples.tar(info, archive_format=tarfile.PAX_FORMAT), 'header')
        info.pax_headers = {'comment': 'x'}
        archive = samples.tar(info, archive_format=tarfile.PAX_FORMAT)
        for record in (b'13 comment=x!', b'13 comment:x\n', b'00 comment=x\n', b'99 comment=x\n', b'x'):
            self.assert_malformed(archive.replace(b'13 comment=x\n', record.ljust(13, b'x')), 'header')

    def test_large_sizes_in_binary(self):
        header = bytearray(samples.tar(('a.ovf', b''))[:512])
        header[124:136] = b'\x80' + (2 ** 40).to_bytes(11, 'big')
        header[148:156] = b' ' * 8
        header[148:156] = b'%06o\0 ' % sum(header)
        self.assert_malformed(bytes(header), 'truncated')

    def test_unsafe_disk(self):
        for disk, name, check in ((samples.vmdk(samples.descriptor('vmfs')), 'vmdk', 'descriptor'),
                                  (samples.qcow2(backing=104), 'qcow2', 'backing_file'),
                                  (samples.dynamic_vhd(kind=4), 'vhd', 'backing_file')):
            self.assert_unsafe(samples.ova(disk), name, check)
            self.assert_unsafe(samples.tar(*self.members, ('more', disk)), name, check)

    def test_unsafe_kinds_of_members(self):
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE,
                     tarfile.GNUTYPE_SPARSE):
            info = tarfile.TarInfo('disk.vmdk')
            info.type, info.linkname = kind, '/etc/passwd'
            self.assert_unsafe(samples.tar(self.members[0], info), 'ova', 'banned')

    def test_unsafe_names(self):
        for name in ('/etc/passwd', '../x', 'a/../../x', '..', 'a/..', '\\x', 'a\\..\\x', 'C:x', 'x' * 60 + '/../' + 'y' * 60):
            with self.subTest(name):
                self.assert_unsafe(samples.tar(self.members[0], (name, b'x')), 'ova', 'banned')

    def test_names(self):
        for name in ('a b', 'a/b', 'é', 'a\n', 'disk.vmdk'):
            self.assert_malformed(samples.tar(*self.members, (name, b'x')), 'header')

    def test_number_of_members(self):
        more = [('m%d' % index, b'') for index in range(63)]
        self.assert_good(samples.tar(*self.members, *more[:62]))
        self.assert_malformed(samples.tar(*self.members, *more), 'header')

    def test_folder(self):
        info = tarfile.TarInfo('folder')
        info.type = tarfile.DIRTYPE
        self.assert_malformed(samples.tar(*self.members, info), 'header')

    def test_no_archive(self):
        self.assert_malformed(b'x' * 100, 'truncated')
        for data in (b'x' * 1024, changed(samples.ova(), 10, b'x'), bytes(512) + samples.ova(), samples.ova() + bytes(MIB)):
            self.assert_malformed(data, 'header')

    def test_truncated(self):
        archive = samples.ova()
        for length in (100, 600, 1024, 5000, 66560, 67071):
            self.assert_malformed(archive[:length], 'truncated')

    def test_envelope(self):
        for envelope in (b'x', samples.ovf(disks=''), samples.ovf(disks=samples.OVF_DISK * 2), samples.ovf(files=''),
                         samples.ovf().replace(b'disk.vmdk', b'http://host/disk.vmdk'),
                         samples.ovf().replace(b'disk.vmdk', b'../disk.vmdk'), b'<' + b' ' * MIB):
            self.assert_malformed(samples.ova(envelope=envelope), 'descriptor')
        self.assert_malformed(samples.tar(*reversed(self.members)), 'descriptor')

    def test_disk_that_is_not_there(self):
        self.assert_malformed(samples.tar(self.members[0], ('other', b'x')), 'descriptor')

    def test_two_disks(self):
        self.assert_malformed(samples.tar(*self.members, ('two.vmdk', samples.vmdk())), 'multiple_formats')

    def test_disk_in_another_format(self):
        self.assert_malformed(samples.ova(), 'mismatch', 'qcow2 declared, vmdk found', disk_format='qcow2')

    def test_manifest(self):
        for algorithm in ('sha1', 'sha256', 'sha512'):
            listing = manifest(self.members, algorithm)
            self.assert_good(samples.tar(self.members[0], listing, self.members[1]))
            self.assert_good(samples.tar(*self.members, listing))

    def test_wrong_digests(self):
        wrong = (self.members[0], ('disk.vmdk', b'other'))
        for algorithm in ('sha1', 'sha256', 'sha512'):
            listing = manifest(wrong, algorithm)
            self.assert_malformed(samples.tar(self.members[0], listing, self.members[1]), 'mismatch')
            self.assert_malformed(samples.tar(*self.members, listing), 'mismatch')
        self.assert_malformed(samples.tar(*self.members, manifest([*self.members, ('gone', b'')])), 'mismatch')

    def test_malformed_manifest(self):
        for text in (b'x', b'MD5(a)= 00', manifest(self.members)[1] * 2, b'\n' * 65537, b'\xff'):
            self.assert_malformed(samples.tar(*self.members, ('a.mf', text)), 'descriptor')

    def test_disk_instead_of_an_archive(self):
        self.assert_malformed(samples.vmdk(), 'header')
        self.assert_unsafe(samples.qcow2(backing=104), 'qcow2', 'backing_file')


class OvfTest(ContainerTestCase):
    container = 'ovf'

    def test_accepted(self):
        self.assert_good(samples.ovf())
        self.assert_good(samples.ovf().ljust(MIB, b' '))

    def test_malformed(self):
        bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
        for text in (b'text', samples.ovf()[:-1], samples.ovf().ljust(MIB + 1, b' '),
                     samples.ovf().replace(b'<Envelope', bomb + b'<Envelope'),
                     samples.ovf().replace(b'<Envelope', b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><Envelope'),
                     samples.ovf().replace(b'Envelope', b'Other'),
                     samples.ovf(files=samples.OVF_FILE * 2),
                     samples.ovf(files=samples.OVF_FILE + '<a>' * 70 + '</a>' * 70),
                     samples.ovf(files=samples.OVF_FILE + '<a/>' * 10000),
                     samples.ovf(files=samples.OVF_FILE + '<a %s/>' % ' '.join('a%d=""' % i for i in range(257))),
                     samples.ovf(files=samples.OVF_FILE + '<a a="%s"/>' % ('x' * 65537)),
                     samples.ovf().replace(b'"1.0"', b'"1.0" encoding="undefined"')):
            with self.subTest(text[:60]):
                self.assert_malformed(text, 'descriptor')
        with self.assertLogs('glance.inspect') as logs:
            inspect(bytes(MIB) * 3, 'vmdk', 'ovf', step=65536)
        self.assertEqual(1, len(logs.output))

    def test_virtual_disk(self):
        self.assert_malformed(samples.qcow2(), 'descriptor')
        self.assert_unsafe(samples.qcow2(backing=104), 'qcow2', 'backing_file')


def zipped(data, method=zipfile.ZIP_DEFLATED):
    target = io.BytesIO()
    with zipfile.ZipFile(target, 'w', method) as archive:
        archive.writestr('disk', data)
    return target.getvalue()


COMPRESSORS = {'gzip': gzip.compress, 'bzip2': bz2.compress, 'xz': lzma.compress, 'zip': zipped,
               'stored': lambda data: zipped(data, zipfile.ZIP_STORED)}
STREAMS = ('gzip', 'bzip2', 'xz')


class CompressedTest(ContainerTestCase):
    container = 'compressed'

    def each(self, data):
        for name, compress in COMPRESSORS.items():
            with self.subTest(name):
                yield compress(data)

    def test_accepted(self):
        for name, disk in samples.every_format().items():
            for data in self.each(disk):
                self.assert_good(data, name)

    def test_disk_in_another_format(self):
        for data in self.each(samples.qcow2()):
            self.assert_malformed(data, 'mismatch', 'vmdk declared, qcow2 found')

    def test_unsafe_disks(self):
        for disk, name, check in ((samples.qcow2(backing=104), 'qcow2', 'backing_file'),
                                  (samples.fixed_vhd(kind=4), 'vhd', 'backing_file'), (b'QED\0', 'qed', 'banned')):
            for data in self.each(disk):
                self.assert_unsafe(data, name, check, 'raw')

    def test_unsafe_disk_in_a_later_stream(self):
        disk = samples.qcow2(backing=104)
        for name in STREAMS:
            compress = COMPRESSORS[name]
            self.assert_unsafe(compress(b'') + compress(disk[:6]) + compress(disk[6:]), 'qcow2', 'backing_file')

    def test_streams_one_behind_the_other(self):
        disk = samples.qcow2()
        for name in STREAMS:
            compress = COMPRESSORS[name]
            joined = compress(disk[:70]) + compress(b'') + compress(disk[70:])
            self.assert_good(joined, 'qcow2')
            self.assert_good(joined, 'qcow2', step=1)
            self.assert_good(joined + bytes(4096), 'qcow2')

    def test_number_of_streams(self):
        self.assert_malformed(gzip.compress(b'') * 5000, 'header')

    def test_damaged(self):
        for name in STREAMS:
            data = COMPRESSORS[name](os.urandom(100_000))
            self.assert_malformed(data[:50_000], 'truncated', disk_format='raw')
            self.assert_malformed(data + b'garbage', 'footer', disk_format='raw')
            self.assert_malformed(data + data[:2], 'truncated', disk_format='raw')
            self.assert_malformed(changed(data, 50_000, bytes(100)), 'header', disk_format='raw')
        self.assert_malformed(zipped(os.urandom(1000))[:600], 'truncated', disk_format='raw')
        self.assert_malformed(zipped(b'x' * 1000, zipfile.ZIP_STORED)[:600], 'truncated', disk_format='raw')

    def test_zip_that_cannot_be_read(self):
        archive = zipped(samples.qcow2())
        self.assert_malformed(changed(archive, 6, b'\1'), 'unknown_features')
        self.assert_malformed(changed(archive, 8, b'\x0c'), 'unknown_features')
        self.assert_malformed(changed(zipped(b'x', zipfile.ZIP_STORED), 6, b'\x08'), 'unknown_features')

    def test_large_dictionary(self):
        self.assert_malformed(lzma.compress(bytes(1000), preset=9), 'header')

    def test_not_looked_into(self):
        self.assert_good(b'\x28\xb5\x2f\xfd' + os.urandom(1000))
        archive = b'  -lh5-' + os.urandom(1000)
        self.assert_malformed(archive, 'mismatch')
        self.assert_good(archive, allow_lha=True)

    def test_not_compressed(self):
        for data in (b'short', bytes(MIB), samples.mbr(samples.PROTECTIVE), b'\x1f\x8c'.ljust(100)):
            self.assert_malformed(data, 'mismatch')
        self.assert_malformed(samples.qcow2(), 'mismatch')
        self.assert_unsafe(samples.qcow2(backing=104), 'qcow2', 'backing_file')

    def test_footer_beyond_what_is_looked_at(self):
        for content in (bytes(70 * MIB), samples.mbr(samples.partition(), total=70 * MIB)):
            self.assert_good(gzip.compress(samples.fixed_vhd(content), 1), 'vhd')

    def test_bomb(self):
        """Only the first 64 MiB are looked at, and what is in them decides."""
        bomb = gzip.compress(bytes(80 * MIB), 9)
        self.assert_good(bomb, 'raw')
        self.assert_malformed(bomb, 'mismatch', 'qcow2 declared, raw found', 'qcow2')
        self.assert_unsafe(gzip.compress(samples.qcow2(backing=104) + bytes(80 * MIB), 1), 'qcow2', 'backing_file')


class PlainContainersTest(samples.QuietTestCase):

    def test_accepted(self):
        plain = (b'', bytes(MIB), samples.mbr(), samples.iso(), samples.tar(('layer', b'x')), gzip.compress(bytes(1000)))
        for container in ('docker', 'ami', 'aki', 'ari', 'other'):
            for data in plain:
                inspection = inspect(data, 'raw', container, **REJECT)
                self.assertEqual((None, None), (inspection.detected, inspection.virtual_size))

    def test_virtual_disks(self):
        for container in ('docker', 'ami', 'aki', 'ari'):
            for name in ('qcow2', 'vmdk', 'vhd', 'vhdx', 'vdi'):
                data = samples.every_format()[name]
                with self.assertRaisesRegex(exceptions.InvalidImageData, '%s declared, %s found' % (container, name)):
                    inspect(data, 'ami', container)
                with self.assertLogs('glance.inspect', 'WARNING'):
                    self.assertEqual(name, inspect(data, 'ami', container, require_match=False).detected)

    def test_unsafe_disks(self):
        for container in ('docker', 'ami', 'aki', 'ari', 'other'):
            for data in (samples.qcow2(backing=104), samples.qcow2(version=1), b'QED\0', samples.descriptor(),
                         samples.fixed_vhd(kind=4)):
                with self.assertRaises(exceptions.InvalidImageData):
                    inspect(data, 'ami', container, require_match=False)
