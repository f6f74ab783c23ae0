"""URLs of locations as the database keeps them: encrypted when there is a key, else as they are.

What is written is AES-GCM (NIST SP 800-38D): ``gcm1:<id of the key>:<base64 of nonce and ciphertext>``. What older
releases wrote is read too: the URL itself, or base64 of initialization vector and AES-CBC of the URL, NUL and padding.
"""
import base64
import binascii
import hashlib
import logging
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from glance import exceptions

LOG = logging.getLogger(__name__)

_PREFIX = 'gcm1:'
_NONCE_BYTES = 12
_BLOCK_BYTES = 16


class UrlCipher:
    """Encrypts and decrypts with ``key``: text of 16, 24 or 32 bytes, or None to write URLs as they are."""

    def __init__(self, key: str | None = None):
        self._key = key.encode() if key else None
        self._gcm = AESGCM(self._key) if self._key else None
        self._mark = _PREFIX + hashlib.sha256(b'glance location key' + (self._key or b'')).hexdigest()[:8] + ':'

    def seal(self, url: str) -> str:
        """Return what to store for the URL; something else each time when there is a key."""
        if self._gcm is None:
            return url
        nonce = os.urandom(_NONCE_BYTES)
        return self._mark + base64.urlsafe_b64encode(nonce + self._gcm.encrypt(nonce, url.encode(), None)).decode('ascii')

    def open(self, stored: str) -> str:
        """Return the URL that was stored. Raises LocationUnreadable when it is not of this key, or was tampered with."""
        if stored.startswith(_PREFIX):
            return self._open_gcm(stored)
        if '://' in stored or self._key is None:
            return stored
        return self._open_cbc(stored)

    def _open_gcm(self, stored: str) -> str:
        if self._gcm is None or not stored.startswith(self._mark):
            raise _unreadable('it was encrypted with another key')
        try:
            sealed = base64.urlsafe_b64decode(stored.removeprefix(self._mark))
            return self._gcm.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None).decode()
        except (InvalidTag, ValueError, binascii.Error):
            raise _unreadable('it was damaged') from None

    def _open_cbc(self, stored: str) -> str:
        try:
            sealed = base64.urlsafe_b64decode(stored)
            decryptor = Cipher(algorithms.AES(self._key), modes.CBC(sealed[:_BLOCK_BYTES])).decryptor()
            padded = decryptor.update(sealed[_BLOCK_BYTES:]) + decryptor.finalize()
            url, separator, _ = padded.rpartition(b'\0')
            text = url.decode()
        except (ValueError, binascii.Error):
            raise _unreadable('it is neither a URL nor encrypted with this key') from None
        # The old form proves nothing: with a wrong key it decrypts to noise.
        if not separator or '://' not in text:
            raise _unreadable('it was encrypted with another key')
        return text


def _unreadable(reason: str) -> exceptions.LocationUnreadable:
    LOG.error('The URL of a location in the database cannot be read: %s. Check [DEFAULT] metadata_encryption_key.', reason)
    return exceptions.LocationUnreadable()
