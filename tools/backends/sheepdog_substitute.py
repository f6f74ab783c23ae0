#!/usr/bin/python3 -IS
"""A SUBSTITUTE for the command line client of Sheepdog, and for its cluster: each disk is a file.

    dog vdi list|create|resize|read|write|delete [-r] [-a ADDRESS] [-p PORT] [NAME [NUMBER [NUMBER]]]

The cluster of a node is the folder ADDRESS_PORT beside this program; a file "capacity" in it holds how many bytes fit, and
a program "before" in it is run first, with the arguments, and decides with its exit code whether anything is done.
"""
import fcntl
import os
import subprocess
import sys

FAILURE, UNREACHABLE, FULL, MISSING, USAGE = 1, 2, 4, 5, 64
SECTOR = 512


def fail(code, text):
    print(text, file=sys.stderr)
    sys.exit(code)


class Cluster:
    """The disks of the node at an address and port."""

    def __init__(self, address, port):
        self.folder = os.path.join(os.path.dirname(os.path.realpath(__file__)), '%s_%s' % (address, port))
        if not os.path.isdir(self.folder):
            fail(UNREACHABLE, 'failed to connect to %s:%s: Connection refused' % (address, port))
        before = os.path.join(self.folder, 'before')
        if os.path.exists(before) and (code := subprocess.call([before, *sys.argv[1:]])):
            sys.exit(code)
        self.disks = os.path.join(self.folder, 'disks')
        os.makedirs(self.disks, exist_ok=True)

    def lock(self):
        """Let others wait; readers and writers of data do not."""
        self.locked = open(os.path.join(self.folder, 'lock'), 'w')
        fcntl.flock(self.locked, fcntl.LOCK_EX)

    def path(self, name, must_exist=True):
        path = os.path.join(self.disks, name)
        if must_exist and not os.path.exists(path):
            fail(MISSING, 'Failed to open VDI %s (snapshot id: 0 snapshot tag: ): No VDI found' % name)
        return path

    def check_room(self, name, size):
        try:
            with open(os.path.join(self.folder, 'capacity')) as file:
                capacity = int(file.read())
        except FileNotFoundError:
            return
        if size + sum(os.stat(each.path).st_size for each in os.scandir(self.disks) if each.name != name) > capacity:
            fail(FULL, 'Failed to allocate: No space')

    def list(self, name=None):
        for found in sorted(os.listdir(self.disks)):
            if name in (None, found):
                about = os.stat(os.path.join(self.disks, found))
                print('= %s 0 %d %d 0 %d %x 1 ' % (found.replace('\\', '\\\\').replace(' ', '\\ '), about.st_size,
                                                  about.st_blocks * 512, int(self.created(found)), about.st_ino & 0xffffff))

    def created(self, name):
        with open(os.path.join(self.folder, 'created.' + name)) as file:
            return float(file.read())

    def create(self, name, size):
        path = self.path(name, must_exist=False)
        if os.path.exists(path):
            fail(FAILURE, 'Failed to create VDI %s: VDI exists already' % name)
        self.check_room(name, int(size))
        with open(os.path.join(self.folder, 'created.' + name), 'w') as file:
            import time
            file.write(str(time.time()))
        with open(path, 'w') as file:
            file.truncate(int(size))

    def resize(self, name, size):
        path = self.path(name)
        if int(size) < os.stat(path).st_size:
            fail(USAGE, 'Shrinking VDIs is not implemented')
        self.check_room(name, int(size))
        os.truncate(path, int(size))

    def delete(self, name):
        os.unlink(self.path(name))
        os.unlink(os.path.join(self.folder, 'created.' + name))

    def span(self, path, offset, length):
        """The span of a disk, which must begin and end with a sector, without what is beyond the end of the disk."""
        offset, length, size = int(offset), int(length), os.stat(path).st_size
        if offset % SECTOR or length % SECTOR:
            fail(USAGE, 'offset and length must be block-aligned')
        if offset > size:
            fail(FAILURE, 'offset is beyond the end of the VDI')
        return offset, min(length, size - offset)

    def read(self, name, offset, length):
        path = self.path(name)
        offset, length = self.span(path, offset, length)
        with open(path, 'rb') as file:
            file.seek(offset)
            while length and (block := file.read(min(length, 2 ** 20))):
                sys.stdout.buffer.write(block)
                length -= len(block)

    def write(self, name, offset, length):
        path = self.path(name)
        offset, length = self.span(path, offset, length)
        with open(path, 'r+b') as file:
            file.seek(offset)
            while length and (block := sys.stdin.buffer.read(min(length, 2 ** 20))):
                file.write(block)
                length -= len(block)


def main(arguments):
    if not arguments:
        print('Usage: dog <command> <subcommand> [options]')
        return
    if arguments[0] != 'vdi' or arguments[1] not in ('list', 'create', 'resize', 'delete', 'read', 'write'):
        fail(USAGE, 'invalid command')
    action, rest = arguments[1], arguments[2:]
    node, operands = {'-a': '127.0.0.1', '-p': '7000'}, []
    while rest:
        word = rest.pop(0)
        if word in node and rest:
            node[word] = rest.pop(0)
        elif word.startswith('-') and word != '-r':
            fail(USAGE, 'unknown option %s' % word)
        elif word != '-r':
            operands.append(word)
    cluster = Cluster(node['-a'], node['-p'])
    if action not in ('read', 'write'):
        cluster.lock()
    getattr(cluster, action)(*operands)


main(sys.argv[1:])
