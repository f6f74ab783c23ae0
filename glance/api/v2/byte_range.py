"""Which part of an image a download asks for (RFC 9110, section 14)."""
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from glance import exceptions
from glance.wsgi.faults import HTTPFault

_RANGE = re.compile(r'\s*bytes\s*=\s*([0-9]{0,4000})\s*-\s*([0-9]{0,4000})\s*', re.IGNORECASE)
_CONTENT_RANGE = re.compile(r'\s*bytes\s+([0-9]{1,4000})\s*-\s*([0-9]{1,4000})\s*/\s*([0-9]{1,4000}|\*)\s*', re.IGNORECASE)


class Span(NamedTuple):
    """A part of an image: offset and length in bytes."""

    offset: int
    length: int


def requested(environ: Mapping[str, Any], size: int) -> Span | None:
    """Return the part that the request asks for of an image of ``size`` bytes; None for the whole of it.

    A ``Content-Range`` header of a request is honoured where there is no ``Range``, for old clients. Raises HTTPFault 416
    for a range that cannot be satisfied, Invalid for several ranges.
    """
    if 'HTTP_RANGE' in environ:
        return _from_range(environ['HTTP_RANGE'], size)
    if 'HTTP_CONTENT_RANGE' in environ:
        return _from_content_range(environ['HTTP_CONTENT_RANGE'], size)
    return None


def _from_range(header: str, size: int) -> Span:
    if ',' in header:
        raise exceptions.Invalid('Requests with several ranges are not supported; ask for one range at a time.')
    match = _RANGE.fullmatch(header)
    if match is None or not (match[1] or match[2]):
        raise _unsatisfiable(header, size)
    first, last = match[1], match[2]
    if not first:
        length = min(int(last), size)
        if not length:
            raise _unsatisfiable(header, size)
        return Span(size - length, length)
    offset = int(first)
    end = min(int(last), size - 1) if last else size - 1
    if offset > end or (last and offset > int(last)):
        raise _unsatisfiable(header, size)
    return Span(offset, end - offset + 1)


def _from_content_range(header: str, size: int) -> Span:
    match = _CONTENT_RANGE.fullmatch(header)
    if match is None:
        raise _unsatisfiable(header, size)
    first, last = int(match[1]), int(match[2])
    total = size if match[3] == '*' else int(match[3])
    if first > last or last >= total or total > size:
        raise _unsatisfiable(header, size)
    return Span(first, last - first + 1)


def _unsatisfiable(header: str, size: int) -> HTTPFault:
    return HTTPFault(416, 'The range %r cannot be satisfied; the image has %d bytes.' % (header[:80], size),
                     [('Content-Range', 'bytes */%d' % size)])
