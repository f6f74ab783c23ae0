"""Images as virtual disks (VDIs) of a Sheepdog cluster, each named by the id of its image.

Disks cannot be renamed, so an image that is being written is told by disks of no size beside it: ``<id>.lock``, which
only one writer can make, then ``<id>.<attempt>.<number>.part``, which says that the disk, if there is one, is his. Both
go when all is written.

Atomic: an image counts when it has no lock. Of several writers one wins. Durable: as the cluster says. Integrity: the
length of what is read. Ranges: yes. Holes: zeros are stored. Memory: one chunk (``sheepdog_store_chunk_size``) for each
upload, nothing for downloads.
"""
import ipaddress
import logging
import re
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any, NamedTuple

from glance import exceptions
from glance.store import location as locations
from glance.store.base import Capability, Location, Reader, StoredObject, Writer
from glance.store.drivers import sheepdog_program
from glance.store.drivers.sheepdog_program import Client, ReadingProcess, in_sectors

LOG = logging.getLogger(__name__)

MIB = 1024 * 1024
_UUID = r'[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}'
_NAME = re.compile(_UUID)
_LOCK = re.compile(r'(?P<image>%s)\.lock' % _UUID)
_PART = re.compile(r'(?P<image>%s)\.(?P<attempt>%s)\.[0-9]+\.part' % (_UUID, _UUID))
_PLACE = re.compile(r'(?:(?P<address>[^/?@]+):(?P<port>[1-9][0-9]{0,4}):)?(?P<image>%s)' % _UUID)
_HOST_NAME = re.compile(r'(?=.{1,253}\Z)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?'
                        r'(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*')
_SIGN_OF_LIFE = 300
"""Seconds after which a writer renews what shows its age."""


class _Leftover(NamedTuple):
    """What lies beside the disk of an image: the attempt that owns it, the names, and when the newest was made."""

    attempt: str | None
    names: list[str]
    touched: float


class SheepdogStore:
    """A ``store.base.Store`` of one cluster.

    :param program: the path of its command line client
    :param options: the options of the store as attributes
    :param chunk_size: bytes that one call of the client reads or writes
    """

    schemes = ('sheepdog',)
    capabilities = Capability.READ_RANDOM | Capability.WRITE

    def __init__(self, name: str | None, program: str, options, chunk_size: int):
        self.name, self.chunk_size = name, chunk_size
        self.client = Client(program, options.sheepdog_store_address, options.sheepdog_store_port,
                             options.store_idle_timeout, self.title)
        self.url_prefixes = ('sheepdog://%s:%d:' % (self.client.address, self.client.port),)
        self.details: dict[str, Any] = {
            'cluster_address': '%s:%d' % (self.client.address, self.client.port), 'chunk_size': chunk_size}
        self._lock = threading.Lock()
        self._alive: set[str] = set()

    @classmethod
    def from_options(cls, options, name: str | None) -> 'SheepdogStore':
        """The store that a configuration section describes. Raises ConfigurationError."""
        program = sheepdog_program.find()
        if program is None:
            raise exceptions.ConfigurationError('[%s] Stores of type sheepdog need the program dog, or collie, in '
                                                'PATH; install the client of Sheepdog.' % options.section)
        if not _is_host(options.sheepdog_store_address):
            raise exceptions.ConfigurationError('[%s] sheepdog_store_address = %s is neither the name of a host nor '
                                                'an address.' % (options.section, options.sheepdog_store_address))
        store = cls(name, program, options, options.sheepdog_store_chunk_size * MIB)
        if not store.client.probe():
            raise exceptions.ConfigurationError('[%s] The program %s of stores of type sheepdog cannot be run.'
                                                % (options.section, program))
        return store

    def writer(self, image_id: str, size: int | None = None, attempt: str | None = None) -> 'SheepdogWriter':
        """See ``Store.writer``. Raises Invalid for an id that is no UUID."""
        attempt = str(uuid.uuid4()) if attempt is None else attempt
        for name in (image_id, attempt):
            if not _NAME.fullmatch(name):
                raise exceptions.Invalid('%r is no UUID, and only these are names of images in a Sheepdog store' % name)
        if self.client.list(image_id):
            raise exceptions.ObjectExists()
        return SheepdogWriter(self, image_id, attempt, size)

    def open(self, location: Location, offset: int = 0, length: int | None = None) -> 'SheepdogReader':
        client, image_id = self._parse(location)
        if min(offset, length or 0) < 0:
            raise exceptions.Invalid('An image has no bytes before its first one')
        size = _size(client, image_id)
        length = size - offset if length is None else length
        if offset + length > size or length < 0:
            raise exceptions.Invalid('The image has %d bytes; %d bytes from %d are not in it' % (size, length, offset))
        return SheepdogReader(client, image_id, offset, length, self.chunk_size)

    def size(self, location: Location) -> int:
        return _size(*self._parse(location))

    def delete(self, location: Location) -> None:
        client, image_id = self._parse(location)
        _size(client, image_id)
        client.run('delete', image_id)

    def discard(self, image_id: str, attempt: str | None = None, committed: bool = False) -> int:
        disks, leftovers = self._survey()
        leftover = leftovers.get(image_id)
        if leftover:
            if leftover.attempt in self._living() or leftover.attempt and attempt not in (None, leftover.attempt):
                return 0
            self._remove_leftover(image_id, leftover, disks)
        elif not committed:
            return 0
        if committed and image_id in disks:
            self.remove(image_id)
        return disks[image_id].size if image_id in disks and (committed or leftover.attempt) else 0

    def sweep(self, older_than: float = 3600.0) -> list[str]:
        swept = []
        disks, leftovers = self._survey()
        for image_id, leftover in leftovers.items():
            # The age is all that tells dead writers of other hosts from living ones.
            if leftover.attempt not in self._living() and sheepdog_program.now() - leftover.touched >= older_than:
                self._remove_leftover(image_id, leftover, disks)
                swept.append(image_id)
        return swept

    def walk(self) -> Iterator[StoredObject]:
        disks, leftovers = self._survey()
        for image_id, disk in disks.items():
            if image_id not in leftovers:
                yield StoredObject(self.location(image_id), disk.size, sheepdog_program.now() - disk.created, image_id)

    def close(self) -> None:
        pass

    # What writers need of their store.

    @property
    def title(self) -> str:
        return 'Store %s' % self.name if self.name else 'The Sheepdog store'

    def location(self, image_id: str) -> Location:
        """Where an image is."""
        return Location(self.url_prefixes[0] + image_id, {'store': self.name} if self.name else {})

    def note(self, attempt: str, alive: bool) -> None:
        """Note whether something is written by an attempt."""
        with self._lock:
            (self._alive.add if alive else self._alive.discard)(attempt)

    def remove(self, name: str) -> None:
        """Remove a disk that may be missing."""
        try:
            self.client.run('delete', name)
        except exceptions.ObjectNotFound:
            pass

    def _living(self) -> set[str]:
        with self._lock:
            return set(self._alive)

    def _survey(self) -> tuple[dict[str, sheepdog_program.Vdi], dict[str, _Leftover]]:
        """The disks of images, and what lies beside them, both by the id of the image."""
        disks: dict[str, sheepdog_program.Vdi] = {}
        leftovers: dict[str, _Leftover] = {}
        for vdi in self.client.list():
            if _NAME.fullmatch(vdi.name):
                disks[vdi.name] = vdi
            elif found := _LOCK.fullmatch(vdi.name) or _PART.fullmatch(vdi.name):
                known = leftovers.get(found['image'], _Leftover(None, [], 0))
                names = [vdi.name, *known.names] if found.re is _PART else [*known.names, vdi.name]
                leftovers[found['image']] = _Leftover(found.groupdict().get('attempt') or known.attempt, names,
                                                      max(known.touched, vdi.created))
        return disks, leftovers

    def _remove_leftover(self, image_id: str, leftover: _Leftover, disks: dict[str, sheepdog_program.Vdi]) -> None:
        """Remove what a writer left, the lock last.

        Whoever has the lock and no part wrote nothing yet, or was done: the disk is not his to remove.
        """
        for name in [image_id] * (leftover.attempt is not None and image_id in disks) + leftover.names:
            self.remove(name)

    def _parse(self, location: Location) -> tuple[Client, str]:
        """The node and the image of a location; old ones have no node.

        :raises BadLocation: for anything that cannot be one of a Sheepdog store
        """
        url = locations.parse(location.url)
        found = _PLACE.fullmatch(location.url.partition('://')[2])
        if url.scheme.lower() != 'sheepdog' or not found:
            raise exceptions.BadLocation('The location is not one of a Sheepdog store')
        if found['address'] is None:
            return self.client, found['image']
        if not _is_host(found['address']) or int(found['port']) > 65535:
            raise exceptions.BadLocation('The location is not one of a Sheepdog store')
        client = Client(self.client.program, found['address'], int(found['port']), self.client.idle_timeout, self.title)
        return client, found['image']


class SheepdogWriter(Writer):
    """A ``store.base.Writer``. Nothing is done in the cluster before a chunk is full."""

    def __init__(self, store: SheepdogStore, image_id: str, attempt: str, size: int | None):
        self._store, self._image_id, self._attempt = store, image_id, attempt
        self._announced, self._size = size, size or 0
        self._buffer = bytearray()
        self._sent = 0
        self._made: list[str] = []      # what abort removes, the last first
        self._begun = self._ended = False
        self._beats, self._beaten = 0, 0.0

    def write(self, data: memoryview) -> None:
        while data:
            room = self._store.chunk_size - len(self._buffer)
            self._buffer += data[:room]
            data = data[room:]
            if len(self._buffer) == self._store.chunk_size:
                self._send()
        if self._begun and time.monotonic() - self._beaten > _SIGN_OF_LIFE:
            self._show_life()

    def commit(self) -> Location:
        if self._announced not in (None, self._sent + len(self._buffer)):
            raise exceptions.SizeMismatch(self._announced, self._sent + len(self._buffer))
        self._send()
        self._publish()
        self._end()
        return self._store.location(self._image_id)

    def abort(self) -> None:
        if self._ended:
            return
        try:
            while self._made:
                self._store.remove(self._made[-1])
                self._made.pop()
        except exceptions.StoreError as error:
            LOG.error('%s: pieces of image %s are left behind, to be swept later: %s', self._store.title,
                      self._image_id, error)
        self._end()

    def _begin(self) -> None:
        """Take the lock, then make the disk. Raises ObjectExists when there is one, or somebody else writes it."""
        client = self._store.client
        lock = self._image_id + '.lock'
        client.run('create', lock, '0')
        self._made.append(lock)
        if client.list(self._image_id):
            raise exceptions.ObjectExists()
        self._store.note(self._attempt, True)
        self._show_life()
        self._made.append(self._image_id)     # from here on nobody else makes one
        self._size = max(self._size, len(self._buffer))
        client.run('create', self._image_id, str(self._size))
        self._begun = True

    def _send(self) -> None:
        """Write the buffer at its place, after making the disk, or making it larger."""
        if not self._begun:
            self._begin()
        end = self._sent + len(self._buffer)
        if end > self._size:
            self._store.client.run('resize', self._image_id, str(end))
            self._size = end
        if self._buffer:
            with memoryview(self._buffer) as content:
                self._store.client.run('write', self._image_id, str(self._sent), str(in_sectors(len(content))),
                                       content=content)
        self._sent, self._buffer = end, bytearray()

    def _show_life(self) -> None:
        """Make a new part, then remove the one before: there always is one, and the newest tells the age."""
        before = self._part()
        self._beats += 1
        self._made.insert(1, self._part())
        self._store.client.run('create', self._part(), '0')
        if self._beats > 1:
            self._store.remove(before)
            self._made.remove(before)
        self._beaten = time.monotonic()

    def _part(self) -> str:
        return '%s.%s.%d.part' % (self._image_id, self._attempt, self._beats)

    def _publish(self) -> None:
        """Give up the ownership, then the lock: in between the image is complete, and nobody may remove it."""
        self._store.client.run('delete', self._part())
        self._made = self._made[:1]
        try:
            self._store.remove(self._made[0])
        except exceptions.StoreError as error:
            LOG.warning('%s: the lock of image %s, which is complete, is left to be swept later: %s', self._store.title,
                        self._image_id, error)

    def _end(self) -> None:
        self._ended = True
        self._buffer = bytearray()
        self._store.note(self._attempt, False)


class SheepdogReader(Reader):
    """A ``store.base.Reader``; one call of the client for each chunk."""

    def __init__(self, client: Client, image_id: str, offset: int, length: int, chunk_size: int):
        self.offset, self.length = offset, length
        self._client, self._image_id, self._chunk_size = client, image_id, chunk_size
        self._delivered = 0
        self._process: ReadingProcess | None = None

    def readinto(self, buffer: memoryview) -> int:
        while self._delivered < self.length:
            if self._process is None:
                self._process = ReadingProcess(self._client, self._image_id, self.offset + self._delivered,
                                               min(self._chunk_size, self.length - self._delivered))
            count = self._process.readinto(buffer)
            if count:
                self._delivered += count
                return count
            self.close()
        return 0

    def close(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.close()


def _size(client: Client, image_id: str) -> int:
    """The bytes of an image. Raises ObjectNotFound."""
    for vdi in client.list(image_id):
        return vdi.size
    raise exceptions.ObjectNotFound()


def _is_host(text: str) -> bool:
    """Whether a text is an address or the name of a host, and so no option of a program."""
    try:
        return bool(ipaddress.ip_address(text))
    except ValueError:
        return bool(_HOST_NAME.fullmatch(text))
