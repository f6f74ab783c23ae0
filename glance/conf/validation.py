"""A configuration is checked as a whole before anything starts: every value, then what must fit together."""

import ipaddress
import os
import re
from collections.abc import Iterator, Mapping

from oslo_config import cfg

from glance.conf import cache, imports, legacy, sections
from glance.conf.errors import InvalidOptionValue
from glance.conf.files import is_set
from glance.exceptions import ConfigurationError

_NO_NUMBER = re.compile(r'invalid literal for int\(\) with base 10: (.+)')
SERVERS = ('glance-api', 'glance-registry')
CACHE_PROGRAMS = ('glance-cache-cleaner', 'glance-cache-pruner', 'glance-cache-prefetcher')


def validate(conf: cfg.ConfigOpts, prog: str = 'glance-api') -> None:
    """Read every registered option once and check combinations of them for the program.

    Raises InvalidOptionValue for a single value, ConfigurationError for a combination; both name the options and what
    to change.
    """
    check_values(conf)
    _check_scrubber(conf)
    if prog in SERVERS:
        _check_tls(conf)
        _check_trusted_auth(conf, prog)
    if prog == 'glance-api' and cache.in_pipeline(conf) or prog in CACHE_PROGRAMS:
        cache.check(conf)


def check_values(conf: cfg.ConfigOpts) -> None:
    """Read every registered option once; raises InvalidOptionValue for the first that is not valid."""
    for name in conf:
        value = _read(conf, conf, 'DEFAULT', name)
        if isinstance(value, cfg.ConfigOpts.GroupAttr):
            for option in value:
                _read(conf, value, name, option)


def require_database(conf: cfg.ConfigOpts) -> None:
    """Raise ConfigurationError unless the program knows its database, or keeps its records elsewhere."""
    if conf.data_api == 'glance.db.sqlalchemy.api' and not conf.database.connection:
        raise ConfigurationError('[database] connection is not set; give it the URL of the database, e.g. '
                                 'mysql+pymysql://glance:PASSWORD@controller/glance')


def advice(conf: cfg.ConfigOpts, prog: str) -> Iterator[str]:
    """Settings that work but ask for a second thought, as sentences for the log."""
    if prog in SERVERS:
        if not conf.owner_is_tenant:
            yield ('[DEFAULT] owner_is_tenant is false: images belong to users. On a database that was used with true, '
                   'projects lose their images.')
        if conf.admin_role:
            yield '[DEFAULT] admin_role makes holders of the role administrators whatever the policy file says.'
        if is_set(conf, 'digest_algorithm'):
            yield '[DEFAULT] digest_algorithm has no effect any more; remove it.'
    if prog == 'glance-registry' and not conf.paste_deploy.flavor and not (is_loopback(conf.bind_host) or conf.ca_file):
        yield ('[paste_deploy] flavor is not set: whoever reaches %s can read and change every record. Set it to keystone, '
               'or bind_host to 127.0.0.1, or demand certificates of clients with ca_file.' % conf.bind_host)
    if prog == 'glance-registry' and conf.registry_trust_any_peer and not is_loopback(conf.bind_host):
        yield ('[DEFAULT] registry_trust_any_peer is true: whoever reaches %s can say that he is a service, and change every '
               'record. Set registry_shared_secret here and on the API nodes instead.' % conf.bind_host)
    if prog == 'glance-api':
        if conf.node_staging_uri == imports.DEFAULT_STAGING_URI and not conf.enabled_backends:
            yield ('[DEFAULT] node_staging_uri is left at %s, which every user of this host can see and which may not '
                   'survive a restart; set it to a directory of the service.' % imports.DEFAULT_STAGING_URI)
        for name in ('show_multiple_locations', 'show_image_direct_url'):
            if conf[name]:
                yield ('[DEFAULT] %s is true: who sees an image learns where its data is, and may reach it there past this '
                       'service; set it to false unless compute or volume services need it.' % name)
        if conf.show_multiple_locations and not conf.verify_added_locations:
            yield ('[DEFAULT] verify_added_locations is false: who may add locations can exchange the data of images in '
                   'use; set it to true.')
        if not (conf.paste_deploy.flavor or ''):
            yield from _advice_without_identity(conf)
        if conf.task.task_executor == 'eventlet':
            yield '[task] task_executor = eventlet is an old name of taskflow; rename it.'


def _advice_without_identity(conf: cfg.ConfigOpts) -> Iterator[str]:
    if not is_loopback(conf.bind_host) or legacy.read_settings(conf).get(('keystone_authtoken', 'auth_url')):
        yield ('[paste_deploy] flavor is empty: everybody who reaches %s is an administrator. Set it to keystone, or '
               'bind_host to 127.0.0.1.' % conf.bind_host)


def _read(conf: cfg.ConfigOpts, options: Mapping, section: str, name: str):
    try:
        return options[name]
    except (ValueError, cfg.Error) as error:
        raise InvalidOptionValue(_describe(conf, section, name, error.__context__ or error)) from None


def _describe(conf: cfg.ConfigOpts, section: str, name: str, reason: BaseException) -> str:
    option = sections.option(section, name)
    former = [(old.group or section, old.name or name) for old in option.deprecated_opts] if option else []
    origin, value = _origin(conf, [(section, name), *former])
    shown = '' if value is None or (option and option.secret) else ' = %s' % value
    return '%s: [%s] %s%s is not valid: %s' % (origin, section, name, shown, plain(reason))


def plain(reason: BaseException | str) -> str:
    """What is wrong with a value, without the words of Python."""
    return _NO_NUMBER.sub(r'\1 is no whole number', str(reason))


def _origin(conf: cfg.ConfigOpts, names: list[tuple[str, str]]) -> tuple[str, str | None]:
    """Who sets the first of the (section, option) names: file or environment variable, and the text of the value."""
    variable = 'OS_%s__%s' % tuple(part.upper() for part in names[0])
    if variable in os.environ:
        return 'Environment variable %s' % variable, os.environ[variable]
    settings = legacy.read_settings(conf)
    for key in names:
        if key in settings:
            return settings[key].path, settings[key].value
    return 'Configuration', None


def _check_scrubber(conf: cfg.ConfigOpts) -> None:
    if 'restore' in conf and sum(map(bool, (conf.daemon, conf.restore, conf.dry_run))) > 1:
        raise ConfigurationError('Of --daemon, --restore and --dry-run only one can be used at a time.')


def _check_tls(conf: cfg.ConfigOpts) -> None:
    if bool(conf.cert_file) != bool(conf.key_file):
        present, missing = ('cert_file', 'key_file') if conf.cert_file else ('key_file', 'cert_file')
        raise ConfigurationError('[DEFAULT] %s is set and %s is not; TLS needs both cert_file and key_file.'
                                 % (present, missing))


def _check_trusted_auth(conf: cfg.ConfigOpts, prog: str) -> None:
    flavor = conf.paste_deploy.flavor or ''
    if prog == 'glance-registry' and (conf.registry_shared_secret or conf.ca_file or conf.registry_trust_any_peer):
        return
    if 'trusted-auth' in flavor.split('+') and not conf.trusted_proxies and not is_loopback(conf.bind_host):
        raise ConfigurationError('[paste_deploy] flavor = %s believes identity headers from anybody who reaches %s; '
                                 'set [DEFAULT] trusted_proxies to the networks of the proxies, or bind_host to '
                                 '127.0.0.1.'
                                 % (flavor, conf.bind_host))


def is_loopback(host: str) -> bool:
    """Tell whether an address, or a name, means this host to itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == 'localhost'
