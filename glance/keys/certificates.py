"""Which certificates may vouch for images: valid ones that are made for signing, and those that the operator trusts."""
import datetime
import re
from collections.abc import Iterable, Sequence
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from glance import exceptions

_Kind = TypeVar('_Kind', bound=x509.ExtensionType)
_BLOCK = re.compile(r'^-----BEGIN CERTIFICATE-----.*?(^-----END CERTIFICATE-----\s*?$|\Z)', re.DOTALL | re.MULTILINE)


def check_validity(certificate: x509.Certificate, now: datetime.datetime) -> None:
    """Raise Invalid unless the certificate is valid at this moment (aware) and may be used for signatures.

    A certificate that does not say what it is for may be used for everything (RFC 5280, section 4.2.1.3).
    """
    if now < certificate.not_valid_before_utc:
        raise exceptions.Invalid('The certificate is not valid before %s.' % _text(certificate.not_valid_before_utc))
    if now > certificate.not_valid_after_utc:
        raise exceptions.Invalid('The certificate expired at %s.' % _text(certificate.not_valid_after_utc))
    usage = _extension(certificate, x509.KeyUsage)
    if usage is not None and not usage.digital_signature:
        raise exceptions.Invalid('The certificate is not made for digital signatures.')


class TrustedCertificates:
    """The certificates that the operator trusts, and the ones that these authorities issued; without any, all.

    :param paths: files in PEM format, each with one certificate or more
    :raises ConfigurationError: naming file, line and fault
    """

    def __init__(self, paths: Iterable[str]):
        self._certificates = [certificate for path in paths for certificate in _load(path)]

    def check(self, certificate: x509.Certificate, now: datetime.datetime) -> None:
        """Raise Invalid for a certificate that is neither trusted nor issued by a trusted authority valid at ``now``."""
        if self._certificates and not any(
                certificate == trusted or _issued(trusted, certificate, now) for trusted in self._certificates):
            raise exceptions.Invalid('The certificate is not one that the operator of this service trusts.')


def _issued(authority: x509.Certificate, certificate: x509.Certificate, now: datetime.datetime) -> bool:
    constraints = _extension(authority, x509.BasicConstraints)
    if constraints is None or not constraints.ca:
        return False
    usage = _extension(authority, x509.KeyUsage)
    if usage is not None and not usage.key_cert_sign:
        return False
    if not authority.not_valid_before_utc <= now <= authority.not_valid_after_utc:
        return False
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _extension(certificate: x509.Certificate, kind: type[_Kind]) -> _Kind | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
    except ValueError:
        raise exceptions.Invalid('The extensions of the certificate cannot be read.') from None


def _load(path: str) -> Sequence[x509.Certificate]:
    try:
        with open(path, encoding='ascii') as file:
            text = file.read()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else 'it is not a text file in PEM format'
        raise _fault(path, reason) from None
    found = []
    for block in _BLOCK.finditer(text):
        line = text.count('\n', 0, block.start()) + 1
        try:
            certificate = x509.load_pem_x509_certificate(block[0].encode())
            _extension(certificate, x509.BasicConstraints)
        except (ValueError, exceptions.Invalid):
            raise _fault('%s, line %d' % (path, line), 'the certificate that begins here is damaged') from None
        found.append(certificate)
    if not found:
        raise _fault(path, 'it holds no line "-----BEGIN CERTIFICATE-----"')
    return found


def _fault(place: str, reason: str) -> exceptions.ConfigurationError:
    return exceptions.ConfigurationError(
        '[image_signature] trusted_certificates: %s: %s; name files of certificates in PEM format.' % (place, reason))


def _text(moment: datetime.datetime) -> str:
    return moment.strftime('%Y-%m-%dT%H:%M:%SZ')
