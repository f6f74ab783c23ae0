"""What comes of the format found and the format declared."""
from glance import exceptions
from tests.unit.inspect import samples
from tests.unit.inspect.samples import MIB, SIZE, InspectTestCase, inspect

VIRTUAL_DISKS = ('qcow2', 'vmdk', 'vhd', 'vhdx', 'vdi', 'luks')
STRICT = ('qcow2', 'vmdk', 'vhd', 'vhdx', 'vdi', 'iso', 'gpt', 'luks')


class MatchTest(InspectTestCase):

    def test_every_format_under_every_label(self):
        accepted = {(name, name) for name in samples.every_format()}
        accepted |= {(name, 'raw') for name in (*VIRTUAL_DISKS, 'iso', 'gpt')}
        accepted |= {('raw', label) for label in ('ami', 'aki', 'ari', 'ploop', 'other')}
        accepted |= {('gpt', label) for label in ('ami', 'aki', 'ari')}
        for name, data in samples.every_format().items():
            for label in (*STRICT, 'raw', 'ploop', 'ami', 'aki', 'ari', 'other'):
                with self.subTest(format=name, label=label):
                    if (name, label) in accepted:
                        self.assertEqual(name, inspect(data, label).detected)
                    else:
                        self.assert_refused(data, label, '%s declared, %s found' % (label, name), 'mismatch')

    def test_virtual_size(self):
        expected = {'qcow2': SIZE, 'vmdk': SIZE, 'vhd': SIZE, 'vhdx': SIZE, 'vdi': SIZE, 'iso': 204800, 'gpt': MIB,
                    'luks': 2 * MIB, 'ploop': SIZE, 'raw': MIB}
        for name, data in samples.every_format().items():
            self.assert_accepted(data, name, expected[name])
            if name != 'ploop':
                self.assert_accepted(data, 'raw', len(data))
        for label in ('ami', 'aki', 'ari'):
            self.assert_accepted(bytes(MIB), label, MIB)
        for label in ('ploop', 'other'):
            self.assert_accepted(bytes(MIB), label, None)

    def test_nothing(self):
        self.assertEqual('raw', self.assert_accepted(b'', 'raw', 0).detected)
        for label in STRICT:
            self.assertEqual('raw', self.assert_accepted(b'', label, 0).detected)

    def test_virtual_disks_declared_raw_warn(self):
        for name in VIRTUAL_DISKS:
            with self.assertLogs('glance.inspect', 'WARNING') as logs:
                inspect(samples.every_format()[name], 'raw')
            self.assertIn('declared as raw is %s' % name, logs.output[-1])

    def test_harmless_content_does_not_warn(self):
        for name in ('iso', 'gpt', 'raw'):
            with self.assertNoLogs('glance.inspect'):
                inspect(samples.every_format()[name], 'raw', raw_mismatch_policy='reject')

    def test_virtual_disks_declared_raw_are_refused_by_option(self):
        for name in VIRTUAL_DISKS:
            self.assert_refused(samples.every_format()[name], 'raw', 'raw declared, %s found' % name, 'mismatch',
                                raw_mismatch_policy='reject')
        self.assert_refused(samples.fixed_vhd(), 'raw', 'raw declared, vhd found', 'mismatch', raw_mismatch_policy='reject')

    def test_match_not_required(self):
        for name, data in samples.every_format().items():
            for label in STRICT:
                if name != label:
                    with self.assertLogs('glance.inspect', 'WARNING'):
                        self.assert_accepted(data, label, None, require_match=False)

    def test_several_formats_when_a_match_is_not_required(self):
        image = samples.iso(start=samples.qcow2(total=4096))
        with self.assertLogs('glance.inspect', 'WARNING'):
            self.assertIsNone(self.assert_accepted(image, 'qcow2', None, require_match=False).detected)
        bad = samples.iso(start=samples.qcow2(total=4096, backing=104))
        self.assert_refused(bad, 'iso', 'qcow2', 'backing_file', require_match=False)

    def test_largest_virtual_size(self):
        for name, data in samples.every_format().items():
            size = inspect(data, name).virtual_size or 0
            if name != 'raw':
                self.assert_accepted(data, name, size, max_virtual_size=size)
            self.assert_refused(data, name, name, 'virtual_size', max_virtual_size=size - 1)
        self.assert_refused(samples.qcow2(size=2 ** 63), 'raw', 'qcow2', 'virtual_size', max_virtual_size=2 ** 40)

    def test_polyglots(self):
        footer = samples.vhd_footer(2, MIB)
        for front, names in ((samples.qcow2(), 'qcow2 and vhd'), (samples.vdi(), 'vhd and vdi'),
                             (samples.vmdk(), 'vmdk and vhd'), (samples.luks(payload=1), 'vhd and luks')):
            image = front.ljust(MIB, b'\0')[:MIB] + footer
            for label in ('raw', 'vhd', names.partition(' ')[0]):
                with self.subTest(names, label=label), self.assertRaises(exceptions.InvalidImageData):
                    inspect(image, label)
            self.assert_refused(image, 'raw', names, 'multiple_formats')

    def test_text_of_an_image_is_never_told(self):
        for image in (samples.qcow2(backing=200, total=200) + b'SECRET', samples.descriptor(extents='RW 1 FLAT "SECRET"'),
                      samples.vmdk(samples.descriptor(extents='RW 1 FLAT "/SECRET"')), b'http://SECRET/'):
            with self.assertRaises(exceptions.InvalidImageData) as caught:
                inspect(image)
            self.assertNotIn('SECRET', str(caught.exception))
