"""The descriptor inside a VMDK: lines of settings and extents, in which other files can be named."""
import re
from collections.abc import Collection

PRINTABLE = re.compile(rb'[\t\n\r\x20-\x7e]*')
EXTENT = re.compile(
    r'(?:RW|RDONLY|NOACCESS)\s+\d{1,20}\s+(\w{1,32})(?:\s+"([^"]*)"(?:\s+\d{1,20})?)?', re.IGNORECASE)
SETTING = re.compile(r'([A-Za-z][\w.]*)\s*=\s*(.*)')
MAX_LINES = 1024
NO_PARENT = 'ffffffff'
ONCE = ('createtype', 'parentcid')
"""Words that some readers take from wherever they stand first, even in a comment."""


def is_safe(descriptor: bytes, allowed_types: Collection[str]) -> bool:
    """Whether a descriptor describes one sparse extent, the file itself, without a parent.

    :param descriptor: the text and the NULs after it
    :param allowed_types: accepted create-types, in any letter case
    """
    text, _, padding = descriptor.partition(b'\0')
    if padding.strip(b'\0') or not PRINTABLE.fullmatch(text) or text.count(b'\n') + text.count(b'\r') > MAX_LINES:
        return False
    settings, extents = _parse(text.decode('ascii'))
    if settings is None or len(extents) != 1:
        return False
    lowered = text.lower()
    if any(lowered.count(word.encode()) > 1 for word in ONCE) or b'parentfilenamehint' in lowered:
        return False
    kind, name = extents[0]
    return (settings.get('createtype', '') in {allowed.lower() for allowed in allowed_types}
            and settings.get('parentcid', NO_PARENT) == NO_PARENT
            and kind.upper() == 'SPARSE' and '/' not in name and '\\' not in name)


def _parse(text: str) -> tuple[dict[str, str] | None, list[tuple[str, str]]]:
    """Settings by their name, without quotes and in lower case, and (kind, file name) of the extents.

    The settings are None when there is a line of another kind.
    """
    settings: dict[str, str] = {}
    extents: list[tuple[str, str]] = []
    for line in (line.strip() for line in text.splitlines()):
        if not line or line.startswith('#'):
            continue
        if extent := EXTENT.fullmatch(line):
            extents.append((extent[1], extent[2] or ''))
        elif setting := SETTING.fullmatch(line):
            settings[setting[1].lower()] = setting[2].strip().strip('"').lower()
        else:
            return None, []
    return settings, extents
