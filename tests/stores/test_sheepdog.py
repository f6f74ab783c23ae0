"""The Sheepdog driver against a substitute for the cluster and its command line client: tools/backends/sheepdog.sh."""
import contextlib
import functools
import os
import pathlib
import shutil
import signal
import tempfile
import unittest
import uuid
from unittest import mock

from glance import exceptions
from glance.store.base import Location
from glance.store.drivers import sheepdog as driver
from glance.store.drivers import sheepdog_program
from glance.store.drivers.sheepdog import SheepdogStore
from tests.harness.backend import shared_backend
from tests.harness.store_options import store_options
from tests.store_conformance.suite import MIB, StoreConformance, read_to_end


def make(program: str, chunk_size: int = MIB, **values) -> SheepdogStore:
    return SheepdogStore('sheep', program, store_options('sheepdog', **values), chunk_size)


class Cluster:
    """Mixin to a TestCase: a copy of the client in a folder of its own, with one empty cluster."""

    def setUp(self):
        self.bin = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.bin)
        self.program = str(self.bin / 'dog')
        shutil.copy(pathlib.Path(shared_backend('sheepdog')['SHEEPDOG_BIN']) / 'dog', self.program)
        self.cluster = self.bin / '127.0.0.1_7000'
        self.disks = self.cluster / 'disks'
        self.disks.mkdir(parents=True)
        self.factory = functools.partial(make, self.program)
        super().setUp()

    def pieces(self):
        return set(os.listdir(self.disks))


class Conformance(Cluster, StoreConformance, unittest.TestCase):
    pass


class Driver(Cluster, unittest.TestCase):

    def setUp(self):
        super().setUp()
        self.store = self.factory()
        self.image_id, self.attempt = str(uuid.uuid4()), str(uuid.uuid4())

    def write(self, content, store=None, size=None):
        writer = (store or self.store).writer(self.image_id, size, self.attempt)
        writer.write(memoryview(content))
        return writer

    def read(self, location, offset=0, length=None):
        with contextlib.closing(self.store.open(location, offset, length)) as reader:
            return read_to_end(reader)

    def before_each_call(self, script):
        """Run a script with the arguments of each call before it; its exit code, unless 0, is that of the call."""
        (self.cluster / 'before').write_text('#!/bin/sh\n%s\n' % script)
        (self.cluster / 'before').chmod(0o755)

    def after_that(self):
        (self.cluster / 'before').unlink()

    def calls_of(self, operation):
        """The arguments of each call of the client that an operation makes."""
        calls = self.cluster / 'calls'
        self.before_each_call('echo "$@" >> %s' % calls)
        operation()
        self.after_that()
        return calls.read_text().splitlines()

    def test_calls(self):
        content = os.urandom(MIB + 700)
        node = '-a 127.0.0.1 -p 7000'
        calls = self.calls_of(lambda: self.write(content, size=len(content)).commit())
        part = '%s.%s.1.part' % (self.image_id, self.attempt)
        self.assertEqual([
            f'vdi list -r {node} {self.image_id}',
            f'vdi create {node} {self.image_id}.lock 0',
            f'vdi list -r {node} {self.image_id}',
            f'vdi create {node} {part} 0',
            f'vdi create {node} {self.image_id} {len(content)}',
            f'vdi write {node} {self.image_id} 0 {MIB}',
            f'vdi write {node} {self.image_id} {MIB} 1024',
            f'vdi delete {node} {part}',
            f'vdi delete {node} {self.image_id}.lock'], calls)
        location = self.store.location(self.image_id)
        self.assertEqual(content[600:700], self.read(location, 600, 100))
        self.assertIn(f'vdi read {node} {self.image_id} 512 512',
                      self.calls_of(lambda: self.read(location, 600, 100)))

    def test_unknown_size_grows_with_the_chunks(self):
        content = os.urandom(2 * MIB + 1)
        calls = self.calls_of(lambda: self.write(content).commit())
        self.assertEqual([2 * MIB, 2 * MIB + 1], [int(call.split()[-1]) for call in calls if 'resize' in call])
        self.assertEqual(content, self.read(self.store.location(self.image_id)))

    def test_other_size_than_announced(self):
        writer = self.write(b'1234', size=10)
        with self.assertRaises(exceptions.SizeMismatch):
            writer.commit()
        writer.abort()
        self.assertEqual(set(), self.pieces())

    def test_second_writer_does_not_touch_the_disk_of_the_first(self):
        content = os.urandom(2 * MIB)
        second = self.factory().writer(self.image_id)
        first = self.write(content)
        with self.assertRaises(exceptions.ObjectExists):
            second.write(memoryview(bytes(2 * MIB)))
        second.abort()
        self.assertEqual(content, self.read(first.commit()))

    def test_leftovers_are_told_by_attempt_and_age(self):
        dead, living = self.store, self.factory()
        self.write(bytes(2 * MIB), dead)
        self.assertEqual(3, len(self.pieces()))
        self.assertEqual(0, living.discard(self.image_id, str(uuid.uuid4())))
        self.assertEqual((0, []), (dead.discard(self.image_id, self.attempt), dead.sweep(0)), 'it lives')
        self.assertEqual([], living.sweep(3600))
        self.assertEqual(3, len(self.pieces()))
        self.assertEqual(2 * MIB, living.discard(self.image_id, self.attempt))
        self.assertEqual(set(), self.pieces())

    def test_writer_shows_that_it_lives(self):
        with mock.patch.object(driver, '_SIGN_OF_LIFE', 0):
            writer = self.write(bytes(MIB))
            writer.write(memoryview(b'x'))
        self.assertEqual({self.image_id, self.image_id + '.lock', '%s.%s.3.part' % (self.image_id, self.attempt)},
                         self.pieces())
        self.assertEqual(bytes(MIB) + b'x', self.read(writer.commit()))
        self.assertEqual({self.image_id}, self.pieces())

    def test_crash_between_the_steps_of_a_commit(self):
        """Without its part a lock says nothing about the disk: that stays, be it of the writer or of another."""
        location = self.write(b'content').commit()
        self.store.client.run('create', self.image_id + '.lock', '0')
        self.assertEqual([], list(self.store.walk()))
        self.assertEqual([self.image_id], self.store.sweep(0))
        self.assertEqual(b'content', self.read(location))
        self.store.client.run('create', self.image_id + '.lock', '0')
        self.assertEqual(0, self.store.discard(self.image_id))
        self.assertEqual([location], [found.location for found in self.store.walk()])
        self.assertEqual(7, self.store.discard(self.image_id, committed=True))
        self.assertEqual(set(), self.pieces())

    def test_exit_codes(self):
        location = self.write(b'content').commit()
        for code, error in ((1, exceptions.StoreUnavailable), (2, exceptions.StoreUnavailable), (5, exceptions.ObjectNotFound),
                            (4, exceptions.StoreFull), (3, exceptions.ObjectExists), (64, exceptions.StoreError)):
            self.before_each_call('[ $2 = list ] || { echo no good >&2; exit %d; }' % code)
            for operation in (lambda: self.read(location), lambda: self.store.delete(location)):
                with self.assertRaises(error) as raised:
                    operation()
                self.assertNotIn('no good', str(raised.exception))
            self.after_that()
        self.before_each_call('kill -9 $PPID')
        with self.assertRaises(exceptions.StoreUnavailable), self.assertLogs(sheepdog_program.LOG, 'ERROR') as logs:
            self.store.size(location)
        self.assertIn('ended with -%d' % signal.SIGKILL, logs.output[0])

    def test_full_cluster(self):
        (self.cluster / 'capacity').write_text(str(3 * MIB))
        for size in (None, 5 * MIB):
            with self.assertRaises(exceptions.StoreFull), self.assertLogs(sheepdog_program.LOG, 'ERROR'):
                writer = self.store.writer(self.image_id, size)
                self.addCleanup(writer.abort)
                writer.write(memoryview(bytes(5 * MIB)))
            writer.abort()
            self.assertEqual(set(), self.pieces())
        self.write(bytes(2 * MIB)).commit()

    def test_abort_when_the_cluster_is_away(self):
        writer = self.write(bytes(MIB))
        self.before_each_call('exit 2')
        with self.assertLogs('glance.store.drivers', 'ERROR'):
            writer.abort()
        self.after_that()
        self.assertEqual([self.image_id], self.store.sweep(0))
        self.assertEqual(set(), self.pieces())

    def test_hanging_client_is_killed(self):
        location = self.write(b'content').commit()
        store = make(self.program, store_idle_timeout=0.2)
        reader = store.open(location)
        self.addCleanup(reader.close)
        self.before_each_call('exec sleep 60 > /dev/null 2>&1')
        for operation in (lambda: store.size(location), lambda: reader.readinto(memoryview(bytearray(10)))):
            with self.assertRaises(exceptions.StoreUnavailable), self.assertLogs(sheepdog_program.LOG, 'ERROR'):
                operation()

    def test_disk_that_ends_early(self):
        location = self.write(bytes(MIB)).commit()
        reader = self.store.open(location)
        self.addCleanup(reader.close)
        os.truncate(self.disks / self.image_id, 1000)
        with self.assertRaises(exceptions.StoreError):
            while reader.readinto(memoryview(bytearray(MIB))):
                pass

    def test_reader_that_is_closed_early_leaves_no_process(self):
        reader = self.store.open(self.write(os.urandom(3 * MIB)).commit())
        reader.readinto(memoryview(bytearray(10)))
        process = reader._process._process
        reader.close()
        self.assertIsNotNone(process.returncode)

    def test_nobody_answers(self):
        store = make(self.program, sheepdog_store_port=7001)
        for operation in (lambda: store.writer(self.image_id), lambda: list(store.walk()), lambda: store.discard(self.image_id)):
            with self.assertRaises(exceptions.StoreUnavailable), self.assertLogs(sheepdog_program.LOG, 'ERROR'):
                operation()

    def test_names_with_blanks_and_snapshots_in_the_list(self):
        (self.bin / 'dog').write_text(
            "#!/bin/sh\nprintf 's %s 1 9 9 0 1700000000 1 3 first\\n= a\\\\ b\\\\\\\\ 0 5 0 0 1700000000 2 3 \\n"
            "c %s 0 7 0 0 1700000001 3 3 \\n'" % (self.image_id, self.image_id))
        self.assertEqual([('a b\\', 5, 1.7e9), (self.image_id, 7, 1.700000001e9)], self.store.client.list())
        self.assertEqual(7, self.store.size(self.store.location(self.image_id)))


class Locations(Cluster, unittest.TestCase):

    def setUp(self):
        super().setUp()
        self.store = self.factory()
        self.image_id = str(uuid.uuid4())
        started = mock.patch.object(sheepdog_program, 'Process', side_effect=OSError)
        self.started = started.start()
        self.addCleanup(started.stop)

    def command_for(self, url):
        """The command with which the client would be asked for the size."""
        with self.assertRaises(exceptions.StoreUnavailable), self.assertLogs(sheepdog_program.LOG, 'ERROR'):
            self.store.size(Location(url))
        return self.started.call_args.args[0]

    def test_forms(self):
        for place, node in (('', ('127.0.0.1', '7000')), ('10.0.0.1:7001:', ('10.0.0.1', '7001')),
                            ('node-1.example.com:1:', ('node-1.example.com', '1')), ('::1:7000:', ('::1', '7000'))):
            self.assertEqual([self.program, 'vdi', 'list', '-r', '-a', node[0], '-p', node[1], self.image_id],
                             self.command_for('sheepdog://%s%s' % (place, self.image_id)))

    def test_what_a_shell_would_understand(self):
        hostile = (';id', '$(id)', '`id`', '|id', '&id', '&&id', '||id', '>x', '<x', "'", '"', '\\', '*', '?', '[a]', '{a,b}',
                   '~', '#', '!', ' ', '%0a', '%3bid', '$IFS', '$HOME', '--help', '-a', '../x', '/etc/passwd', 'a\tb', 'a\nb',
                   '\0', '@', ':', 'ä')
        for text in hostile:
            for form in ('%(bad)s', '127.0.0.1:7000:%(bad)s', '127.0.0.1:7000:%(id)s%(bad)s', '%(id)s%(bad)s',
                         '%(bad)s:7000:%(id)s', '127.0.0.1%(bad)s:7000:%(id)s', '127.0.0.1:%(bad)s:%(id)s',
                         '127.0.0.1:7000%(bad)s:%(id)s', '127.0.0.1:7000:%(bad)s%(id)s'):
                if text.startswith('-') and form.startswith('127.0.0.1%'):
                    continue    # a host name like others
                url = 'sheepdog://' + form % {'bad': text, 'id': self.image_id}
                for operation in (self.store.open, self.store.size, self.store.delete):
                    with self.assertRaises(exceptions.BadLocation, msg=url):
                        operation(Location(url))
        self.started.assert_not_called()

    def test_ports_and_names(self):
        for place in ('127.0.0.1:0:', '127.0.0.1:65536:', '127.0.0.1:07000:', '-a:7000:', 'a..b:7000:', '127.0.0.1::'):
            with self.assertRaises(exceptions.BadLocation, msg=place):
                self.store.size(Location('sheepdog://%s%s' % (place, self.image_id)))
        for name in ('--help', 'x', self.image_id.upper(), self.image_id + '\n'):
            with self.assertRaises(exceptions.Invalid):
                self.store.writer(name)
        self.started.assert_not_called()


class Options(Cluster, unittest.TestCase):

    def test_program(self):
        with mock.patch.dict(os.environ, {'PATH': str(self.bin)}):
            store = SheepdogStore.from_options(store_options('sheepdog'), None)
            self.assertEqual({'cluster_address': '127.0.0.1:7000', 'chunk_size': 64 * MIB}, store.details)
            self.assertEqual(self.program, store.client.program)
            os.rename(self.program, self.bin / 'collie')
            self.assertEqual(str(self.bin / 'collie'), SheepdogStore.from_options(store_options('sheepdog'), None).client.program)
            (self.bin / 'collie').write_text('#!/bin/sh\nexit 1\n')
            with self.assertRaisesRegex(exceptions.ConfigurationError, r'\[sheepdog\] The program .* cannot be run'):
                SheepdogStore.from_options(store_options('sheepdog'), None)
            os.unlink(self.bin / 'collie')
            with self.assertRaisesRegex(exceptions.ConfigurationError, r'\[sheepdog\] .* need the program dog, or collie'):
                SheepdogStore.from_options(store_options('sheepdog'), None)

    def test_address(self):
        with mock.patch.dict(os.environ, {'PATH': str(self.bin)}), \
                self.assertRaisesRegex(exceptions.ConfigurationError, 'sheepdog_store_address = -x'):
            SheepdogStore.from_options(store_options('sheepdog', sheepdog_store_address='-x'), None)
