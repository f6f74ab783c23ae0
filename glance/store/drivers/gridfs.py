"""Images as files of GridFS, in a database of MongoDB. The ``_id`` of a file is the id of its image.

Atomic: the document of the file is written last, and without it there is no object. Of several writers of one image
one wins: its first chunk, or for an empty image the document of the file, is unique. Durable: every write waits for the
journals of a majority of the servers. Integrity: chunks are counted and measured when they are read. Ranges: yes.
Holes: zeros are stored. Memory: four chunks of 1 MiB for each upload, one answer of the server (16 MiB) for each
download.
"""
import contextlib
import datetime
import logging
import re
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import gridfs
import pymongo
from bson import Binary, ObjectId
from gridfs import errors as gridfs_errors
from pymongo import errors as mongo_errors
from pymongo import uri_parser

from glance import exceptions
from glance.store import location as locations
from glance.store.base import Capability, Location, Reader, StoredObject, Writer

LOG = logging.getLogger(__name__)

CHUNK = 1024 * 1024
"""Bytes in a chunk of what is written, but the last; far below the 16 MiB that a document may have."""
_CHUNKS_AT_ONCE = 4
_NAME = re.compile(r'[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}')

_DUPLICATE = 11000
_FULL = (14031, 12501)
"""OutOfDiskSpace, and the quota of hosted databases."""
_DENIED = 13
"""Unauthorized. Credentials that are refused altogether make the store unavailable instead."""


class GridfsStore:
    """A ``store.base.Store`` of one database.

    :param database: its name
    :param options: the options of the store as attributes
    """

    schemes = ('gridfs',)
    capabilities = Capability.READ_RANDOM | Capability.WRITE
    url_prefixes = ('gridfs://',)

    def __init__(self, name: str | None, database: str, options):
        self.name = name
        self.details: dict[str, Any] = {'database': database}
        self._database_name, self._options = database, options
        self._lock = threading.Lock()
        self._client: Any = None
        self._indexed = False
        self._alive: set[str] = set()

    @classmethod
    def from_options(cls, options, name: str | None) -> 'GridfsStore':
        """The store that a configuration section describes; asks no name server. Raises ConfigurationError."""
        uri = options.mongodb_store_uri
        if not uri:
            raise exceptions.ConfigurationError('[%s] mongodb_store_uri is not set; stores of type gridfs need it.'
                                                % options.section)
        database = options.mongodb_store_db or _database_of(uri, options.section)
        if not database:
            raise exceptions.ConfigurationError(
                '[%s] mongodb_store_uri names no database; append one (mongodb://host:27017/glance), or set '
                'mongodb_store_db.' % options.section)
        if re.search(r'[/\\. "$\x00]', database):
            raise exceptions.ConfigurationError('[%s] mongodb_store_db = %s cannot be the name of a database.'
                                                % (options.section, database))
        return cls(name, database, options)

    def writer(self, image_id: str, size: int | None = None, attempt: str | None = None) -> 'GridfsWriter':
        """See ``Store.writer``. Raises Invalid for an id that is no UUID."""
        attempt = str(uuid.uuid4()) if attempt is None else attempt
        for name in (image_id, attempt):
            if not _NAME.fullmatch(name):
                raise exceptions.Invalid('%r is no UUID, and only these are names of images in a GridFS store' % name)
        with self.errors(exceptions.StoreWriteDenied):
            if self.files.find_one({'_id': image_id}, {'_id': 1}):
                raise exceptions.ObjectExists()
        return GridfsWriter(self, image_id, attempt)

    def open(self, location: Location, offset: int = 0, length: int | None = None) -> 'GridfsReader':
        image_id = _parse(location)
        if min(offset, length or 0) < 0:
            raise exceptions.Invalid('An image has no bytes before its first one')
        with self.errors():
            file = gridfs.GridFSBucket(self._database).open_download_stream(image_id)
            length = file.length - offset if length is None else length
            if offset + length > file.length or length < 0:
                raise exceptions.Invalid('The image has %d bytes; %d bytes from %d are not in it'
                                         % (file.length, length, offset))
            return GridfsReader(self, file, offset, length)

    def size(self, location: Location) -> int:
        with self.errors():
            return self._file(_parse(location))['length']

    def delete(self, location: Location) -> None:
        image_id = _parse(location)
        with self.errors():
            self._remove(image_id, self._file(image_id))

    def discard(self, image_id: str, attempt: str | None = None, committed: bool = False) -> int:
        with self.errors():
            file = self.files.find_one({'_id': image_id})
            freed = self._remove_leftovers(image_id, file, attempt)
            if committed and file and attempt in (None, _attempt_of(file)):
                freed += file['length']
                self._remove(image_id, file)
        return freed

    def sweep(self, older_than: float = 3600.0) -> list[str]:
        # The age of the newest chunk is all that tells dead writers of other hosts from living ones.
        swept, image_id = [], ''
        with self.errors():
            while found := self.chunks.find_one({'files_id': {'$gt': image_id}}, {'files_id': 1},
                                                sort=[('files_id', 1)]):
                image_id = found['files_id']
                file = self.files.find_one({'_id': image_id}, {'length': 1, 'metadata': 1})
                if file and file['length'] or not _NAME.fullmatch(image_id):
                    continue    # who has a file of some length had the first chunk, and so all of them
                newest = self.chunks.find_one({'files_id': image_id}, {'_id': 1}, sort=[('files_id', -1), ('n', -1)])
                if newest and _age(newest['_id'].generation_time) >= older_than \
                        and self._remove_leftovers(image_id, file, None):
                    swept.append(image_id)
        return swept

    def walk(self) -> Iterator[StoredObject]:
        with self.errors():
            for file in self.files.find({}, {'length': 1, 'uploadDate': 1}):
                if isinstance(file['_id'], str) and _NAME.fullmatch(file['_id']):
                    yield StoredObject(self.location(file['_id']), file['length'], _age(file['uploadDate']),
                                       file['_id'])

    def close(self) -> None:
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    # What writers and readers need of their store.

    @property
    def files(self) -> Any:
        """The collection with one document for each file."""
        return self._database['fs.files']

    @property
    def chunks(self) -> Any:
        """The collection with the data."""
        return self._database['fs.chunks']

    def location(self, image_id: str) -> Location:
        """Where an image is."""
        return Location('gridfs://' + image_id, {'store': self.name} if self.name else {})

    def begin(self, attempt: str) -> None:
        """Note that an attempt lives, and make sure of the index that lets only one writer of an image go on."""
        self._alive.add(attempt)
        if not self._indexed:
            self.chunks.create_index([('files_id', 1), ('n', 1)], unique=True)
            self._indexed = True

    def end(self, attempt: str) -> None:
        """Note that nothing more is written by an attempt."""
        self._alive.discard(attempt)

    @contextlib.contextmanager
    def errors(self, denied: type[exceptions.StoreError] = exceptions.StoreForbidden) -> Iterator[None]:
        """Raise what the interface of stores promises instead of errors of the library, whose texts hold addresses.

        :param denied: what to raise where the server refuses
        """
        try:
            yield
        except gridfs_errors.NoFile:
            raise exceptions.ObjectNotFound() from None
        except gridfs_errors.CorruptGridFile as error:
            LOG.error('%s: chunks of a file are missing or have a wrong length', self.title)
            raise exceptions.StoreError() from error
        except mongo_errors.PyMongoError as error:
            code = _code_of(error)
            if code == _DUPLICATE:
                raise exceptions.ObjectExists() from None
            LOG.error('%s failed: %s, code %s', self.title, type(error).__name__, code)
            if code in _FULL:
                raise exceptions.StoreFull() from error
            raise (denied if code == _DENIED else exceptions.StoreUnavailable)() from error

    @property
    def title(self) -> str:
        return 'Store %s' % self.name if self.name else 'The GridFS store'

    @property
    def _database(self) -> Any:
        """The database, connected to when it is first needed: a process that forks must not share the connection."""
        options = self._options
        with self._lock:
            if self._client is None:
                self._client = pymongo.MongoClient(
                    options.mongodb_store_uri, connect=False,
                    serverSelectionTimeoutMS=options.store_connect_timeout * 1000,
                    connectTimeoutMS=options.store_connect_timeout * 1000,
                    socketTimeoutMS=options.store_idle_timeout * 1000)
            client = self._client
        # What was just written must be found, so nothing is read from servers that lag behind.
        return client.get_database(
            self._database_name, read_preference=pymongo.ReadPreference.PRIMARY,
            write_concern=pymongo.WriteConcern('majority', wtimeout=options.store_idle_timeout * 1000, j=True))

    def _file(self, image_id: str) -> dict[str, Any]:
        file = self.files.find_one({'_id': image_id}, {'length': 1, 'metadata': 1})
        if file is None:
            raise exceptions.ObjectNotFound()
        return file

    def _remove(self, image_id: str, file: dict[str, Any]) -> None:
        """Remove a file: first its document, then its chunks, and not those of whoever writes the image again."""
        self.files.delete_one({'_id': image_id, 'metadata.attempt': _attempt_of(file)})
        self.chunks.delete_many({'files_id': image_id, 'attempt': _attempt_of(file)})

    def _remove_leftovers(self, image_id: str, file: dict[str, Any] | None, attempt: str | None) -> int:
        """Remove chunks of an image that no file has; return about how many bytes these were."""
        spared = [*self._alive, _attempt_of(file)] if file else [*self._alive]
        if attempt is not None and attempt in spared:
            return 0
        wanted = {'$nin': spared} if attempt is None else attempt
        return self.chunks.delete_many({'files_id': image_id, 'attempt': wanted}).deleted_count * CHUNK


class GridfsWriter(Writer):
    """A ``store.base.Writer``. Its chunks carry the attempt, so that nobody removes those of another."""

    def __init__(self, store: GridfsStore, image_id: str, attempt: str):
        self._store, self._image_id, self._attempt = store, image_id, attempt
        self._buffer = bytearray()
        self._chunks = self._length = 0
        self._ended = False

    def write(self, data: memoryview) -> None:
        while data:
            room = _CHUNKS_AT_ONCE * CHUNK - len(self._buffer)
            self._buffer += data[:room]
            self._length += len(data[:room])
            data = data[room:]
            if len(self._buffer) == _CHUNKS_AT_ONCE * CHUNK:
                self._send()

    def commit(self) -> Location:
        if self._buffer:
            self._send()
        with self._store.errors(exceptions.StoreWriteDenied):
            if self._length and not self._store.chunks.find_one(
                    {'files_id': self._image_id, 'n': 0, 'attempt': self._attempt}, {'_id': 1}):
                raise exceptions.StoreError('The data of the image was removed while it was written.')
            self._store.files.insert_one({
                '_id': self._image_id, 'filename': self._image_id, 'length': self._length, 'chunkSize': CHUNK,
                'uploadDate': datetime.datetime.now(datetime.UTC), 'metadata': {'attempt': self._attempt}})
        self._end()
        return self._store.location(self._image_id)

    def abort(self) -> None:
        if self._ended:
            return
        try:
            with self._store.errors():
                # The document may be there although the answer to its insertion was lost.
                self._store.files.delete_one({'_id': self._image_id, 'metadata.attempt': self._attempt})
                self._store.chunks.delete_many({'files_id': self._image_id, 'attempt': self._attempt})
        except exceptions.StoreError as error:
            LOG.error('%s: chunks of image %s are left behind, to be swept later: %s', self._store.title,
                      self._image_id, error)
        self._end()

    def _send(self) -> None:
        content = memoryview(self._buffer)
        documents = []
        for start in range(0, len(content), CHUNK):
            documents.append({'_id': ObjectId(), 'files_id': self._image_id, 'n': self._chunks + len(documents),
                              'data': Binary(bytes(content[start:start + CHUNK])), 'attempt': self._attempt})
        with self._store.errors(exceptions.StoreWriteDenied):
            self._store.begin(self._attempt)
            self._store.chunks.insert_many(documents)
        self._chunks += len(documents)
        self._buffer = bytearray()

    def _end(self) -> None:
        self._ended = True
        self._buffer = bytearray()
        self._store.end(self._attempt)


class GridfsReader(Reader):
    """A ``store.base.Reader``; the library counts and measures the chunks."""

    def __init__(self, store: GridfsStore, file: Any, offset: int, length: int):
        self.offset, self.length = offset, length
        self._store, self._file, self._left = store, file, length
        file.seek(offset)

    def readinto(self, buffer: memoryview) -> int:
        wanted = min(len(buffer), self._left, CHUNK)
        if not wanted:
            return 0
        with self._store.errors():
            content = self._file.read(wanted)
        if not content:
            raise exceptions.StoreError('The data of the image ends before its end.')
        buffer[:len(content)] = content
        self._left -= len(content)
        return len(content)

    def close(self) -> None:
        with self._store.errors():
            self._file.close()


def _database_of(uri: str, section: str) -> str | None:
    """The database that an address names. Raises ConfigurationError, without the address, for what is none."""
    scheme, _, rest = uri.partition('://')
    try:
        if scheme == 'mongodb+srv' and rest:    # the library would ask the name server, and a start waits for nobody
            return rest.partition('/')[2].partition('?')[0] or None
        return uri_parser.parse_uri(uri)['database']
    except (mongo_errors.PyMongoError, ValueError) as error:
        raise exceptions.ConfigurationError(
            '[%s] mongodb_store_uri is not of the form mongodb://user:password@host:27017/database; percent-encode '
            'what is special in user and password.' % section) from error


def _parse(location: Location) -> str:
    """The image of a location. Raises BadLocation for anything that cannot be one of a GridFS store."""
    url = locations.parse(location.url)
    if url.scheme.lower() != 'gridfs' or (url.userinfo, url.path, url.query) != (None, '', None) \
            or not _NAME.fullmatch(url.host):
        raise exceptions.BadLocation('The location is not one of a GridFS store')
    return url.host


def _attempt_of(file: dict[str, Any]) -> str | None:
    """The attempt that wrote a file; None for files of other programs."""
    return (file.get('metadata') or {}).get('attempt')


def _code_of(error: mongo_errors.PyMongoError) -> int | None:
    if isinstance(error, mongo_errors.BulkWriteError):
        refused = [*error.details.get('writeErrors', ()), *error.details.get('writeConcernErrors', ())]
        return refused[0].get('code') if refused else None
    return getattr(error, 'code', None)


def _age(moment: datetime.datetime) -> float:
    return (datetime.datetime.now(datetime.UTC) - moment.replace(tzinfo=datetime.UTC)).total_seconds()
