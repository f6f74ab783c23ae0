"""Files that qemu-img makes: what it says of them is what is found out."""
import json
import os
import shutil
import subprocess
import tempfile

from tests.unit.inspect.samples import MIB, InspectTestCase


class QemuImagesTest(InspectTestCase):

    def setUp(self):
        super().setUp()
        self.assertIsNotNone(shutil.which('qemu-img'), 'These tests need qemu-img (package qemu-utils).')
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def qemu(self, *arguments):
        return subprocess.run(('qemu-img', *arguments), cwd=self.folder, check=True, capture_output=True).stdout

    def create_encrypted(self, *arguments):
        """Create with a key; qemu-img now and then can't measure how fast it derives one and gives up."""
        for _ in range(20):
            try:
                return self.create(*arguments, '--object', 'secret,id=key,data=x')
            except subprocess.CalledProcessError as error:
                if b'accurate CPU usage' not in error.stderr:
                    raise
        self.fail('qemu-img could not derive a key.')

    def read(self, name):
        with open(os.path.join(self.folder, name), 'rb') as file:
            return file.read()

    def create(self, qemu_format, *arguments):
        self.qemu('create', '-f', qemu_format, *arguments, 'image', '3M')
        return self.read('image')

    def virtual_size(self, qemu_format):
        return json.loads(self.qemu('info', '-f', qemu_format, '--output', 'json', 'image'))['virtual-size']

    def converted(self, qemu_format, *arguments):
        with open(os.path.join(self.folder, 'source'), 'wb') as file:
            file.write(os.urandom(MIB) + bytes(2 * MIB))
        self.qemu('convert', '-f', 'raw', '-O', qemu_format, *arguments, 'source', 'image')
        return self.read('image')

    def test_accepted(self):
        for qemu_format, name, *arguments in (
                ('qcow2', 'qcow2', '-o', 'compat=0.10'), ('qcow2', 'qcow2', '-o', 'compat=1.1'),
                ('qcow2', 'qcow2', '-o', 'cluster_size=512'), ('qcow2', 'qcow2', '-o', 'cluster_size=2M'),
                ('qcow2', 'qcow2', '-o', 'lazy_refcounts=on'), ('vmdk', 'vmdk', '-o', 'subformat=monolithicSparse'),
                ('vmdk', 'vmdk', '-o', 'subformat=streamOptimized'), ('vpc', 'vhd', '-o', 'subformat=dynamic'),
                ('vpc', 'vhd', '-o', 'subformat=fixed'), ('vhdx', 'vhdx', '-o', 'subformat=dynamic'),
                ('vhdx', 'vhdx', '-o', 'subformat=fixed'), ('vdi', 'vdi'), ('vdi', 'vdi', '-o', 'static=on'),
                ('parallels', 'ploop'), ('raw', 'raw')):
            for make in (self.create, self.converted):
                with self.subTest(arguments, format=qemu_format, make=make.__name__):
                    data = make(qemu_format, *arguments)
                    size = len(data) if name == 'raw' else self.virtual_size(qemu_format)
                    self.assertEqual(name, self.assert_accepted(data, name, size).detected)

    def test_compressed_clusters(self):
        for compression in ('zlib', 'zstd'):
            data = self.converted('qcow2', '-c', '-o', 'compression_type=%s' % compression)
            self.assert_accepted(data, 'qcow2', 3 * MIB)

    def test_luks(self):
        data = self.create_encrypted('luks', '-o', 'key-secret=key,iter-time=10')
        self.assertEqual('luks', self.assert_accepted(data, 'luks', 3 * MIB).detected)
        data = self.create_encrypted('qcow2', '-o', 'encrypt.format=luks,encrypt.key-secret=key,encrypt.iter-time=10')
        self.assert_accepted(data, 'qcow2', 3 * MIB)

    def test_backing_files(self):
        self.create('raw')
        shutil.move(os.path.join(self.folder, 'image'), os.path.join(self.folder, 'base'))
        for compat in ('0.10', '1.1'):
            data = self.create('qcow2', '-b', 'base', '-F', 'raw', '-o', 'compat=%s' % compat)
            self.assert_refused_everywhere(data, 'qcow2', 'backing_file')

    def test_backing_file_of_vmdk(self):
        self.create('vmdk')
        shutil.move(os.path.join(self.folder, 'image'), os.path.join(self.folder, 'base'))
        self.qemu('create', '-f', 'vmdk', '-b', 'base', '-F', 'vmdk', 'image')
        self.assert_refused_everywhere(self.read('image'), 'vmdk', 'descriptor')

    def test_data_file(self):
        data = self.create('qcow2', '-o', 'data_file=data,data_file_raw=on')
        self.assert_refused_everywhere(data, 'qcow2', 'data_file')

    def test_extended_l2(self):
        data = self.create('qcow2', '-o', 'extended_l2=on,cluster_size=128k')
        self.assert_refused_everywhere(data, 'qcow2', 'unknown_features')
        self.assert_accepted(data, 'qcow2', 3 * MIB, qcow2_allow_extended_l2=True)

    def test_vmdk_of_several_files(self):
        for kind in ('monolithicFlat', 'twoGbMaxExtentSparse', 'twoGbMaxExtentFlat'):
            self.assert_refused_everywhere(self.create('vmdk', '-o', 'subformat=%s' % kind), 'vmdk', 'descriptor')

    def test_banned(self):
        self.assert_refused(self.create('qed'), 'raw', 'qed', 'banned')
        self.assert_refused(self.create('qcow'), 'qcow2', 'qcow', 'banned')
