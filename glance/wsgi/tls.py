"""The TLS context of the server from ``cert_file``, ``key_file`` and ``ca_file``; errors name option and file."""

import datetime
import logging
import os
import ssl
import stat

from glance.exceptions import ConfigurationError
from glance.wsgi.settings import Settings

LOG = logging.getLogger(__name__)

HANDSHAKE_SECONDS = 10
_LOOSEST_KEY_MODE = 0o640


def make_context(settings: Settings) -> ssl.SSLContext | None:
    """The context, or None when TLS is not configured.

    :raises ConfigurationError: only one file of the pair is set, a file is unreadable or no PEM, the key does not
        belong to the certificate, or a version or cipher is unknown
    """
    if not settings.cert_file and not settings.key_file:
        if settings.ca_file:
            LOG.warning('ca_file is set without cert_file and key_file; TLS is off and no client is verified.')
        return None
    if not settings.cert_file or not settings.key_file:
        raise ConfigurationError('TLS needs both cert_file and key_file; only one of them is set.')
    _readable('cert_file', settings.cert_file)
    _readable('key_file', settings.key_file)
    _warn_about_key_mode(settings.key_file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(['http/1.1'])
    _restrict(context, settings)
    _check_certificate(settings.cert_file)
    _load_pair(context, settings)
    if settings.ca_file:
        _require_client_certificates(context, settings.ca_file)
    return context


def _readable(option: str, path: str) -> None:
    try:
        with open(path, 'rb'):
            pass
    except OSError as error:
        raise ConfigurationError('%s = %s cannot be read: %s.' % (option, path, error.strerror)) from None


def _warn_about_key_mode(path: str) -> None:
    mode = stat.S_IMODE(os.stat(path).st_mode)
    if mode & ~_LOOSEST_KEY_MODE:
        LOG.warning('key_file = %s has mode %04o; it should be %04o or stricter.', path, mode, _LOOSEST_KEY_MODE)


def _restrict(context: ssl.SSLContext, settings: Settings) -> None:
    versions = {'TLSv1.2': ssl.TLSVersion.TLSv1_2, 'TLSv1.3': ssl.TLSVersion.TLSv1_3}
    if settings.ssl_min_version not in versions:
        raise ConfigurationError('ssl_min_version = %s is not known; write TLSv1.2 or TLSv1.3.'
                                 % settings.ssl_min_version)
    context.minimum_version = versions[settings.ssl_min_version]
    if settings.ssl_ciphers:
        try:
            context.set_ciphers(settings.ssl_ciphers)
        except ssl.SSLError:
            raise ConfigurationError('ssl_ciphers = %s selects no cipher that OpenSSL knows.'
                                     % settings.ssl_ciphers) from None


def _check_certificate(path: str) -> None:
    from cryptography import x509  # costs memory that a server without TLS should not pay
    try:
        with open(path, 'rb') as file:
            certificate = x509.load_pem_x509_certificate(file.read())
    except ValueError:
        raise ConfigurationError('cert_file = %s holds no certificate in PEM format.' % path) from None
    if certificate.not_valid_after_utc < datetime.datetime.now(datetime.UTC):
        LOG.error('The certificate in cert_file = %s expired on %s; clients will refuse it.',
                  path, certificate.not_valid_after_utc.date())


def _load_pair(context: ssl.SSLContext, settings: Settings) -> None:
    def refuse_passphrase():
        raise ConfigurationError('key_file = %s is encrypted; the server needs a key without a passphrase.'
                                 % settings.key_file)
    try:
        context.load_cert_chain(settings.cert_file, settings.key_file, password=refuse_passphrase)
    except ssl.SSLError as error:
        if error.reason in ('KEY_VALUES_MISMATCH', 'KEY_TYPE_MISMATCH'):
            raise ConfigurationError('key_file = %s does not belong to the certificate in cert_file = %s.'
                                     % (settings.key_file, settings.cert_file)) from None
        raise ConfigurationError('key_file = %s holds no private key in PEM format that fits cert_file = %s.'
                                 % (settings.key_file, settings.cert_file)) from None


def _require_client_certificates(context: ssl.SSLContext, path: str) -> None:
    _readable('ca_file', path)
    try:
        context.load_verify_locations(cafile=path)
    except ssl.SSLError:
        raise ConfigurationError('ca_file = %s holds no certificates in PEM format.' % path) from None
    context.verify_mode = ssl.CERT_REQUIRED
