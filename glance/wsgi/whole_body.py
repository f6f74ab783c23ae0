"""Reading a request body that is needed as a whole, from somebody who may mean harm."""
from typing import Any

from glance import exceptions
from glance.wsgi.faults import HTTPFault


def read(stream: Any, length: int | None, limit: int) -> bytes:
    """Return the body: ``length`` bytes, or all there is when None. Raises HTTPFault 413 above ``limit`` bytes."""
    if length is not None and length > limit:
        raise HTTPFault(413, 'The request body is larger than %d bytes.' % limit)
    pieces, left = [], limit + 1 if length is None else length
    while left:
        piece = stream.read(left)
        if not piece:
            break
        pieces.append(piece)
        left -= len(piece)
    if length is None and not left:
        raise HTTPFault(413, 'The request body is larger than %d bytes.' % limit)
    if length is not None and left:
        raise exceptions.ClientDisconnected()
    return b''.join(pieces)
