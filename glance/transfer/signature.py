"""Verification of a signature over a stream, by the public key of a certificate."""
from collections.abc import Callable
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from glance import exceptions
from glance.domain.signature import Signature
from glance.transfer.hashing import Digest

_HASHES: dict[str, type[hashes.SHA224 | hashes.SHA256 | hashes.SHA384 | hashes.SHA512]] = {
    'SHA-224': hashes.SHA224, 'SHA-256': hashes.SHA256, 'SHA-384': hashes.SHA384, 'SHA-512': hashes.SHA512,
}
_ECC = 'ECC_'


class SignatureCheck:
    """A sink that hashes the stream and, at its end, holds the signature against the hash.

    RSA-PSS is used with MGF1 over the same hash and the longest salt (RFC 8017, section 8.1), ECC is ECDSA.

    :raises Invalid: when the certificate's key is not of the type that the signature is said to be made with
    """

    def __init__(self, signature: Signature, certificate: x509.Certificate):
        hash_type = _HASHES[signature.hash_method]
        self._signature = signature.value
        self._verify = _verifier(signature.key_type, certificate, hash_type())
        self._digest = Digest(hash_type.name)
        self.update = self._digest.update

    def finish(self) -> None:
        """Raise Invalid when the data is not what was signed."""
        try:
            self._verify(self._signature, bytes.fromhex(self._digest.hexdigest()))
        except (InvalidSignature, ValueError):
            raise exceptions.Invalid('The data does not match the signature.') from None


def _verifier(key_type: str, certificate: x509.Certificate, algorithm: Any) -> Callable[[bytes, bytes], None]:
    """Return what takes a signature and a digest, and raises InvalidSignature when they do not match."""
    if key_type.startswith(_ECC) and not hasattr(ec, key_type.removeprefix(_ECC)):
        raise exceptions.Invalid('Signatures of the type %s cannot be verified here: the curve is outdated and gone from the '
                                 'library that this service uses; sign with RSA-PSS, ECC_SECP384R1 or ECC_SECP521R1.'
                                 % key_type)
    try:
        key = certificate.public_key()
    except (UnsupportedAlgorithm, ValueError):
        raise exceptions.Invalid('The public key of the certificate is of a kind that this service does not support.'
                                 ) from None
    hashed = Prehashed(algorithm)
    if key_type == 'RSA-PSS' and isinstance(key, rsa.RSAPublicKey):
        scheme = padding.PSS(padding.MGF1(algorithm), padding.PSS.MAX_LENGTH)
        return lambda signature, digest: key.verify(signature, digest, scheme, hashed)
    if key_type == 'DSA' and isinstance(key, dsa.DSAPublicKey):
        return lambda signature, digest: key.verify(signature, digest, hashed)
    if isinstance(key, ec.EllipticCurvePublicKey) and key_type == _ECC + key.curve.name.upper():
        return lambda signature, digest: key.verify(signature, digest, ec.ECDSA(hashed))
    raise exceptions.Invalid('The public key of the certificate is not of the type %s.' % key_type)
