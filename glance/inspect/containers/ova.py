"""OVA: a tar archive of an OVF envelope, perhaps a manifest and a certificate, and the disk. Source: DMTF DSP0243."""
import dataclasses
import re
from collections.abc import Callable
from typing import Protocol

from glance.inspect.containers import manifest, ovf, tar
from glance.inspect.containers.problems import Problems
from glance.inspect.disk import Disk, Guard
from glance.inspect.rules import Rules

MAX_MEMBERS = 64
MAX_CERTIFICATE = 64 * 1024
NAME = re.compile(r'[A-Za-z0-9._-]{1,255}')
LEAVES_FOLDER = re.compile(r'/|\\|[A-Za-z]:|(?:.*[/\\])?\.\.(?:[/\\].*)?\Z', re.DOTALL)
"""Names that are absolute or go up, on whatever system they are unpacked."""


class Ova:
    """A sink that judges an OVA: its structure by the policy for containers, its members by the rules for disks.

    :param disk_format: declared format of the disk in the archive
    :raises InvalidImageData: for members that are unsafe; for malformed archives when the policy says so
    """

    def __init__(self, disk_format: str, rules: Rules, problems: Problems):
        self._problems = problems
        self._members = _Members(disk_format, rules, problems)
        self._walk: tar.Walk | None = tar.Walk(self._members)

    def update(self, data: memoryview) -> None:
        if self._walk is None:
            return
        try:
            self._walk.update(data)
        except tar.Unsafe:
            self._problems.unsafe('banned')
        except tar.Malformed:
            self._walk = None
            self._problems.add('header')

    def finish(self) -> None:
        if self._walk is None:
            return
        try:
            self._walk.finish()
        except tar.Malformed:
            self._problems.add('truncated')
        else:
            self._members.finish()


class _Reader(Protocol):
    """Takes one member."""

    def update(self, data: memoryview) -> None: ...

    def finish(self) -> None: ...


class _Members:
    """Judges the members one after the other, and all of them together at the end."""

    def __init__(self, disk_format: str, rules: Rules, problems: Problems):
        self._disk_format = disk_format
        self._rules = dataclasses.replace(rules, require_match=rules.container_check_policy == 'reject')
        self._problems = problems
        self._digests = manifest.Digests()
        self._names: set[str] = set()
        self._count = 0
        self._disk_name: str | None = None
        self._reader: _Reader = Guard(rules)

    def open(self, member: tar.Member) -> None:
        self._check_name(member.name)
        self._count += 1
        if self._count > MAX_MEMBERS:
            raise tar.Malformed
        self._names.add(member.name)
        self._digests.open(member.name, member.size)
        self._reader = self._choose(member)

    def update(self, data: memoryview) -> None:
        self._digests.update(data)
        self._reader.update(data)

    def close(self) -> None:
        self._digests.close()
        self._reader.finish()
        if isinstance(self._reader, Guard) and self._reader.detected:
            self._problems.add('multiple_formats')

    def finish(self) -> None:
        if self._disk_name not in self._names:
            self._problems.add('descriptor')
        if not self._digests.agree():
            self._problems.add('mismatch')

    def _check_name(self, name: str) -> None:
        if LEAVES_FOLDER.match(name):
            self._problems.unsafe('banned')
        if not NAME.fullmatch(name) or name in self._names:
            self._problems.add('header')

    def _choose(self, member: tar.Member) -> _Reader:
        """What takes the bytes of a member: the envelope comes first, so it tells which of the others is the disk."""
        if self._count == 1:
            return _Text(ovf.MAX_SIZE, self._read_envelope)
        if member.name.endswith('.mf') and not self._digests.expected:
            return _Text(manifest.MAX_SIZE, self._read_manifest)
        if member.name == self._disk_name:
            return Disk(self._disk_format, self._rules)
        return Guard(self._rules)

    def _read_envelope(self, text: bytes | None) -> None:
        try:
            if text is None:
                raise ovf.Malformed
            href = ovf.Envelope(text).href
            if not NAME.fullmatch(href):
                raise ovf.Malformed
            self._disk_name = href
        except ovf.Malformed:
            self._problems.add('descriptor')

    def _read_manifest(self, text: bytes | None) -> None:
        expected = None if text is None else manifest.parse(text)
        if expected is None:
            self._problems.add('descriptor')
        else:
            self._digests.expect(expected)


class _Text:
    """Collects a short member.

    :param use: called with its bytes at the end, or with None when they were more than the limit
    """

    def __init__(self, limit: int, use: Callable[[bytes | None], None]):
        self._limit = limit
        self._use = use
        self._bytes = bytearray()

    def update(self, data: memoryview) -> None:
        self._bytes += data[:self._limit + 1 - len(self._bytes)]

    def finish(self) -> None:
        self._use(bytes(self._bytes) if len(self._bytes) <= self._limit else None)
