"""Checks of what makes an installation unsafe, although everything works."""
import datetime
import pathlib
from collections.abc import Iterator

from oslo_config import cfg

from glance.conf import legacy
from glance.conf.files import is_set
from glance.conf.validation import is_loopback
from glance.diagnosis import identity
from glance.diagnosis.result import Finding, failure, warning

_SOON = datetime.timedelta(days=30)
# Options, the value that asks for a second thought, and the reason; the safer value is the other one.
_SWITCHES = (
    (None, 'show_multiple_locations', True, 'users see and can change where the bytes of images are (OSSN-0065)'),
    (None, 'show_image_direct_url', True, 'users see where the bytes of images are (OSSN-0065)'),
    (None, 'allow_anonymous_access', True, 'public images can be seen without a token'),
    (None, 'enable_v1_api', True, 'the old API has no policies for much of what it does; keep it only for clients that need '
                                  'it'),
    (None, 'do_secure_hash', False, 'hashes of locations are taken from clients unchecked'),
    ('oslo_policy', 'enforce_scope', False, 'tokens of any scope are accepted'),
    ('oslo_policy', 'enforce_new_defaults', False, 'every role may do what members may'),
)


def findings(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    """Every unsafe setting, with the option and its safer value."""
    yield from _authentication(conf)
    for group, name, unsafe, reason in _SWITCHES:
        section = conf if group is None else conf.get(group) if group in conf else None
        if section is not None and name in section and section[name] == unsafe:
            yield warning('[%s] %s = %s: %s. The safer value is %s.'
                          % (group or 'DEFAULT', name, str(unsafe).lower(), reason, str(not unsafe).lower()))
    yield from _insecure(conf)
    origin = legacy.read_settings(conf).get(('cors', 'allowed_origin'))
    if origin and '*' in origin.value:
        yield warning('[cors] allowed_origin = *: any web page can act with the token of who looks at it. Name the origins.')


def _authentication(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    parts = (conf.paste_deploy.flavor or '').split('+')
    if 'trusted-auth' in parts and not conf.trusted_proxies:
        yield warning('[DEFAULT] trusted_proxies is not set: identity headers are believed from anybody who reaches the '
                      'service. Set it to the networks of the proxies.')
    elif not identity.is_used(conf) and 'trusted-auth' not in parts:
        reach = 'on this host' if is_loopback(conf.bind_host) else 'who reaches %s' % conf.bind_host
        yield failure('[paste_deploy] flavor = %s checks no tokens: everybody %s is an administrator. Set it to keystone.'
                      % (conf.paste_deploy.flavor or '', reach))


def _insecure(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    """Options that switch the check of certificates off; https_insecure is without effect until it is set."""
    for group in (None, *conf):
        section = conf if group is None else conf[group]
        if group is not None and not isinstance(section, cfg.ConfigOpts.GroupAttr):
            continue
        for name in section:
            if name.endswith('insecure') and section[name] is True and is_set(conf, name, group):
                yield warning('[%s] %s = true: certificates are not checked, so that who is in between reads and changes '
                              'everything. Set it to false, and name the certificate authority.' % (group or 'DEFAULT', name))


def certificate(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    """The certificate of the server is valid for a while."""
    if not conf.cert_file:
        return
    from cryptography import x509
    try:
        found = x509.load_pem_x509_certificate(pathlib.Path(conf.cert_file).read_bytes())
    except OSError as error:
        yield failure('[DEFAULT] cert_file = %s cannot be read: %s.' % (conf.cert_file, error.strerror))
        return
    except ValueError:
        yield failure('[DEFAULT] cert_file = %s holds no certificate in PEM format.' % conf.cert_file)
        return
    end = found.not_valid_after_utc
    left = end - datetime.datetime.now(datetime.UTC)
    if left < datetime.timedelta():
        yield failure('The certificate in %s expired on %s; clients refuse it. Replace it and reload the service.'
                      % (conf.cert_file, end.date()))
    elif left < _SOON:
        yield warning('The certificate in %s expires on %s; replace it and reload the service.' % (conf.cert_file, end.date()))
