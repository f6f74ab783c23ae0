"""The bytes of an image on their way: counted, hashed, and held back at the end until they are known to be right."""
import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import NoReturn

from glance.replication.errors import DataDiffers
from glance.replication.image import Image


class Check:
    """Compares bytes with what the record of an image says of them: size and, where it has one, hash."""

    def __init__(self, image: Image):
        self._image, self._size = image, 0
        self._expected_size: int | None = image.get('size')
        self._algorithm, self._expected = image.get('os_hash_algo'), image.get('os_hash_value')
        if not self._expected or self._algorithm not in hashlib.algorithms_available:
            self._algorithm, self._expected = 'md5', image.get('checksum')
        self._hash = hashlib.new(self._algorithm, usedforsecurity=False) if self._expected else None

    def update(self, chunk: bytes) -> None:
        """Take note of the next bytes. Raises DataDiffers when they are too many."""
        self._size += len(chunk)
        if self._expected_size is not None and self._size > self._expected_size:
            self._refuse_size('more than %d' % self._expected_size)
        if self._hash is not None:
            self._hash.update(chunk)

    def finish(self) -> None:
        """Raise DataDiffers unless the bytes are those of the record."""
        if self._expected_size not in (None, self._size):
            self._refuse_size(str(self._size))
        if self._hash is not None and self._hash.hexdigest() != self._expected:
            raise DataDiffers('The data of image %s is damaged: its %s hash is not that of the record.'
                              % (self._image['id'], self._algorithm))

    def _refuse_size(self, found: str) -> NoReturn:
        raise DataDiffers('There are %s bytes of data of image %s; its record says %d.'
                          % (found, self._image['id'], self._expected_size))


def verified(image: Image, chunks: Iterable[bytes], tell: Callable[[int], None]) -> Iterator[bytes]:
    """Pass the bytes on, the last of them only when all are right; ``tell`` is given the number of bytes so far.

    A service never gets the whole of an image that is damaged. Raises DataDiffers.
    """
    check, held, count = Check(image), None, 0
    for chunk in chunks:
        check.update(chunk)
        if held is not None:
            yield held
        count += len(chunk)
        tell(count)
        held = chunk
    check.finish()
    if held is not None:
        yield held
