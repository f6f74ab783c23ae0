"""OVF envelopes: which file holds the one disk. Source: DMTF DSP0243."""
from typing import Any
from xml.parsers import expat

MAX_SIZE = 1024 * 1024
MAX_DEPTH = 64
MAX_ELEMENTS = 10_000
MAX_ATTRIBUTES = 256
MAX_VALUE = 64 * 1024
SEPARATOR = ' '


class Malformed(Exception):
    """Not an envelope with exactly one disk in exactly one file."""


class Envelope:
    """Reads an envelope; declarations of document types, and with them entities, are not accepted.

    :param text: the whole document, at most MAX_SIZE bytes
    :raises Malformed: when it is not well-formed, exceeds a limit or does not describe one disk

    ``href`` is the name of the file that holds the disk; it comes from the document and is not to be trusted.
    """

    def __init__(self, text: bytes):
        self._depth = self._count = 0
        self._files: dict[str, str] = {}
        self._disks: list[str] = []
        self._is_envelope = False
        parser = expat.ParserCreate(namespace_separator=SEPARATOR)
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        try:
            parser.Parse(text, True)
        except (expat.ExpatError, ValueError, LookupError) as error:
            raise Malformed from error
        if not self._is_envelope or len(self._disks) != 1 or self._disks[0] not in self._files:
            raise Malformed
        self.href = self._files[self._disks[0]]

    def _doctype(self, *_args: Any) -> None:
        raise Malformed

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._count += 1
        if self._depth > MAX_DEPTH or self._count > MAX_ELEMENTS or len(attributes) > MAX_ATTRIBUTES:
            raise Malformed
        if any(len(value) > MAX_VALUE for value in attributes.values()):
            raise Malformed
        local = _local(name)
        values = {_local(key): value for key, value in attributes.items()}
        if self._depth == 1:
            self._is_envelope = local == 'Envelope'
        elif local == 'File':
            self._add_file(values)
        elif local == 'Disk':
            self._disks.append(values.get('fileRef', ''))

    def _add_file(self, values: dict[str, str]) -> None:
        identifier = values.get('id', '')
        if identifier in self._files:
            raise Malformed
        self._files[identifier] = values.get('href', '')

    def _end(self, _name: str) -> None:
        self._depth -= 1


def _local(name: str) -> str:
    return name.rpartition(SEPARATOR)[2]


class Ovf:
    """A sink for an envelope that comes without an archive: at most MAX_SIZE bytes of XML."""

    def __init__(self, problems: Any):
        self._problems = problems
        self._text: bytearray | None = bytearray()

    def update(self, data: memoryview) -> None:
        if self._text is None:
            return
        self._text += data[:MAX_SIZE + 1 - len(self._text)]
        if len(self._text) > MAX_SIZE:
            self._text = None
            self._problems.add('descriptor')

    def finish(self) -> None:
        if self._text is not None:
            try:
                Envelope(bytes(self._text))
            except Malformed:
                self._problems.add('descriptor')
