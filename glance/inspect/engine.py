"""The inspection of one upload: a sink of the byte pipeline."""
from typing import Protocol

from glance.inspect.containers.compressed import Compressed
from glance.inspect.containers.ova import Ova
from glance.inspect.containers.ovf import Ovf
from glance.inspect.containers.problems import Problems
from glance.inspect.disk import Disk, Guard
from glance.inspect.rules import Rules

PLAIN_CONTAINERS = frozenset({'aki', 'ami', 'ari', 'docker'})
"""Containers of anything but a virtual disk."""


class _Sink(Protocol):
    def update(self, data: memoryview) -> None: ...

    def finish(self) -> None: ...


class Inspection:
    """Finds out what a stream is and refuses it when it is unsafe or not what is declared, as soon as that is certain.

    :param disk_format: declared disk format as the API knows it
    :param container_format: declared container format; formats that are not known are treated as archives of anything
    :param rules: what the operator allows

    After ``finish``, ``detected`` is the format of the stream: a disk format, also ``gpt`` and ``luks``; ``raw`` when
    none was recognised; None when there are several, or when the stream is no disk but a container. ``virtual_size``
    is the size of the disk in bytes, None for containers and where it is not known or is not the declared disk's.

    A stream without a byte passes whatever is declared: it is what snapshots of volume-backed servers have, which are
    nothing but properties.
    """

    def __init__(self, disk_format: str, container_format: str, rules: Rules):
        self.detected: str | None = None
        self.virtual_size: int | None = None
        self._disk = Disk(disk_format, rules) if container_format == 'bare' else None
        self._guard = Guard(rules, container_format if container_format in PLAIN_CONTAINERS else None)
        self._empty = True
        self._container = container_format
        self._rules = rules
        self._problems = Problems(container_format, rules.container_check_policy == 'reject')
        self._sinks: list[_Sink] = [self._disk] if self._disk else [self._guard, *self._content(disk_format)]

    def update(self, data: memoryview) -> None:
        """Take the next bytes.

        :raises InvalidImageData: with format and check; the stream need not be read any further
        """
        self._empty = self._empty and not data
        for sink in self._sinks:
            sink.update(data)

    def finish(self) -> None:
        """The stream is complete. Raises InvalidImageData."""
        if self._empty:
            self.detected, self.virtual_size = ('raw', 0) if self._disk else (None, None)
            return
        for sink in self._sinks:
            sink.finish()
        if self._disk is not None:
            self.detected, self.virtual_size = self._disk.detected, self._disk.virtual_size
        else:
            self.detected = self._guard.detected

    def _content(self, disk_format: str) -> list[_Sink]:
        if self._container == 'ova':
            return [Ova(disk_format, self._rules, self._problems)]
        if self._container == 'compressed':
            return [Compressed(disk_format, self._rules, self._problems)]
        if self._container == 'ovf':
            return [Ovf(self._problems)]
        return []
