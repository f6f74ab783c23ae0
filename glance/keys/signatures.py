"""Makes the check of a signed image: from its properties, over its certificate, to the sink that sees its data.

What knows cryptography is imported when the first signature, or a list of trusted certificates, comes: it would take as
much memory as a quarter of an idle worker.
"""
import contextlib
import datetime
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from glance import exceptions
from glance.context import RequestContext
from glance.domain.signature import Signature
from glance.keys.manager import KeyManager
from glance.transfer.sinks import Sink

if TYPE_CHECKING:
    from glance.keys.certificates import TrustedCertificates
    from glance.transfer.signature import SignatureCheck


def utcnow() -> datetime.datetime:
    """Return the present time, aware."""
    return datetime.datetime.now(datetime.UTC)


class Signatures:
    """Verifies images against the certificates that they name.

    :param trusted: paths of the files with the certificates that the operator trusts; without any, all are trusted
    :param clock: returns the present time (aware)
    :raises ConfigurationError: for one of the files
    """

    def __init__(self, keys: KeyManager, trusted: Sequence[str] = (), clock: Callable[[], datetime.datetime] = utcnow):
        self._keys, self._clock = keys, clock
        self._trusted = _load(trusted) if trusted else None

    def checks(self, context: RequestContext, image_id: str, properties: Mapping[str, str | None]) -> list[Sink]:
        """Return the sinks that verify the data of an image: one if it is signed, else none.

        Raises SignatureVerificationError, from here for what is wrong before a byte was seen, from ``finish`` of the sink
        when the data is not what was signed.
        """
        with _about(image_id):
            signature = Signature.of(properties)
            return [_Named(image_id, self._check(context, signature))] if signature else []

    def _check(self, context: RequestContext, signature: Signature) -> 'SignatureCheck':
        from glance.keys import certificates
        from glance.transfer.signature import SignatureCheck
        certificate = self._keys.certificate(context, signature.certificate_id)
        now = self._clock()
        certificates.check_validity(certificate, now)
        if self._trusted is not None:
            self._trusted.check(certificate, now)
        return SignatureCheck(signature, certificate)


class _Named:
    """A check whose errors name the image."""

    def __init__(self, image_id: str, check: 'SignatureCheck'):
        self._image_id, self._check = image_id, check
        self.update = check.update

    def finish(self) -> None:
        with _about(self._image_id):
            self._check.finish()


def _load(paths: Sequence[str]) -> 'TrustedCertificates':
    from glance.keys.certificates import TrustedCertificates
    return TrustedCertificates(paths)


@contextlib.contextmanager
def _about(image_id: str) -> Iterator[None]:
    try:
        yield
    except (exceptions.Invalid, exceptions.KeyManagerError) as error:
        raise exceptions.SignatureVerificationError(image_id, str(error)) from error
