"""Images in a directory: ``<id>`` holds the record as JSON, ``<id>.img`` the data.

Files get their names when they are whole. Data that is still coming is in ``<id>.img.part``, and kept when a run is
interrupted, so that the next one goes on with it.
"""
import contextlib
import errno
import fcntl
import json
import os
import pathlib
from collections.abc import Callable, Iterator
from typing import BinaryIO

from glance.replication.data import Check
from glance.replication.errors import DataDiffers, ImageFailed, ReplicationFailed
from glance.replication.http import MAX_JSON_BYTES
from glance.replication.image import Image, from_v1, is_image_id, portable
from glance.replication.service import Service


class Dump:
    """A directory of images. Several runs may work on it at once."""

    def __init__(self, directory: str):
        self._directory = pathlib.Path(directory)

    def create(self) -> None:
        """Make the directory where it is missing. Raises ReplicationFailed."""
        try:
            self._directory.mkdir(mode=0o750, parents=True, exist_ok=True)
        except OSError as error:
            raise ReplicationFailed('The directory %s cannot be made: %s' % (self._directory, error.strerror)) from error

    def ids(self) -> list[str]:
        """The images with a record, in the order of their ids. Raises ReplicationFailed."""
        try:
            return sorted(entry.name for entry in os.scandir(self._directory) if is_image_id(entry.name) and entry.is_file())
        except OSError as error:
            raise ReplicationFailed('The directory %s cannot be read: %s' % (self._directory, error.strerror)) from error

    def has_record(self, image_id: str) -> bool:
        """Whether the record is there."""
        return self._record(image_id).exists()

    def has_data(self, image_id: str) -> bool:
        """Whether the data is there, whole."""
        return self._data(image_id).exists()

    def read_record(self, image_id: str) -> Image:
        """The record, also of a dump that an old release made. Raises ImageFailed."""
        path = self._record(image_id)
        try:
            with path.open('rb') as file:
                image = json.loads(file.read(MAX_JSON_BYTES))
        except (OSError, ValueError) as error:
            raise ImageFailed('The file %s does not hold the record of an image: %s' % (path, error)) from error
        if not isinstance(image, dict) or str(image.get('id')).lower() != image_id.lower():
            raise ImageFailed('The file %s does not hold the record of image %s.' % (path, image_id))
        return from_v1(image)

    def write_record(self, image: Image) -> None:
        """Record the image. Raises ReplicationFailed."""
        path = self._record(image['id'])
        temporary = path.with_name('.%s.%d' % (path.name, os.getpid()))
        with _told(path):
            try:
                with _created(temporary) as file:
                    file.write(json.dumps(portable(image), indent=1, sort_keys=True).encode() + b'\n')
                    _persist(file)
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)

    def read_data(self, image_id: str, chunk_size: int) -> Iterator[bytes]:
        """The data in pieces. Raises ReplicationFailed."""
        path = self._data(image_id)
        with _told(path), path.open('rb') as file:
            while chunk := file.read(chunk_size):
                yield chunk

    def fetch(self, service: Service, image: Image, chunk_size: int, tell: Callable[[int], None]) -> None:
        """Bring the data of an image here, going on where an earlier run was interrupted.

        Raises DataDiffers, and forgets what came, when it is not what the record says.
        """
        path = self._data(image['id'])
        partial = path.with_name(path.name + '.part')
        with _told(path), open(partial, 'ab+', opener=_private) as file:
            _lock(file, partial, image['id'])
            try:
                _complete(file, service, image, chunk_size, tell)
            except DataDiffers:
                partial.unlink()
                raise
            _persist(file)
            partial.replace(path)

    def _record(self, image_id: str) -> pathlib.Path:
        return self._directory / image_id

    def _data(self, image_id: str) -> pathlib.Path:
        return self._directory / (image_id + '.img')


def _complete(file: BinaryIO, service: Service, image: Image, chunk_size: int, tell: Callable[[int], None]) -> None:
    present = file.seek(0, os.SEEK_END)
    if image.get('size') and present > image['size']:
        file.truncate(present := 0)
    check = Check(image)
    if present < (image.get('size') or present + 1):
        with service.open(image, chunk_size, present) as (offset, chunks):
            file.truncate(offset)
            _take_note(file, check, chunk_size)
            for chunk in chunks:
                check.update(chunk)
                file.write(chunk)
                offset += len(chunk)
                tell(offset)
    else:
        _take_note(file, check, chunk_size)
    check.finish()


def _take_note(file: BinaryIO, check: Check, chunk_size: int) -> None:
    """Let the check see what is in the file already."""
    file.seek(0)
    while chunk := file.read(chunk_size):
        check.update(chunk)


def _lock(file: BinaryIO, path: pathlib.Path, image_id: str) -> None:
    """Keep other runs from writing to the file, which must still be there: whoever had it before may have finished."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_there = os.path.samestat(os.fstat(file.fileno()), path.stat())
    except (BlockingIOError, FileNotFoundError):
        is_there = False
    if not is_there:
        raise ImageFailed('Another run is fetching image %s into the same directory.' % image_id)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o640)


def _created(path: pathlib.Path) -> BinaryIO:
    return open(path, 'wb', opener=_private)


def _persist(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


@contextlib.contextmanager
def _told(path: pathlib.Path) -> Iterator[None]:
    """Turn errors of the file system into ours."""
    try:
        yield
    except OSError as error:
        hint = '; make room and run the command again' if error.errno in (errno.ENOSPC, errno.EDQUOT) else ''
        raise ReplicationFailed('The file %s: %s%s' % (path, error.strerror, hint)) from error
