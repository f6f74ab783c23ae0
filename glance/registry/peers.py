"""Which peers are believed when they tell who calls (flavor trusted-auth), and which may call at all."""
import logging
from typing import Any

from oslo_config import cfg

from glance import exceptions
from glance.db.wire import signature

LOG = logging.getLogger(__name__)

# In the environ: the hash that the body of a signed request has to have.
BODY_HASH = 'glance.body_hash'


class Peers:
    """What the options say of peers. Raises ConfigurationError when no peer could be what they ask for."""

    def __init__(self, conf: cfg.ConfigOpts):
        self._secret, self._any = conf.registry_shared_secret, conf.registry_trust_any_peer
        self._names = frozenset(name.strip().lower() for name in conf.registry_allowed_client_names)
        if self._names and not (conf.ca_file and conf.cert_file):
            raise exceptions.ConfigurationError(
                '[DEFAULT] registry_allowed_client_names needs ca_file, cert_file and key_file: without them no peer shows a '
                'certificate, and nobody could be served.')

    def check_name(self, environ: dict[str, Any]) -> None:
        """Raise Forbidden unless the certificate of the peer has a name that is allowed."""
        if self._names:
            names = environ.get('glance.client_names') or ()
            if self._names.isdisjoint(names):
                LOG.warning('A peer at %s was refused: registry_allowed_client_names has none of the names in its certificate '
                            '(%s).', environ.get('REMOTE_ADDR'), ', '.join(sorted(names)) or 'none')
                raise exceptions.Forbidden('The certificate of this client is not one of those that may call the registry.')

    def believed(self, environ: dict[str, Any]) -> bool | None:
        """Tell whether the peer proved that it may tell who calls; None when no proof is asked for, so its address decides."""
        if self._any or environ.get('glance.client_names') is not None:
            return True
        if not self._secret:
            return None
        try:
            environ[BODY_HASH] = signature.verify(self._secret, environ['REQUEST_METHOD'], environ.get('PATH_INFO', ''),
                                                  signature.signed_headers(environ))
        except signature.Unproven as error:
            LOG.warning('The identity headers of a request from %s are not believed: %s.', environ.get('REMOTE_ADDR'), error)
            return False
        return True


def check_body(environ: dict[str, Any], body: bytes) -> None:
    """Raise NotAuthenticated when this is not the body that was signed."""
    expected = environ.get(BODY_HASH)
    if expected is not None and signature.body_hash(body) != expected:
        LOG.warning('The body of a request from %s is not the one that was signed.', environ.get('REMOTE_ADDR'))
        raise exceptions.NotAuthenticated()
