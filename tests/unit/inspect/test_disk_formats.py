"""Every format: what is accepted, what each check refuses, and the virtual size."""
import struct

from tests.unit.inspect import samples
from tests.unit.inspect.samples import MIB, SIZE, InspectTestCase, changed


class Qcow2Test(InspectTestCase):

    def assert_unsafe(self, check, **fields):
        self.assert_refused_everywhere(samples.qcow2(**fields), 'qcow2', check)

    def test_accepted(self):
        for fields in ({'version': 2}, {'version': 3}, {'incompatible': 0b1000}, {'crypt': 2}, {'cluster_bits': 9},
                       {'cluster_bits': 21, 'l1_table': 2 << 21, 'refcounts': 1 << 21}, {'header_length': 112},
                       {'extensions': samples.extension(0x6803f857, bytes(240))}, {'l1_entries': 4 * MIB},
                       {'version': 2, 'extensions': samples.extension(0xE2792ACA, b'')}):
            with self.subTest(fields):
                inspection = self.assert_accepted(samples.qcow2(**fields), 'qcow2', SIZE)
                self.assertEqual('qcow2', inspection.detected)

    def test_backing_file(self):
        for version in (2, 3):
            self.assert_unsafe('backing_file', version=version, backing=0x200)
            self.assert_unsafe('backing_file', version=version, backing=1 << 63)

    def test_data_file(self):
        self.assert_unsafe('data_file', incompatible=0b100)
        name = samples.extension(0x44415441, b'/etc/passwd')
        for version in (2, 3):
            self.assert_unsafe('data_file', version=version, extensions=name)
            self.assert_unsafe('data_file', version=version, extensions=samples.extension(1, bytes(13)) + name)

    def test_unknown_features(self):
        for bit in range(4, 64):
            self.assert_unsafe('unknown_features', incompatible=1 << bit)

    def test_extended_l2_by_option(self):
        image = samples.qcow2(incompatible=1 << 4)
        self.assert_accepted(image, 'qcow2', SIZE, qcow2_allow_extended_l2=True)
        self.assert_refused(samples.qcow2(incompatible=1 << 5), 'qcow2', 'qcow2', 'unknown_features',
                            qcow2_allow_extended_l2=True)

    def test_dirty_corrupt_and_legacy_encryption_warn(self):
        for fields in ({'incompatible': 1}, {'incompatible': 2}, {'crypt': 1}):
            with self.assertLogs('glance.inspect', 'WARNING'):
                self.assert_accepted(samples.qcow2(**fields), 'qcow2', SIZE)

    def test_encryption(self):
        self.assert_unsafe('unknown_features', crypt=3)
        self.assert_unsafe('unknown_features', crypt=2 ** 32 - 1)

    def test_geometry(self):
        for fields in ({'cluster_bits': 8}, {'cluster_bits': 22}, {'cluster_bits': 2 ** 32 - 1}, {'header_length': 103},
                       {'header_length': 0x10001}, {'l1_entries': 4 * MIB + 1}, {'l1_table': 0x30001},
                       {'refcounts': 0x10200}, {'snapshots': 8}):
            with self.subTest(fields):
                self.assert_unsafe('header', **fields)

    def test_extensions(self):
        self.assert_unsafe('header', extensions=struct.pack('>II', 1, 2 ** 32 - 1))
        self.assert_unsafe('unknown_features', extensions=samples.extension(1, b'') * 64)

    def test_version(self):
        for version in (0, 4, 2 ** 32 - 1):
            self.assert_unsafe('version', version=version)

    def test_version_1_is_another_format(self):
        image = samples.qcow2(version=1)
        for label in ('raw', 'qcow', 'qcow2', 'vmdk'):
            self.assert_refused(image, label, 'qcow', 'banned', require_match=False)

    def test_truncated(self):
        for version, end in ((2, 96), (3, 128)):
            image = samples.qcow2(version=version, extensions=samples.extension(1, b'more'))
            self.assert_accepted(image[:end], 'qcow2', SIZE)
            for length in range(4, end):
                self.assert_refused_everywhere(image[:length], 'qcow2', 'truncated')

    def test_short_file_with_backing_file(self):
        self.assert_refused_everywhere(samples.qcow2(backing=104)[:200], 'qcow2', 'backing_file')


class VmdkTest(InspectTestCase):

    def assert_descriptor_unsafe(self, text, **fields):
        with self.subTest(text[:400]):
            self.assert_refused_everywhere(samples.vmdk(text, **fields), 'vmdk', 'descriptor')

    def test_accepted(self):
        for version in (1, 2, 3):
            self.assertEqual('vmdk', self.assert_accepted(samples.vmdk(version=version), 'vmdk', SIZE).detected)
        for text in (samples.descriptor('STREAMOPTIMIZED'), samples.descriptor().replace(b'\n', b'\r\n'),
                     samples.descriptor(parent='FFFFFFFF'), samples.descriptor(extents='RDONLY 2048 sparse "a.vmdk" 0'),
                     samples.descriptor().replace(b'parentCID=ffffffff\n', b'')):
            self.assert_accepted(samples.vmdk(text), 'vmdk', SIZE)

    def test_longest_descriptor(self):
        padding = ('\n#' + 'x' * 2046) * 510
        image = samples.vmdk(samples.descriptor(more=padding), sectors=2047, total=2 * MIB)
        self.assert_accepted(image, 'vmdk', SIZE)
        self.assert_descriptor_unsafe(samples.descriptor(), sectors=2048, total=2 * MIB)

    def test_create_types(self):
        for kind in ('monolithicFlat', 'twoGbMaxExtentSparse', 'twoGbMaxExtentFlat', 'vmfs', 'vmfsSparse', 'vmfsThin',
                     'vmfsRaw', 'vmfsRawDeviceMap', 'vmfsPassthroughRawDeviceMap', 'fullDevice', 'partitionedDevice',
                     'vmfsRDM', 'vmfsRDMP', 'custom', 'seSparse', ''):
            self.assert_descriptor_unsafe(samples.descriptor(kind))
            self.assert_descriptor_unsafe(samples.descriptor(kind, extents='RW 2048 FLAT "/etc/passwd" 0'))

    def test_create_types_by_option(self):
        flat = samples.vmdk(samples.descriptor('monolithicFlat'))
        self.assert_accepted(flat, 'vmdk', SIZE, vmdk_allowed_types=('MonolithicFLAT',))
        self.assert_refused(samples.vmdk(), 'vmdk', 'vmdk', 'descriptor', vmdk_allowed_types=())

    def test_create_type_is_there_once(self):
        self.assert_descriptor_unsafe(samples.descriptor().replace(b'createType', b'kind'))
        self.assert_descriptor_unsafe(b'# createType="monolithicFlat"\n' + samples.descriptor())
        self.assert_descriptor_unsafe(samples.descriptor(more='createType="monolithicSparse"'))

    def test_extents(self):
        for extents in ('', 'RW 1 FLAT "a" 0', 'RW 1 ZERO', 'RW 1 VMFS "a"', 'RW 1 VMFSSPARSE "a"', 'RW 1 SPARSE "/etc/passwd"',
                        'RW 1 SPARSE "..\\a"', 'rw 1 SPARSE "a/b"', 'RW 1 SPARSE "a"\nRW 1 SPARSE "b"',
                        'RW 1 SPARSE "a"\nNOACCESS 1 ZERO', 'RW 1 SPARSE "a" "b"', 'RW -1 SPARSE "a"', 'RW 1 SPARSE a'):
            self.assert_descriptor_unsafe(samples.descriptor(extents=extents))

    def test_parents(self):
        self.assert_descriptor_unsafe(samples.descriptor(parent='fe1a1549'))
        self.assert_descriptor_unsafe(samples.descriptor(more='parentFileNameHint="/etc/passwd"'))
        self.assert_descriptor_unsafe(samples.descriptor(more='#PARENTFILENAMEHINT = "a"'))
        self.assert_descriptor_unsafe(samples.descriptor(more='parentCID=ffffffff'))

    def test_text(self):
        self.assert_descriptor_unsafe(samples.descriptor(more='ddb.comment = "é"'))
        self.assert_descriptor_unsafe(samples.descriptor(more='a\x0bb=c'))
        self.assert_descriptor_unsafe(samples.descriptor(more='no setting'))
        self.assert_descriptor_unsafe(samples.descriptor() + b'\0RW 1 FLAT "/etc/passwd"')
        self.assert_descriptor_unsafe(samples.descriptor(more='\n' * 1024))
        self.assert_descriptor_unsafe(b'')

    def test_place_of_the_descriptor(self):
        for sector in (0, 2, 2 ** 64 - 1):
            self.assert_descriptor_unsafe(samples.descriptor(), sector=sector)
        header = samples.vmdk()
        for sectors in (0, 2 ** 64 - 1):
            self.assert_refused(changed(header, 36, struct.pack('<Q', sectors)), 'vmdk', 'vmdk', 'descriptor')

    def test_version(self):
        for version in (0, 4, 2 ** 32 - 1):
            self.assert_refused_everywhere(samples.vmdk(version=version), 'vmdk', 'version')

    def test_footer(self):
        self.assert_accepted(samples.stream_vmdk(), 'vmdk', SIZE)

    def test_malformed_footers(self):
        def put(index, offset, new):
            def change(sectors):
                sectors[index] = changed(sectors[index], offset, new)
            return change

        for change in (put(0, 0, b'\2'), put(0, 8, b'\1'), put(0, 12, b'\0'), put(1, 0, b'COWD'), put(1, 28, b'\2'),
                       put(1, 36, b'\1'), put(1, 12, b'\1'), put(1, 511, b'\1'), put(2, 0, b'\1'), put(2, 12, b'\1'),
                       put(2, 511, b'\1'), lambda sectors: sectors.append(bytes(511) + b'\1'),
                       lambda sectors: sectors.append(bytes(512)), lambda sectors: sectors.append(b'\0'),
                       lambda sectors: sectors.insert(0, b'1234567'), lambda sectors: sectors.clear(),
                       lambda sectors: sectors.pop()):
            self.assert_refused_everywhere(samples.stream_vmdk(change), 'vmdk', 'footer')

    def test_truncated(self):
        image = samples.vmdk()
        for length in (4, 100, 511, 512, 513, 10751):
            self.assert_refused_everywhere(image[:length], 'vmdk', 'truncated')

    def test_descriptor_alone(self):
        for text in (samples.descriptor(), b'\n# a comment\r\n' + samples.descriptor()[22:],
                     b'#' * 65000 + b'\ncreatetype = "vmfs"', b'\n # x\n\nversion=1\nRW 1 FLAT "/etc/passwd" 0\n',
                     b'createType="monolithicFlat"\0\0\0', b'# Disk DescriptorFile'):
            with self.subTest(text[:50]):
                self.assert_refused_everywhere(text, 'vmdk', 'descriptor')

    def test_other_texts_are_raw(self):
        for text in (b'#' * 65536 + b'createType=', b'release=1\nversion=4', b'\x7fELF createType='):
            self.assert_accepted(text, 'raw', len(text))

    def test_cowd(self):
        self.assert_refused_everywhere(b'COWD'.ljust(2048, b'\0'), 'vmdk', 'banned')


class VhdTest(InspectTestCase):

    def test_accepted(self):
        self.assertEqual('vhd', self.assert_accepted(samples.dynamic_vhd(), 'vhd', SIZE).detected)
        self.assertEqual('vhd', self.assert_accepted(samples.fixed_vhd(), 'vhd', MIB).detected)
        self.assert_accepted(samples.fixed_vhd()[:-1], 'vhd', MIB)

    def test_fixed_disk_with_partitions(self):
        for content in (samples.mbr(samples.PROTECTIVE), samples.mbr(samples.partition()), samples.mbr()):
            self.assertEqual('vhd', self.assert_accepted(samples.fixed_vhd(content), 'vhd', MIB).detected)

    def test_footer_in_a_last_sector_that_is_not_whole(self):
        footer = samples.vhd_footer(4, MIB)
        self.assert_refused_everywhere(bytes(MIB) + footer[:-1], 'vhd', 'backing_file')
        self.assert_refused_everywhere(bytes(MIB) + footer[:100], 'vhd', 'truncated')
        self.assert_refused_everywhere(bytes(MIB + 7) + footer, 'vhd', 'backing_file')

    def test_differencing(self):
        for image in (samples.dynamic_vhd(kind=4), samples.fixed_vhd(kind=4), samples.dynamic_vhd(locators=b'W2ru')):
            self.assert_refused_everywhere(image, 'vhd', 'backing_file')

    def test_kinds(self):
        for kind in (0, 1, 5, 6, 2 ** 32 - 1):
            self.assert_refused_everywhere(samples.dynamic_vhd(kind=kind), 'vhd', 'header')
            self.assert_refused_everywhere(samples.fixed_vhd(kind=kind), 'vhd', 'header')

    def test_dynamic_disk_without_header(self):
        self.assert_refused_everywhere(samples.fixed_vhd(kind=3), 'vhd', 'footer')
        self.assert_refused_everywhere(samples.dynamic_vhd(cookie=b'cxsparsf'), 'vhd', 'header')
        self.assert_refused_everywhere(samples.dynamic_vhd(offset=0), 'vhd', 'header')

    def test_header_and_footer_differ(self):
        image = samples.dynamic_vhd()
        self.assert_refused_everywhere(image[:-512] + samples.vhd_footer(3, 2 * SIZE, 512), 'vhd', 'footer')
        self.assert_refused_everywhere(image[:-512] + samples.vhd_footer(2, 512), 'vhd', 'footer')

    def test_wrong_checksum_warns(self):
        with self.assertLogs('glance.inspect', 'WARNING'):
            self.assert_accepted(changed(samples.fixed_vhd(), MIB + 300, b'\1'), 'vhd', MIB)

    def test_truncated(self):
        image = samples.dynamic_vhd()
        for length in (8, 510, 512, 1535):
            self.assert_refused_everywhere(image[:length], 'vhd', 'truncated')
        self.assert_refused_everywhere(samples.dynamic_vhd(offset=2 ** 64 - 1), 'vhd', 'truncated')
        self.assert_refused_everywhere(samples.vhd_footer(2, MIB), 'vhd', 'truncated')


class VhdxTest(InspectTestCase):

    def test_accepted(self):
        for image in (samples.vhdx(), samples.vhdx(metadata=3 * MIB),
                      samples.vhdx(items={samples.VHDX_SIZE: 0x10000, samples.FILE_PARAMETERS: 0x10008}),
                      changed(samples.vhdx(), 0x20000, b'dead'), changed(samples.vhdx(), 0x40000, b'dead')):
            self.assertEqual('vhdx', self.assert_accepted(image, 'vhdx', SIZE).detected)

    def test_log_warns(self):
        with self.assertLogs('glance.inspect', 'WARNING'):
            self.assert_accepted(samples.vhdx(log=b'x' * 16), 'vhdx', SIZE)

    def test_parent(self):
        self.assert_refused_everywhere(samples.vhdx(flags=2), 'vhdx', 'backing_file')
        items = {samples.FILE_PARAMETERS: 0x10000, samples.VHDX_SIZE: 0x10008, samples.PARENT_LOCATOR: 0x10010}
        self.assert_refused_everywhere(samples.vhdx(items=items), 'vhdx', 'backing_file')

    def test_malformed(self):
        good, size = samples.vhdx(), samples.VHDX_SIZE
        for name, image in {
                'region count': samples.vhdx(region_count=2048), 'most regions': samples.vhdx(region_count=2 ** 32 - 1),
                'item count': samples.vhdx(item_count=2048), 'duplicate items': samples.vhdx(item_count=2047),
                'no headers': changed(changed(good, 0x10000, b'dead'), 0x20000, b'dead'),
                'region signature': changed(good, 0x30000, b'dead'), 'metadata signature': changed(good, MIB, b'dead'),
                'copies differ': changed(good, 0x40010, b'\xff'), 'no metadata': samples.vhdx(regions={}),
                'metadata in a table': samples.vhdx(regions={samples.METADATA: 0x40000}),
                'no items': samples.vhdx(items={}), 'no size': samples.vhdx(items={samples.FILE_PARAMETERS: 0x10000}),
                'no parameters': samples.vhdx(items={size: 0x10000}),
                'overlap': samples.vhdx(items={samples.FILE_PARAMETERS: 0x10000, size: 0x10004}),
                'item in the table': samples.vhdx(items={samples.FILE_PARAMETERS: 0x10000, size: 32})}.items():
            with self.subTest(name):
                self.assert_refused_everywhere(image, 'vhdx', 'header')

    def test_truncated(self):
        for length in (8, 0x10000, 0x30000, 0x4ffff, MIB, MIB + 0x10004):
            self.assert_refused_everywhere(samples.vhdx()[:length], 'vhdx', 'truncated')
        for offset in (2 ** 63, 2 ** 64 - 1):
            self.assert_refused_everywhere(samples.vhdx(regions={samples.METADATA: offset}), 'vhdx', 'truncated')


class VdiTest(InspectTestCase):

    def test_accepted(self):
        for kind in (1, 2):
            self.assertEqual('vdi', self.assert_accepted(samples.vdi(kind), 'vdi', SIZE).detected)

    def test_kinds(self):
        for kind in (0, 3, 4, 2 ** 32 - 1):
            self.assert_refused_everywhere(samples.vdi(kind), 'vdi', 'header')

    def test_parent(self):
        self.assert_refused_everywhere(samples.vdi(parent=bytes(15) + b'\1'), 'vdi', 'backing_file')
        self.assert_refused_everywhere(samples.vdi(linkage=b'\1' + bytes(15)), 'vdi', 'backing_file')
        self.assert_refused_everywhere(samples.vdi(kind=4, linkage=b'\1' * 16), 'vdi', 'backing_file')

    def test_truncated(self):
        for length in (0x44, 0x170, 0x1C7):
            self.assert_refused_everywhere(samples.vdi()[:length], 'vdi', 'truncated')


class IsoTest(InspectTestCase):

    def test_iso_9660(self):
        for identifiers in (((1, b'CD001'),), ((0, b'CD001'), (2, b'CD001'), (1, b'CD001'))):
            self.assertEqual('iso', self.assert_accepted(samples.iso(identifiers), 'iso', 100 * 2048).detected)

    def test_first_primary_volume_counts(self):
        one, two = samples.iso(((1, b'CD001'),)), samples.iso(((1, b'CD001'),), blocks=7)
        image = changed(one, 32768 + 2048, two[32768:32768 + 2048])
        self.assert_accepted(image, 'iso', 100 * 2048)

    def test_without_primary_volume(self):
        self.assert_accepted(samples.iso(((255, b'CD001'),)), 'iso', None)

    def test_udf(self):
        for identifiers in (((0, b'NSR02'),), ((0, b'NSR03'),), ((0, b'BEA01'), (0, b'BOOT2'), (0, b'NSR03'), (0, b'TEA01'))):
            self.assert_accepted(samples.iso(identifiers), 'iso', 200 * 2048)

    def test_bridge_disc_has_the_size_of_its_primary_volume(self):
        self.assert_accepted(samples.iso(((2, b'CD001'), (1, b'CD001'), (0, b'BEA01'), (0, b'NSR02'))), 'iso', 100 * 2048)

    def test_other_identifiers(self):
        for identifiers in (((1, b'CD002'),), ((0, b'BEA01'), (0, b'TEA01')), ()):
            image = samples.iso(identifiers)
            self.assert_refused(image, 'iso', 'iso declared, raw found', 'mismatch')
            self.assert_accepted(image, 'raw', len(image))

    def test_hybrid_with_partitions(self):
        for start in (samples.mbr(samples.PROTECTIVE, total=512), samples.mbr(total=512),
                      samples.mbr(samples.partition(flag=7), samples.PROTECTIVE, total=512)):
            image = samples.iso(start=start)
            self.assertEqual('iso', self.assert_accepted(image, 'iso', 100 * 2048).detected)
            self.assert_accepted(image, 'raw', len(image))

    def test_with_any_other_format(self):
        self.assert_refused(samples.iso(start=samples.qcow2(total=4096)), 'iso', 'qcow2 and iso', 'multiple_formats')
        start = changed(samples.luks(total=32768), 104, struct.pack('>I', 8))
        self.assert_refused(samples.iso(start=start), 'iso', 'iso and luks', 'multiple_formats')
        start = samples.mbr(samples.PROTECTIVE, start=samples.qcow2()[:446], total=512)
        self.assert_refused(samples.iso(start=start), 'raw', 'qcow2 and iso and gpt', 'multiple_formats')
        image = samples.iso()
        self.assert_refused(image + samples.vhd_footer(2, len(image)), 'iso', 'vhd and iso', 'multiple_formats')

    def test_truncated(self):
        self.assert_refused_everywhere(samples.iso()[:32768 + 200], 'iso', 'truncated')


class GptTest(InspectTestCase):

    def test_accepted(self):
        for image in (samples.mbr(samples.PROTECTIVE), samples.mbr(samples.partition(flag=0x80), samples.partition(0x82)),
                      samples.mbr(b'', bytes(16), bytes(16), samples.partition()),
                      samples.mbr(bytes(16), samples.PROTECTIVE)):
            self.assertEqual('gpt', self.assert_accepted(image, 'raw', MIB).detected)
            self.assert_accepted(image, 'gpt', MIB)

    def test_bad_partitions(self):
        for image in (samples.mbr(), samples.mbr(samples.partition(flag=1)), samples.mbr(samples.partition(0)),
                      samples.mbr(samples.partition(), samples.partition(0, flag=0x7f))):
            self.assert_refused_everywhere(image, 'gpt', 'mbr')

    def test_bad_protective_partition(self):
        for image in (samples.mbr(samples.partition(0xEE, start=b'\0\1\0', block=1)),
                      samples.mbr(samples.partition(0xEE, start=b'\0\2\0', block=2)),
                      samples.mbr(samples.PROTECTIVE, samples.partition()),
                      samples.mbr(samples.partition(), samples.PROTECTIVE),
                      samples.mbr(samples.PROTECTIVE, samples.PROTECTIVE)):
            self.assert_refused_everywhere(image, 'gpt', 'gptmbr')

    def test_checks_that_only_warn(self):
        bad, protective = samples.mbr(), samples.mbr(samples.PROTECTIVE, samples.partition())
        with self.assertLogs('glance.inspect', 'WARNING'):
            self.assert_accepted(bad, 'gpt', MIB, gpt_nonfatal=('mbr',))
        self.assert_accepted(protective, 'raw', MIB, gpt_nonfatal=('mbr', 'gptmbr'))
        self.assert_refused(bad, 'raw', 'gpt', 'mbr', gpt_nonfatal=('gptmbr',))
        self.assert_refused(protective, 'raw', 'gpt', 'gptmbr', gpt_nonfatal=('mbr',))

    def test_kernel_parts_tolerate_bad_partitions(self):
        for label in ('aki', 'ari'):
            self.assert_accepted(samples.mbr(), label, MIB)
        self.assert_refused(samples.mbr(), 'ami', 'gpt', 'mbr')

    def test_kernel_is_no_disk(self):
        kernel = changed(samples.mbr(start=b'MZ'), 0x202, b'HdrS')
        for label in ('raw', 'aki'):
            self.assertEqual('raw', self.assert_accepted(kernel, label, MIB).detected)

    def test_file_system_is_no_disk(self):
        for media in (0xF0, 0xF8, 0xFF):
            volume = changed(changed(samples.mbr(), 0x10, b'\2'), 0x15, bytes([media]))
            self.assertEqual('raw', self.assert_accepted(volume, 'raw', MIB).detected)
        self.assert_refused(changed(samples.mbr(), 0x15, b'\xf8'), 'raw', 'gpt', 'mbr')

    def test_short(self):
        image = samples.mbr(samples.partition())
        self.assertEqual('gpt', self.assert_accepted(image[:512], 'raw', 512).detected)
        self.assertEqual('raw', self.assert_accepted(image[:511], 'raw', 511).detected)


class LuksTest(InspectTestCase):

    def test_version_1(self):
        self.assertEqual('luks', self.assert_accepted(samples.luks(), 'luks', 2 * MIB).detected)
        self.assert_accepted(samples.luks(payload=8192), 'luks', 0)

    def test_iterations_are_never_tried(self):
        self.assert_accepted(changed(samples.luks(), 164, b'\xff' * 4), 'luks', 2 * MIB)

    def test_payload_beyond_the_end(self):
        for payload in (8193, 2 ** 32 - 1):
            self.assert_refused_everywhere(samples.luks(payload=payload), 'luks', 'truncated')

    def test_version_2_by_option(self):
        self.assert_refused_everywhere(samples.luks2(), 'luks', 'version')
        self.assert_accepted(samples.luks2(), 'luks', 3 * MIB, allow_luks2=True)

    def test_malformed_version_2(self):
        for image in (samples.luks2(b'{"segments":{}}'), samples.luks2(b'{' * 10000), samples.luks2(size=4096),
                      samples.luks2(size=MIB + 1), samples.luks2(size=2 ** 64 - 1)):
            self.assert_refused_everywhere(image, 'luks', 'header', allow_luks2=True)
        self.assert_refused_everywhere(samples.luks2()[:10000], 'luks', 'truncated', allow_luks2=True)

    def test_other_versions(self):
        for version in (0, 3, 65535):
            self.assert_refused_everywhere(samples.luks(version), 'luks', 'version', allow_luks2=True)

    def test_signature_of_partitions_in_the_salt(self):
        self.assert_accepted(changed(samples.luks(), 510, b'\x55\xaa'), 'luks', 2 * MIB)

    def test_truncated(self):
        for length in (6, 7, 591):
            self.assert_refused_everywhere(samples.luks(payload=1)[:length], 'luks', 'truncated')


class PloopTest(InspectTestCase):

    def test_accepted(self):
        self.assertEqual('ploop', self.assert_accepted(samples.ploop(), 'ploop', SIZE).detected)
        old = samples.ploop(b'WithoutFreeSpace', sectors=SIZE // 512 + (7 << 32))
        self.assert_accepted(old, 'ploop', SIZE)

    def test_only_under_its_own_label(self):
        for label in ('raw', 'qcow2', 'ami'):
            self.assert_refused(samples.ploop(), label, '%s declared, ploop found' % label, 'mismatch')

    def test_content_that_is_not_recognised(self):
        self.assertEqual('raw', self.assert_accepted(bytes(MIB), 'ploop', None).detected)

    def test_in_use(self):
        self.assert_refused_everywhere(samples.ploop(in_use=0x746F6E59), 'ploop', 'header')

    def test_version(self):
        self.assert_refused_everywhere(samples.ploop(version=3), 'ploop', 'version')

    def test_truncated(self):
        for length in (16, 63):
            self.assert_refused_everywhere(samples.ploop()[:length], 'ploop', 'truncated')


class BannedTest(InspectTestCase):

    def assert_banned(self, data, name):
        for label in (name, 'raw', 'qcow2', 'ami', 'ploop'):
            self.assert_refused(data, label, name, 'banned', require_match=False)

    def test_qed(self):
        self.assert_banned(b'QED\0'.ljust(4096, b'\0'), 'qed')
        self.assert_banned(b'QED\0', 'qed')

    def test_bochs(self):
        self.assert_banned(b'Bochs Virtual HD Image'.ljust(4096, b'\0'), 'bochs')

    def test_cloop(self):
        self.assert_banned(b'#!/bin/sh\n#V2.0 Format\nmodprobe cloop\n'.ljust(4096, b'\0'), 'cloop')
        script = b'#!/bin/sh\nset -e\n'
        self.assert_accepted(script, 'raw', len(script))

    def test_dmg(self):
        self.assert_banned(bytes(4096) + b'koly'.ljust(512, b'\0'), 'dmg')
        self.assert_banned(bytes(4096) + b'koly'.ljust(500, b'\0'), 'dmg')
        self.assert_accepted(bytes(4096) + b'koly'.ljust(1024, b'\0'), 'raw', 5120)


class RawTest(InspectTestCase):

    def test_accepted(self):
        for data in (b'', b'x', bytes(MIB), b'A text.\n', b'see http://example.org/', b'json:{\0', b'nbd: \x01'):
            with self.subTest(data[:20]):
                self.assertEqual('raw', self.assert_accepted(data, 'raw', len(data)).detected)

    def test_names_of_disks(self):
        for text in ('json:{"driver":"file"}', ' \n JSON:{', 'nbd:host:1', 'nbd+unix:///x', 'ssh://host/x', 'http://host/x',
                     'HTTPS://host', 'rbd:pool/x', 'file:/etc/passwd', 'json:{"é"', 'http:' + 'x' * 5000):
            for label in ('raw', 'ami', 'ploop'):
                self.assert_refused(text.encode(), label, 'raw', 'banned', require_match=False)
