"""Signed requests: who knows the shared secret says who calls, and nobody on the way changes it.

A signature is made over the method, the path, the hash of the body and every header that means something to the registry:
those that are missing are signed as missing.
"""
import email.utils
import hashlib
import hmac
import time
from collections.abc import Mapping

SIGNATURE, DATE, BODY = 'X-Glance-Signature', 'Date', 'X-Glance-Content-Sha256'
# Seconds by which the clocks of two hosts, and the way between them, may be apart.
WINDOW = 300
# Headers by which a context is made, and those that say what is to be done with the request.
_SIGNED = tuple(sorted((
    BODY, DATE, 'OpenStack-System-Scope', 'X-Auth-Token', 'X-Domain-Id', 'X-Domain-Name', 'X-Glance-Request-Key',
    'X-Glance-Rpc-Atomic', 'X-Glance-Rpc-Version', 'X-Identity-Status', 'X-Is-Admin-Project', 'X-Openstack-Request-Id',
    'X-Project-Domain-Id', 'X-Project-Domain-Name', 'X-Project-Id', 'X-Project-Name', 'X-Role', 'X-Roles', 'X-Service-Catalog',
    'X-Service-Project-Domain-Id', 'X-Service-Project-Domain-Name', 'X-Service-Project-Id', 'X-Service-Project-Name',
    'X-Service-Roles', 'X-Service-Token', 'X-Service-User-Domain-Id', 'X-Service-User-Domain-Name', 'X-Service-User-Id',
    'X-Service-User-Name', 'X-Storage-Token', 'X-Tenant', 'X-Tenant-Id', 'X-Tenant-Name', 'X-User', 'X-User-Domain-Id',
    'X-User-Domain-Name', 'X-User-Id', 'X-User-Name')))


class Unproven(Exception):
    """The signature is missing, wrong or too old; the text, for the log of the registry, says which."""


def sign(secret: str, method: str, path: str, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
    """Return the headers that have to be added to these for a request to be believed."""
    added = {DATE: email.utils.formatdate(usegmt=True), BODY: body_hash(body)}
    return {**added, SIGNATURE: _signature(secret, method, path, {**headers, **added})}


def verify(secret: str, method: str, path: str, headers: Mapping[str, str]) -> str:
    """Return the hash that the body has to have. Raises Unproven."""
    shown = headers.get(SIGNATURE)
    if not shown:
        raise Unproven('it has no %s' % SIGNATURE)
    if not hmac.compare_digest(shown.encode(), _signature(secret, method, path, headers).encode()):
        raise Unproven('its %s is not the one of this request and our secret' % SIGNATURE)
    try:
        moment, body = email.utils.parsedate_to_datetime(headers[DATE]).timestamp(), headers[BODY]
    except (KeyError, ValueError, OverflowError):
        raise Unproven('it has no %s or no %s' % (DATE, BODY)) from None
    if abs(moment - time.time()) > WINDOW:
        raise Unproven('it is of %s, and the clock here says %s' % (headers[DATE], email.utils.formatdate(usegmt=True)))
    return body


def body_hash(body: bytes) -> str:
    """Return the hash of a body as it is signed."""
    return hashlib.sha256(body).hexdigest()


def signed_headers(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of a WSGI environ that a signature is about, itself included."""
    names = ((name, 'HTTP_' + name.upper().replace('-', '_')) for name in (*_SIGNED, SIGNATURE))
    return {name: environ[key] for name, key in names if key in environ}


def _signature(secret: str, method: str, path: str, headers: Mapping[str, str]) -> str:
    lines = [method, path, *('%s:%s' % (name, headers[name].strip()) for name in _SIGNED if name in headers)]
    return hmac.new(secret.encode(), '\n'.join(lines).encode(), hashlib.sha256).hexdigest()
