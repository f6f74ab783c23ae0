"""The signature of an image's data, as four properties tell it."""
import base64
import binascii
import dataclasses
from collections.abc import Mapping
from typing import Self

from glance import exceptions

SIGNATURE = 'img_signature'
HASH_METHOD = 'img_signature_hash_method'
KEY_TYPE = 'img_signature_key_type'
CERTIFICATE = 'img_signature_certificate_uuid'
PROPERTIES = (SIGNATURE, HASH_METHOD, KEY_TYPE, CERTIFICATE)

HASH_METHODS = ('SHA-224', 'SHA-256', 'SHA-384', 'SHA-512')
KEY_TYPES = ('RSA-PSS', 'DSA', 'ECC_SECT571K1', 'ECC_SECT409K1', 'ECC_SECT571R1', 'ECC_SECT409R1', 'ECC_SECP521R1',
             'ECC_SECP384R1')


@dataclasses.dataclass(frozen=True)
class Signature:
    """A signature over the data of an image; the certificate is named by its id in the key manager."""

    value: bytes
    hash_method: str
    key_type: str
    certificate_id: str

    @classmethod
    def of(cls, properties: Mapping[str, str | None]) -> Self | None:
        """Return the signature that the properties describe, or None. Raises Invalid when they do not make one."""
        check_complete(properties)
        if SIGNATURE not in properties:
            return None
        value, hash_method, key_type, certificate_id = (properties[name] or '' for name in PROPERTIES)
        for name, given, known in ((HASH_METHOD, hash_method, HASH_METHODS), (KEY_TYPE, key_type, KEY_TYPES)):
            if given not in known:
                raise exceptions.Invalid('%r is not a valid value of %s; use one of: %s.'
                                         % (given[:80], name, ', '.join(known)))
        try:
            return cls(base64.b64decode(value, validate=True), hash_method, key_type, certificate_id)
        except (binascii.Error, ValueError):
            raise exceptions.Invalid('The value of %s is not valid base64.' % SIGNATURE) from None


def check_complete(properties: Mapping[str, str | None]) -> None:
    """Raise Invalid when some of the four properties are there and some are not."""
    missing = [name for name in PROPERTIES if name not in properties]
    if missing and len(missing) < len(PROPERTIES):
        raise exceptions.Invalid('A signed image needs all of the properties %s; missing: %s.'
                                 % (', '.join(PROPERTIES), ', '.join(missing)))
