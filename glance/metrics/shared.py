"""Numbers that the processes of a service keep in common: each writes a file of its own, everybody may read all of them."""
import fcntl
import json
import mmap
import os
import struct
import threading
from collections.abc import Iterable

from glance import exceptions

Key = tuple[str, ...]
"""The name of a number and the values of its labels."""

_SIZE = 1 << 20
"""Bytes of a file, all allocated at once: a full disk is met when a process starts, not when it counts."""
_LENGTH, _NUMBER = struct.Struct('=q'), struct.Struct('=d')
_WORD = 8


class SharedValues:
    """The numbers of this process.

    A process takes the first file that no living process holds, and goes on counting where its former holder stopped. So
    counts never go back, there are no more files than there were processes at a time, and the kernel gives a file free
    however its process ends.

    :param folder: where the processes of one service, and of no other, keep their files
    :param momentary: names of numbers that describe the process as it is now: they start at 0, and are read from living
        processes only
    :raises ConfigurationError: the folder cannot be used
    """

    def __init__(self, folder: str, momentary: frozenset[str]):
        try:
            self._fd = _claim(folder)
            os.posix_fallocate(self._fd, 0, _SIZE)
            self._memory = mmap.mmap(self._fd, _SIZE)
        except OSError as error:
            raise exceptions.ConfigurationError('[metrics] directory: %s cannot be used: %s.'
                                                % (folder, error.strerror)) from None
        self._numbers = memoryview(self._memory).cast('d')
        self._lock = threading.Lock()
        self._closed = False
        self._places = {key: place // _WORD for key, place in _entries(self._memory)}
        self._end = _end(self._memory)
        for key, place in self._places.items():
            if key[0] in momentary:
                self._numbers[place] = 0

    def add(self, changes: Iterable[tuple[Key, float]]) -> None:
        """Add to numbers, which begin at 0."""
        numbers, places = self._numbers, self._places
        with self._lock:
            if self._closed:  # by a process that ends, while a last request still runs
                return
            for key, amount in changes:
                place = places.get(key) or self._new(key)
                if place:
                    numbers[place] += amount

    def close(self) -> None:
        """Give the file to whoever comes next; what is added from now on is lost."""
        with self._lock:
            self._closed = True
            self._numbers.release()
            self._memory.close()
        os.close(self._fd)

    def _new(self, key: Key) -> int | None:
        """Append a number; return its place in words, None when the file is full."""
        text = json.dumps(key).encode()
        text += b' ' * (-len(text) % _WORD)
        place = self._end + _LENGTH.size + len(text)
        if place + _WORD > _SIZE:
            return None
        self._memory[self._end:place + _WORD] = _LENGTH.pack(len(text)) + text + _NUMBER.pack(0)
        self._end = place + _WORD
        self._memory[:_WORD] = _LENGTH.pack(self._end)
        self._places[key] = place // _WORD
        return self._places[key]


def read(folder: str, momentary: frozenset[str]) -> tuple[dict[Key, float], int]:
    """Return the sums of the numbers of all processes, and how many processes live."""
    sums: dict[Key, float] = {}
    alive = 0
    for name in sorted(os.listdir(folder)):
        if not name.isdecimal():
            continue
        with open(os.path.join(folder, name), 'rb') as file:
            content = file.read()
            lives = not _lock(file.fileno(), fcntl.LOCK_SH)
        alive += lives
        for key, place in _entries(content):
            if lives or key[0] not in momentary:
                sums[key] = sums.get(key, 0.0) + _NUMBER.unpack_from(content, place)[0]
    return sums, alive


def _claim(folder: str) -> int:
    """Open and lock the first file that is free."""
    os.makedirs(folder, mode=0o750, exist_ok=True)
    number = 0
    while True:
        fd = os.open(os.path.join(folder, str(number)), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
        if _lock(fd, fcntl.LOCK_EX):
            return fd
        os.close(fd)
        number += 1


def _lock(fd: int, kind: int) -> bool:
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False


def _end(content: bytes | mmap.mmap) -> int:
    """Where the last entry ends; the first one begins behind this word."""
    return max(_LENGTH.unpack_from(content)[0], _WORD) if len(content) >= _WORD else _WORD


def _entries(content: bytes | mmap.mmap) -> Iterable[tuple[Key, int]]:
    """The keys and the places of their numbers."""
    place, end = _WORD, _end(content)
    while place < end:
        length = _LENGTH.unpack_from(content, place)[0]
        text = content[place + _WORD:place + _WORD + length]
        place += _WORD + length
        yield tuple(json.loads(text)), place
        place += _WORD
