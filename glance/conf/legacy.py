"""Names of former releases: mapped where they have a successor, else ignored, always with one warning each."""

import fnmatch
from collections.abc import Sequence
from typing import NamedTuple

from oslo_config import cfg

from glance.conf import libraries
from glance.conf.errors import InvalidOptionValue
from glance.conf.files import files_read


class Setting(NamedTuple):
    """One assignment in a configuration file; of several for one option, the last."""

    section: str
    name: str
    value: str
    path: str


class Successor(NamedTuple):
    group: str
    name: str


_MAPPED = {
    ('DEFAULT', 'sql_connection'): Successor('database', 'connection'),
    ('DEFAULT', 'sql_idle_timeout'): Successor('database', 'connection_recycle_time'),
    ('DEFAULT', 'sql_max_retries'): Successor('database', 'max_retries'),
    ('DEFAULT', 'sql_retry_interval'): Successor('database', 'retry_interval'),
    ('database', 'idle_timeout'): Successor('database', 'connection_recycle_time'),
    ('DEFAULT', 'lock_path'): Successor('oslo_concurrency', 'lock_path'),
    ('DEFAULT', 'policy_file'): Successor('oslo_policy', 'policy_file'),
    ('DEFAULT', 'policy_default_rule'): Successor('oslo_policy', 'policy_default_rule'),
    ('keystone_authtoken', 'auth_uri'): Successor('keystone_authtoken', 'www_authenticate_uri'),
}

_IGNORED = {
    'DEFAULT': (
        'available_plugins', 'backdoor_port', 'cleanup_scrubber', 'cleanup_scrubber_time', 'db_auto_create',
        'db_enforce_mysql_charset', 'default_notification_level', 'enable_image_import', 'enable_v3_api',
        'enforce_secure_rbac', 'load_enabled', 'log_format', 'logfile_mode', 'notification_*', 'notifier_strategy',
        'pipe_handle', 'qpid_*', 'rabbit_*', 'scrubber_datadir', 'sqlalchemy_debug', 'use_syslog_rfc_format', 'verbose',
    ),
    'database': ('min_pool_size', 'sqlite_db', 'use_tpool'),
    'keystone_authtoken': (
        'admin_password', 'admin_tenant_name', 'admin_user', 'auth_host', 'auth_port', 'auth_protocol',
    ),
    'glance_search': ('*',),
    'search': ('*',),
}


def apply(conf: cfg.ConfigOpts) -> list[str]:
    """Give the successors of old names their values, unless they are set themselves; returns the warnings to log.

    ``conf`` has been parsed. A value from the old name ranks as the default of the new one.
    """
    warnings = []
    for setting in read_settings(conf).values():
        successor = _MAPPED.get((setting.section, setting.name))
        if successor:
            _hand_on(conf, setting, successor)
            warnings.append('%s: [%s] %s is an old name of [%s] %s; rename it.'
                            % (setting.path, setting.section, setting.name, successor.group, successor.name))
        elif _is_ignored(setting):
            warnings.append('%s: [%s] %s has no effect any more; remove it.'
                            % (setting.path, setting.section, setting.name))
    return warnings


def read_settings(conf: cfg.ConfigOpts) -> dict[tuple[str, str], Setting]:
    """What the configuration files of ``conf`` set, registered or not, by section and option name."""
    return read_files(files_read(conf))


def read_files(paths: Sequence[str]) -> dict[tuple[str, str], Setting]:
    """What the files set, the last one coming last."""
    settings = {}
    for path in paths:
        sections: dict[str, dict[str, list[str]]] = {}
        cfg.ConfigParser(path, sections).parse()
        for section, values in sections.items():
            for name, lines in values.items():
                settings[section, name] = Setting(section, name, lines[-1], path)
    return settings


def _hand_on(conf: cfg.ConfigOpts, setting: Setting, successor: Successor) -> None:
    libraries.register_group(conf, successor.group)
    try:
        conf.set_default(successor.name, setting.value, successor.group)
    except ValueError as error:
        raise InvalidOptionValue('%s: [%s] %s is not valid: %s'
                                 % (setting.path, setting.section, setting.name, error)) from None


def _is_ignored(setting: Setting) -> bool:
    return any(fnmatch.fnmatchcase(setting.name, pattern) for pattern in _IGNORED.get(setting.section, ()))
