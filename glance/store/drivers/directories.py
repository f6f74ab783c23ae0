"""The data directories of a file store: how they are configured, and which one a new image goes to."""
import copy
import errno
import json
import logging
import os
from dataclasses import dataclass, field
from typing import Any

from glance import exceptions

LOG = logging.getLogger(__name__)

MARKER = '.glance-store'
"""A file that tells a data directory from the empty mount point under it."""


@dataclass(slots=True)
class Directory:
    """One data directory; the one with the highest priority that has room is chosen.

    ``metadata`` is remembered with the locations of images in it. ``marked`` tells that the marker has been seen.
    """

    path: str
    priority: int = 0
    metadata: dict[str, Any] = field(default_factory=dict)
    marked: bool = False

    def prepare(self, mode: int, extra_mode: int = 0, for_writing: bool = False) -> None:
        """Create the directory with ``mode`` where it is missing, give it ``extra_mode``, and find or place the marker.

        A directory that is there and empty may be the mount point of a file system that is not mounted: it is only
        marked when something is written to it.

        :raises OSError: when it cannot be created or is not writable
        """
        made = not os.path.isdir(self.path)
        os.makedirs(self.path, mode, exist_ok=True)
        if extra_mode:
            self._add_mode(extra_mode)
        if made or for_writing or os.listdir(self.path):
            os.close(os.open(self.marker, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640))
            self.marked = True
        elif not os.access(self.path, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), self.path)

    @property
    def marker(self) -> str:
        """Path of the marker file."""
        return os.path.join(self.path, MARKER)

    def is_missing(self) -> bool:
        """Whether the directory was there and is no more, as when a file system is not mounted."""
        return self.marked and self.is_bare()

    def is_bare(self) -> bool:
        """Whether nothing tells that this is the directory, and not an empty mount point."""
        return not os.path.lexists(self.marker)

    def location_metadata(self, store: str | None) -> dict[str, Any]:
        """What to remember with an image in here; a copy of its own."""
        metadata = copy.deepcopy(self.metadata)
        return metadata if store is None else {**metadata, 'store': store}

    def _add_mode(self, extra: int) -> None:
        mode = os.stat(self.path).st_mode
        try:
            if mode | extra != mode:
                os.chmod(self.path, (mode | extra) & 0o7777)
        except OSError as error:
            LOG.warning('The permissions of %s could not be extended as filesystem_store_file_perm needs it: %s',
                        self.path, error.strerror)


def configured(options) -> list[Directory]:
    """The data directories that the options of a file store describe, the highest priority first.

    :raises ConfigurationError: naming option and value
    """
    several = [entry for entry in options.filesystem_store_datadirs or () if entry.strip()]
    single = (options.filesystem_store_datadir or '').strip()
    if several and single and options.is_set('filesystem_store_datadir'):
        raise exceptions.ConfigurationError('[%s] has both filesystem_store_datadir = %s and '
                                            'filesystem_store_datadirs; remove one.' % (options.section, single))
    if not several and not single:
        raise exceptions.ConfigurationError('[%s] filesystem_store_datadir is empty; set it to the directory of images.'
                                            % options.section)
    found = _parse_several(several, options.section) if several else [Directory(_clean(single))]
    _add_metadata(options, found)
    return sorted(found, key=lambda directory: -directory.priority)


def _parse_several(entries: list[str], section: str) -> list[Directory]:
    found: dict[str, Directory] = {}
    for entry in entries:
        directory = _parse(entry, section)
        known = found.setdefault(directory.path, directory)
        if known.priority != directory.priority:
            raise exceptions.ConfigurationError('[%s] filesystem_store_datadirs gives %s the priorities %d and %d; '
                                                'keep one.' % (section, known.path, known.priority, directory.priority))
        if known is not directory:
            LOG.warning('[%s] filesystem_store_datadirs names %s twice.', section, known.path)
    return list(found.values())


def _parse(entry: str, section: str) -> Directory:
    path, colon, priority = entry.strip().rpartition(':')
    if not colon:
        path, priority = priority, '0'
    try:
        number = int(priority or 0)
    except ValueError:
        raise exceptions.ConfigurationError('[%s] filesystem_store_datadirs = %s: the priority %r is no whole number.'
                                            % (section, entry, priority)) from None
    if not path.strip():
        raise exceptions.ConfigurationError('[%s] filesystem_store_datadirs = %s names no directory.'
                                            % (section, entry))
    return Directory(_clean(path), number)


def _clean(path: str) -> str:
    return os.path.abspath(path.strip())


def _add_metadata(options, directories) -> None:
    """Give each directory the first entry of the metadata file whose mount point it is or lies below."""
    path = options.filesystem_store_metadata_file
    if not path:
        return
    entries = _read_metadata(path, options.section)
    for directory in directories:
        for entry in entries:
            if os.path.commonpath((_clean(entry['mountpoint']), directory.path)) == _clean(entry['mountpoint']):
                directory.metadata = entry
                break
        else:
            LOG.error('No mountpoint in %s (filesystem_store_metadata_file) holds %s; locations of images in it carry '
                      'no metadata.', path, directory.path)


def _read_metadata(path: str, section: str) -> list[dict[str, Any]]:
    try:
        with open(path, encoding='utf-8') as file:
            content = json.load(file)
    except (OSError, ValueError) as error:
        raise exceptions.ConfigurationError('[%s] filesystem_store_metadata_file = %s cannot be read as JSON: %s.'
                                            % (section, path, error)) from None
    entries = content if isinstance(content, list) else [content]
    for entry in entries:
        if not isinstance(entry, dict) or not all(isinstance(entry.get(key), str) for key in ('id', 'mountpoint')):
            raise exceptions.ConfigurationError('[%s] filesystem_store_metadata_file = %s: every entry must be an '
                                                'object with the strings "id" and "mountpoint".' % (section, path))
    return entries
