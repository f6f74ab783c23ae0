"""However a stream is cut, and whatever is in it: the same verdict, a refusal or none, and bounded memory."""
import bz2
import gzip
import io
import lzma
import os
import tracemalloc
from unittest import mock

import hypothesis
from hypothesis import strategies

from glance import exceptions
from glance.inspect import base
from glance.inspect.engine import Inspection
from glance.inspect.formats import catalog
from glance.inspect.rules import Rules
from glance.transfer import pipeline, sources
from tests.unit.inspect import samples
from tests.unit.inspect.samples import MIB, changed, inspect

SMALL = {
    'qcow2': samples.qcow2(extensions=samples.extension(1, b'abc')), 'qcow2 bad': samples.qcow2(backing=104),
    'vmdk': samples.stream_vmdk(), 'vmdk text': samples.descriptor(), 'vhd': samples.dynamic_vhd(),
    'vhd fixed': samples.fixed_vhd(samples.mbr(total=4096)), 'vhdx': samples.vhdx(), 'vdi': samples.vdi(),
    'iso': samples.iso(start=samples.mbr(samples.PROTECTIVE, total=512)), 'iso qcow2': samples.iso(start=samples.qcow2(total=4096)),
    'gpt': samples.mbr(samples.partition(), total=1024), 'gpt bad': samples.mbr(total=70_000),
    'luks': samples.luks(total=samples.MIB * 3), 'luks2': samples.luks2(), 'ploop': samples.ploop(), 'text': b'json:{',
    'dmg': b'koly'.ljust(512, b'\0'), 'nothing': b'', 'zeros': bytes(100_000)}
CONTAINERS = {
    'ova': samples.ova(), 'ovf': samples.ovf(), 'compressed gz': gzip.compress(samples.qcow2()) * 2,
    'compressed xz': lzma.compress(samples.vdi()), 'compressed bz2': bz2.compress(samples.vdi()),
    'docker': samples.qcow2(), 'ami': bytes(5000)}
LABELS = ('raw', 'qcow2', 'vmdk', 'vhd', 'iso', 'ami', 'ploop')
RULES = Rules(allow_luks2=True)


def verdict(blocks, disk_format, container_format, rules=RULES):
    """The outcome: why the data is refused, or the format that was found and its virtual size. Anything else is raised."""
    inspection = Inspection(disk_format, container_format, rules)
    try:
        for block in blocks:
            inspection.update(memoryview(block))
        inspection.finish()
    except exceptions.InvalidImageData as error:
        return str(error)
    return inspection.detected, inspection.virtual_size


def cut(data, lengths):
    """Data in blocks of the lengths, which are used again and again."""
    position, blocks = 0, []
    while position < len(data):
        for length in lengths:
            blocks.append(data[position:position + length])
            position += length
    return blocks


class SplittingTest(samples.QuietTestCase):
    lengths = strategies.lists(strategies.one_of(
        strategies.integers(1, 8), strategies.sampled_from((510, 511, 512, 513, 2048, 65536)), strategies.integers(1, 200_000)),
        min_size=1, max_size=8).filter(lambda lengths: sum(lengths) / len(lengths) > 500)

    @hypothesis.settings(max_examples=150, deadline=None)
    @hypothesis.given(strategies.sampled_from(sorted(SMALL)), strategies.sampled_from(LABELS), lengths)
    def test_disks(self, name, label, lengths):
        data = SMALL[name]
        self.assertEqual(verdict([data], label, 'bare'), verdict(cut(data, lengths), label, 'bare'))

    @hypothesis.settings(max_examples=100, deadline=None)
    @hypothesis.given(strategies.sampled_from(sorted(CONTAINERS)), strategies.sampled_from(LABELS), lengths,
                      strategies.sampled_from(('warn', 'reject')))
    def test_containers(self, name, label, lengths, policy):
        data, container = CONTAINERS[name], name.partition(' ')[0]
        rules = Rules(container_check_policy=policy)
        self.assertEqual(verdict([data], label, container, rules), verdict(cut(data, lengths), label, container, rules))

    def test_byte_by_byte(self):
        for name in ('qcow2', 'vmdk', 'vhd', 'vhd fixed', 'vdi', 'iso', 'gpt', 'gpt bad', 'text', 'dmg'):
            data = SMALL[name]
            for label in ('raw', name.partition(' ')[0]):
                self.assertEqual(verdict([data], label, 'bare'), verdict(cut(data, [1]), label, 'bare'))


class FuzzTest(samples.QuietTestCase):
    """What is told of mutated data is a refusal or a verdict; ``verdict`` lets everything else through."""
    mutations = strategies.lists(strategies.tuples(strategies.integers(0, 2 ** 32), strategies.one_of(
        strategies.binary(min_size=1, max_size=16),
        strategies.sampled_from((b'\xff' * 8, bytes(8), b'\x7f' + b'\xff' * 7, b'\0\0\0\1', b'\1\0\0\0')))), max_size=6)
    interesting = {
        'qcow2': (0, 160), 'vmdk': (0, 1024), 'vhd': (0, 1600), 'vhdx': (0x30000, 0x30060), 'vdi': (0, 512),
        'iso': (32768, 36864), 'gpt': (440, 520), 'luks': (0, 600), 'luks2': (0, 4300), 'ploop': (0, 64)}

    def check_fuzzed(self, name, mutations, length):
        data = SMALL[name]
        start, end = self.interesting[name]
        for offset, new in mutations:
            data = changed(data, start + offset % (end - start), new)[:len(data)]
        for label in ('raw', name):
            with mock.patch('glance.inspect.scan.LOG.exception', side_effect=AssertionError):
                self.assertTrue(verdict([data[:length]], label, 'bare'))

    @hypothesis.settings(max_examples=300, deadline=None)
    @hypothesis.given(strategies.sampled_from(sorted(interesting)), mutations,
                      strategies.one_of(strategies.none(), strategies.integers(0, 70_000)))
    def test_headers(self, name, mutations, length):
        self.check_fuzzed(name, mutations, length)

    @hypothesis.settings(max_examples=100, deadline=None)
    @hypothesis.given(mutations)
    def test_metadata_of_vhdx(self, mutations):
        data = SMALL['vhdx']
        for offset, new in mutations:
            data = changed(data, MIB + offset % 96, new)
        self.assertTrue(verdict([data], 'vhdx', 'bare'))

    @hypothesis.settings(max_examples=100, deadline=None)
    @hypothesis.given(strategies.text(strategies.sampled_from('RWSPARSE FLAT"/=\n\r#0 createType.parentCID\0é'), max_size=400))
    def test_descriptors(self, text):
        self.assertTrue(verdict([samples.vmdk(text.encode())], 'vmdk', 'bare'))
        self.assertTrue(verdict([text.encode()], 'raw', 'bare'))

    @hypothesis.settings(max_examples=100, deadline=None)
    @hypothesis.given(strategies.sampled_from(sorted(CONTAINERS)), mutations, strategies.integers(0, 200_000),
                      strategies.sampled_from(('warn', 'reject')))
    def test_containers(self, name, mutations, length, policy):
        data = CONTAINERS[name]
        for offset, new in mutations:
            data = changed(data, offset % 2048 % len(data), new)
        self.assertTrue(verdict([data[:length]], 'vmdk', name.partition(' ')[0], Rules(container_check_policy=policy)))

    @hypothesis.settings(max_examples=100, deadline=None)
    @hypothesis.given(strategies.binary(max_size=3000), strategies.sampled_from(('bare', 'ova', 'ovf', 'compressed', 'docker')))
    def test_noise(self, data, container):
        self.assertTrue(verdict([data], 'raw', container))


class BoundsTest(samples.QuietTestCase):

    def test_refused_before_two_mebibytes(self):
        """A wrong or unsafe upload need not be read to its end."""
        for data, label in ((bytes(MIB), 'qcow2'), (os.urandom(MIB), 'vhdx'), (bytes(MIB), 'iso'),
                            (samples.qcow2(backing=104), 'raw'), (samples.vhdx(flags=2), 'vhdx'), (samples.qcow2(), 'vhd'),
                            (samples.mbr(), 'raw')):
            inspection = Inspection(label, 'bare', Rules())
            with self.assertRaises(exceptions.InvalidImageData):
                for block in cut(data.ljust(2 * MIB, b'\0')[:2 * MIB], [65536]):
                    inspection.update(memoryview(block))

    def test_memory(self):
        text = samples.descriptor(more='\n#' + 'x' * 1_000_000)
        hostile = {'vmdk': samples.vmdk(text, sectors=2047, total=4 * MIB), 'qcow2': samples.qcow2(header_length=0x10000),
                   'vhdx': samples.vhdx(region_count=2047, item_count=2047), 'luks': samples.luks2(size=MIB),
                   'raw': b'#' * (4 * MIB)}
        blocks = {name: [memoryview(data)[offset:offset + 4096] for offset in range(0, len(data), 4096)]
                  for name, data in hostile.items()}
        for name in hostile:
            tracemalloc.start()
            verdict(blocks[name], name, 'bare')
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            self.assertLess(peak, 8 * MIB, name)

    def test_long_regions_are_not_given(self):
        class Greedy(base.Inspector):
            name = 'greedy'

            def examine(self):
                yield base.Region(0, base.MAX_REGION + 1)

        with mock.patch.object(catalog, 'ALL', (Greedy,)), self.assertLogs('glance.inspect', 'ERROR'):
            inspect(b'x', 'raw')


class PipelineTest(samples.QuietTestCase):
    """As a sink of the byte pipeline."""

    def copy(self, data, disk_format):
        inspection = Inspection(disk_format, 'bare', Rules())
        pipeline.copy(sources.WsgiSource(io.BytesIO(data)), None, algorithm='sha256', sinks=[inspection])
        return inspection

    def test_verdict(self):
        for padding in (0, 5 * MIB):
            self.assertEqual(samples.SIZE, self.copy(samples.qcow2() + bytes(padding), 'qcow2').virtual_size)

    def test_refusal(self):
        for padding in (0, 5 * MIB):
            with self.assertRaisesRegex(exceptions.InvalidImageData, 'qcow2: backing_file'):
                self.copy(samples.qcow2(backing=104) + bytes(padding), 'raw')


class FailingInspectorTest(samples.QuietTestCase):

    def inspect(self, matched, label, container='bare', **rules):
        class Failing(base.Inspector):
            name = 'qcow2'

            def examine(self):
                yield from self.read(0, 1)
                self.matched = matched
                raise ZeroDivisionError

        with (mock.patch.object(catalog, 'ALL', (Failing,)), mock.patch.object(catalog, 'VIRTUAL_DISKS', (Failing,)),
              self.assertLogs('glance.inspect', 'ERROR')):
            return inspect(b'xy', label, container, **rules)

    def test_of_another_format_is_dropped(self):
        self.assertEqual(2, self.inspect(None, 'raw').virtual_size)

    def test_of_the_declared_format_refuses(self):
        with self.assertRaisesRegex(exceptions.InvalidImageData, 'inspection failed'):
            self.inspect(None, 'qcow2')
        self.assertIsNone(self.inspect(None, 'qcow2', require_match=False).virtual_size)

    def test_of_a_format_that_matched_refuses(self):
        with self.assertRaisesRegex(exceptions.InvalidImageData, 'inspection failed'):
            self.inspect(True, 'raw', require_match=False)

    def test_in_a_container(self):
        self.assertIsNone(self.inspect(None, 'qcow2', 'docker').detected)
        with self.assertRaisesRegex(exceptions.InvalidImageData, 'inspection failed'):
            self.inspect(True, 'raw', 'docker', require_match=False)
