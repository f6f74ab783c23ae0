"""Manifests of OVA archives: the digests of the other members. Source: DMTF DSP0243, chapter 5.1."""
import hashlib
import re
from typing import Any

MAX_SIZE = 64 * 1024
SMALL = 1024 * 1024
LINE = re.compile(r'(SHA1|SHA256|SHA512)[ \t]*\(([^()]{1,255})\)[ \t]*=[ \t]*([0-9A-Fa-f]{40,128})')


def parse(text: bytes) -> dict[str, tuple[str, str]] | None:
    """(algorithm as hashlib knows it, hexadecimal digest in lower case) by name of member; None when malformed."""
    entries: dict[str, tuple[str, str]] = {}
    for line in text.decode('ascii', 'replace').splitlines():
        if not line.strip():
            continue
        entry = LINE.fullmatch(line.strip())
        if not entry or entry[2] in entries:
            return None
        entries[entry[2]] = (entry[1].lower(), entry[3].lower())
    return entries


class Digests:
    """Digests members as they pass by and compares them with the manifest, which may come before or after them.

    As long as there is no manifest nobody knows which algorithm it will use: small members are digested with every one,
    large ones without SHA512, which is hardly ever used and then not checked.
    """

    _all = ('sha1', 'sha256', 'sha512')
    _fast = ('sha1', 'sha256')

    def __init__(self) -> None:
        self.expected: dict[str, tuple[str, str]] | None = None
        self._found: dict[str, dict[str, str]] = {}
        self._name = ''
        self._running: dict[str, Any] = {}

    def expect(self, expected: dict[str, tuple[str, str]]) -> None:
        """The manifest has been read."""
        self.expected = expected

    def open(self, name: str, size: int) -> None:
        """The next member begins."""
        self._name = name
        algorithms: tuple[str, ...] = self._all if size <= SMALL else self._fast
        if self.expected is not None:
            algorithms = (self.expected[name][0],) if name in self.expected else ()
        self._running = {algorithm: hashlib.new(algorithm, usedforsecurity=False) for algorithm in algorithms}

    def update(self, data: memoryview) -> None:
        for digest in self._running.values():
            digest.update(data)

    def close(self) -> None:
        """The member is over."""
        self._found[self._name] = {algorithm: digest.hexdigest() for algorithm, digest in self._running.items()}

    def agree(self) -> bool:
        """Whether every member that the manifest names is there and has its digest, as far as that was computed."""
        return all(
            name in self._found and self._found[name].get(algorithm, digest) == digest
            for name, (algorithm, digest) in (self.expected or {}).items())
