"""A request to a registry as the bytes that are sent."""
import time

from oslo_context import context as request_context

from glance.db.remote.endpoints import Endpoint
from glance.db.remote.exchange import FOREVER
from glance.db.wire import signature
from glance.db.wire.operations import VERSION

_METHOD, _PATH = 'POST', '/rpc'
_LONGEST_ID = 64


def write(endpoint: Endpoint, body: bytes, shown: dict[str, str], key: str | None, deadline: float, secret: str | None
          ) -> bytes:
    """Return the request.

    :param shown: the headers that tell who calls
    :param key: of a write: the same in each attempt
    :param deadline: monotonic time until which the answer is waited for
    :param secret: to sign with, or None
    """
    headers = {'Host': endpoint.authority, 'Content-Type': 'application/json', 'X-Glance-Rpc-Version': VERSION,
               'Content-Length': '%d' % len(body)}
    if key is not None:
        headers['X-Glance-Request-Key'] = key
    if deadline != FOREVER:
        headers['X-Glance-Deadline'] = '%d' % max((deadline - time.monotonic()) * 1000, 0)
    if not endpoint.is_near:
        headers['Accept-Encoding'] = 'gzip'
    current = request_context.get_current()
    if current is not None and current.request_id:
        # The registry puts the prefix in front again; the rest is as long as it accepts by default.
        headers['X-Openstack-Request-Id'] = _harmless(current.request_id.removeprefix('req-')[:_LONGEST_ID])
    headers.update((name, _harmless(value)) for name, value in shown.items())
    if secret:
        headers.update(signature.sign(secret, _METHOD, _PATH, headers, body))
    lines = ['%s %s HTTP/1.1' % (_METHOD, _PATH), *('%s: %s' % item for item in headers.items())]
    return '\r\n'.join(lines).encode('latin-1') + b'\r\n\r\n' + body


def _harmless(value: str) -> str:
    """What is told of the caller came in a header, where a line break cannot be; other ways in are closed here."""
    return value.replace('\r', ' ').replace('\n', ' ').encode('latin-1', 'replace').decode('latin-1')
