"""Checks of the files: do they say something that the service can work with?"""
import os
import stat
from collections.abc import Iterator

from oslo_config import cfg

from glance import environment
from glance.conf import files, find_paste_file, legacy, validate
from glance.conf.validation import advice
from glance.diagnosis.result import Finding, failure, fine, warning
from glance.policies import protection
from glance.policies.enforcer import Enforcer

PROG = 'glance-api'


def options(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    """Every option has a value that makes sense, and they fit together."""
    read = files.files_read(conf)
    if not read:
        yield warning('No configuration file was found in ~/.glance, ~, /etc/glance and /etc; all options have their '
                      'defaults. Name one with --config-file.')
    yield from map(warning, advice(conf, PROG))
    validate(conf, PROG)
    if read:
        yield fine('Read from %s.' % ', '.join(read))


def old_names(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    """Options of former releases are named as they are now."""
    yield from map(warning, legacy.apply(conf))


def paste_file(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    """The paste file is there."""
    yield fine('%s, flavor %s.' % (find_paste_file(conf, PROG), conf.paste_deploy.flavor or '(none)'))


def image_schema(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    """The file with additional properties can be used."""
    schema = environment.load_extra_schema(conf)
    if not schema.properties:
        yield warning('schema-image.json was not found, or is empty: images have no predefined additional properties. Put '
                      'the one that is shipped next to the configuration file.')


def policies(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    """The policy files can be parsed."""
    Enforcer(conf)
    path = conf.find_file(conf.oslo_policy.policy_file)
    yield fine('The rules of %s are in force.' % path if path else 'There is no policy file; the default rules are in force.')


def property_protections(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    """The property protection file is valid."""
    if not conf.property_protection_file:
        yield fine('property_protection_file is not set; properties are not protected.')
        return
    protection.load(conf, Enforcer(conf))
    yield fine('%s is valid.' % conf.property_protection_file)


def permissions(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    """No file with passwords or keys can be read by everybody."""
    for path in dict.fromkeys([*files.files_read(conf), *_secret_files(conf)]):
        try:
            mode = stat.S_IMODE(os.stat(path).st_mode)
        except OSError as error:
            yield failure('%s: %s.' % (path, error.strerror))
            continue
        if mode & (stat.S_IROTH | stat.S_IWOTH | stat.S_IWGRP):
            yield warning('%s has mode %04o, so that others can %s it; give it 0640, owner root and group glance.'
                          % (path, mode, 'change' if mode & (stat.S_IWOTH | stat.S_IWGRP) else 'read'))


def _secret_files(conf: cfg.ConfigOpts) -> Iterator[str]:
    if conf.key_file:
        yield conf.key_file
    for section in [conf, *(conf[name] for name in (conf.enabled_backends or {}) if name in conf)]:
        path = section.get('swift_store_config_file') if 'swift_store_config_file' in section else None
        if path:
            yield conf.find_file(path) or path
