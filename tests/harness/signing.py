"""Key pairs, certificates and signatures of images, made anew by each test that needs them."""

import base64
import datetime
import functools

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa
from cryptography.x509.oid import NameOID

HASHES = {'SHA-224': hashes.SHA224, 'SHA-256': hashes.SHA256, 'SHA-384': hashes.SHA384, 'SHA-512': hashes.SHA512}
CURVES = ('SECT571K1', 'SECT409K1', 'SECT571R1', 'SECT409R1', 'SECP521R1', 'SECP384R1')
# Curves that the installed library has no more are left out.
KEY_TYPES = ('RSA-PSS', 'DSA', *('ECC_' + curve for curve in CURVES if hasattr(ec, curve)))
DAY = datetime.timedelta(days=1)


@functools.cache
def private_key(key_type):
    """Make a private key; the same one for the whole process, because some take long to make."""
    if key_type == 'RSA-PSS':
        return rsa.generate_private_key(65537, 2048)
    if key_type == 'DSA':
        return dsa.generate_private_key(2048)
    return ec.generate_private_key(getattr(ec, key_type.removeprefix('ECC_'))())


def certificate(key, issuer=None, issuer_key=None, not_before=-DAY, not_after=DAY, usage=None, ca=None, name='signer'):
    """Return a certificate for a key, signed by itself or by the issuer; times are distances from now.

    :param usage: names of key usages that it allows; None leaves the extension out
    :param ca: whether it is an authority; None leaves the extension out
    """
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(
        issuer_name=issuer.subject if issuer else subject, subject_name=subject, public_key=key.public_key(),
        serial_number=x509.random_serial_number(), not_valid_before=now + not_before, not_valid_after=now + not_after)
    if usage is not None:
        names = ('digital_signature', 'content_commitment', 'key_encipherment', 'data_encipherment', 'key_agreement',
                 'key_cert_sign', 'crl_sign', 'encipher_only', 'decipher_only')
        builder = builder.add_extension(x509.KeyUsage(**{name: name in usage for name in names}), True)
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca, None), True)
    return builder.sign(issuer_key or key, hashes.SHA256())


def write_server_certificate(path, name, not_after=DAY):
    """Write a key and a certificate for a host of this name, signed by itself, to a file; return the file's name."""
    key = private_key('ECC_SECP384R1')
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    found = x509.CertificateBuilder(
        issuer_name=subject, subject_name=subject, public_key=key.public_key(), serial_number=x509.random_serial_number(),
        not_valid_before=now - DAY, not_valid_after=now + not_after, extensions=[x509.Extension(
            x509.SubjectAlternativeName.oid, False, x509.SubjectAlternativeName([x509.DNSName(name)]))],
    ).sign(key, hashes.SHA256())
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_text(private.decode() + pem(found))
    return str(path)


def der(found):
    return found.public_bytes(serialization.Encoding.DER)


def pem(found):
    return found.public_bytes(serialization.Encoding.PEM).decode()


def sign(data, key_type, hash_method='SHA-256', key=None):
    """Return the base64 of a signature."""
    key, algorithm = key or private_key(key_type), HASHES[hash_method]()
    if key_type == 'RSA-PSS':
        signature = key.sign(data, padding.PSS(padding.MGF1(algorithm), padding.PSS.MAX_LENGTH), algorithm)
    elif key_type == 'DSA':
        signature = key.sign(data, algorithm)
    else:
        signature = key.sign(data, ec.ECDSA(algorithm))
    return base64.b64encode(signature).decode()


def properties(data, certificate_id, key_type='RSA-PSS', hash_method='SHA-256', **others):
    """Return the four properties of an image with this data; ``others`` replace some, None leaves one out."""
    found = {'img_signature': sign(data, key_type, hash_method), 'img_signature_hash_method': hash_method,
             'img_signature_key_type': key_type, 'img_signature_certificate_uuid': certificate_id, **others}
    return {name: value for name, value in found.items() if value is not None}
