"""The request that follows at once on a kept connection: a client that asks one thing after the other.

A native thread that has answered looks for it before it gives the connection back to the hub; handing a request over and
its connection back costs a quarter of what a small request takes.
"""

import io

from glance.wsgi import head as heads
from glance.wsgi.connection import Connection


def follower(connection: Connection, seconds: float, limits: heads.Limits) -> tuple[heads.Head, io.BytesIO] | None:
    """The next request of a kept connection, when it arrives soon and in one piece; for native threads.

    None leaves whatever has arrived, mistakes included, in the buffer of the connection, for the hub to go on with.
    """
    try:
        if not connection.buffer and connection.readable_within(seconds):
            connection.buffer = connection.receive_now(heads.PIECE) or b''
    except OSError:
        return None  # the hub will meet it, too
    data, separator, rest = connection.buffer.partition(heads.END)
    if not separator:
        return None
    try:
        head = heads.parse(data, limits)
    except heads.HeadError:
        return None
    length = head.content_length or 0
    if head.chunked or head.expects_continue or len(rest) < length:
        return None
    connection.buffer = rest[length:]
    connection.requests += 1
    return head, io.BytesIO(rest[:length])
