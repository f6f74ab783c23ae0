"""The key manager of the cloud, reached through castellan (``[key_manager] backend``, Barbican by default)."""
import contextlib
import logging
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from oslo_config import cfg

from glance import exceptions
from glance.context import RequestContext

if TYPE_CHECKING:
    from cryptography import x509

LOG = logging.getLogger(__name__)

# Ids become parts of the URLs of backends: no id of anything holds what could lead elsewhere.
_ID = re.compile(r'[0-9A-Za-z][0-9A-Za-z_-]{0,254}')
# What castellan calls the format of the certificates that it hands out, DER-encoded.
_X509 = 'X.509'


class KeyManager:
    """Fetches and deletes objects with the token of the caller; threads may share it.

    castellan is imported and its backend loaded at the first use: most services never need them.
    """

    def __init__(self, conf: cfg.ConfigOpts):
        self._conf = conf

    def certificate(self, context: RequestContext, certificate_id: str) -> 'x509.Certificate':
        """Return an X.509 certificate. Raises KeyManagerError with a sentence that names the certificate."""
        with _translated('certificate', certificate_id):
            found = self._backend().get(context, certificate_id)
        if getattr(found, 'format', None) != _X509:
            raise exceptions.KeyManagerError('What the key manager holds as %s is not a certificate in the format X.509.'
                                             % certificate_id)
        from cryptography import x509
        try:
            return x509.load_der_x509_certificate(found.get_encoded())
        except (ValueError, TypeError):
            raise exceptions.KeyManagerError('The certificate %s cannot be read.' % certificate_id) from None

    def delete(self, context: RequestContext, key_id: str) -> None:
        """Delete a key. Raises KeyManagerError with a sentence that names it."""
        with _translated('key', key_id):
            self._backend().delete(context, key_id)

    def _backend(self) -> Any:
        # A new one each time: castellan's Barbican backend remembers the client of one caller, and in another thread that
        # would be the wrong one.
        from castellan import key_manager
        return key_manager.API(self._conf)


@contextlib.contextmanager
def _translated(noun: str, key_id: str) -> Iterator[None]:
    """Make sure that this can be an id, and put what goes wrong with it into words."""
    if not _ID.fullmatch(key_id):
        raise exceptions.KeyManagerError('%r is not an ID of a %s in the key manager.' % (key_id[:80], noun))
    try:
        yield
    except Exception as error:
        from castellan.common import exception as castellan_errors
        if isinstance(error, castellan_errors.ManagedObjectNotFoundError):
            reason = 'does not exist in the key manager'
        elif isinstance(error, castellan_errors.Forbidden):
            reason = 'is not accessible to you in the key manager'
        else:
            # Backends raise what their libraries do; the text may name hosts, and is for the log only.
            LOG.error('The key manager failed at %s %s: %s', noun, key_id, error)
            reason = 'cannot be had of the key manager at the moment'
        raise exceptions.KeyManagerError('The %s %s %s.' % (noun, key_id, reason)) from error
