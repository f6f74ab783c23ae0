"""Evaluates the rules for a caller and a target, and follows changes of the policy files."""
import json
import logging
import os
import threading
import time
from collections.abc import Mapping
from typing import Any

import yaml
from oslo_config import cfg
from oslo_policy import opts, policy

from glance import exceptions, policies
from glance.context import RequestContext
from glance.policies.verdicts import Verdicts

LOG = logging.getLogger(__name__)

# Seconds between looks at the policy files; a check in between costs no system call.
_LOOK_INTERVAL = 1.0


class Enforcer:
    """The rules of one process.

    A file that is broken at start raises ConfigurationError; one that breaks later is logged and the last good rules
    stay. Rules are rebuilt from the defaults and all files, so removing an override takes effect.
    """

    def __init__(self, conf: cfg.ConfigOpts):
        self._conf = conf
        self._lock = threading.Lock()
        self._seen = _fingerprint(conf)
        self._looked = time.monotonic()
        self._rules = _load(conf)

    def allows(self, context: RequestContext, rule: str, target: Mapping[str, Any]) -> bool:
        """Tell whether the caller passes the rule for the target; a rule that does not exist is passed by nobody."""
        self._follow_files()
        return self._rules.allow(context, rule, target)

    def check(self, context: RequestContext, rule: str, target: Mapping[str, Any]) -> None:
        """Raise Forbidden, naming the rule, unless the caller passes it."""
        if not self.allows(context, rule, target):
            raise exceptions.Forbidden('You are not authorized to complete %s action.' % rule)

    def is_overridden(self, rule: str) -> bool:
        """Tell whether a policy file says something else than the default, or repeats it."""
        self._follow_files()
        return rule in self._rules.overridden

    def _follow_files(self) -> None:
        now = time.monotonic()
        if now - self._looked < _LOOK_INTERVAL or not self._lock.acquire(blocking=False):
            return
        try:
            self._looked = now
            seen = _fingerprint(self._conf)
            if seen != self._seen:
                self._seen = seen
                self._rules = _load(self._conf)
                LOG.info('The policy files changed; the new rules are in force.')
        except exceptions.ConfigurationError as error:
            LOG.error('%s The rules read before stay in force.', error)
        finally:
            self._lock.release()


def get_enforcer() -> policy.Enforcer:
    """Return the library's enforcer with our defaults; the entry point ``oslo.policy.enforcer`` calls this."""
    conf = cfg.CONF
    if not conf.config_file and not conf.config_dir:
        conf([], project='glance', prog='glance-api')
    return _enforcer(conf)


def _enforcer(conf: cfg.ConfigOpts) -> policy.Enforcer:
    opts.set_defaults(conf)
    # The library warns about each rule whose default once was another one; operators who choose the old defaults
    # (enforce_new_defaults) know that, and read about it in the sample file.
    # A rule that nobody defined is passed by nobody: the library's fallback is pointed at a name that has no rule.
    rules = policy.Enforcer(conf, policy_file=_policy_file(conf), default_rule='undefined')
    rules.suppress_deprecation_warnings = True
    rules.suppress_default_change_warnings = True
    rules.register_defaults(list(policies.list_rules()))
    return rules


def _load(conf: cfg.ConfigOpts) -> Verdicts:
    for path in _files(conf):
        _check_file(path)
    if _policy_file(conf):
        LOG.warning('Reading rules from policy.json; convert the file with oslopolicy-convert-json-to-yaml and name '
                    'it policy.yaml.')
    rules = _enforcer(conf)
    rules.load_rules(force_reload=True)
    # From here on the files are watched by this module, which keeps the last good rules when one breaks.
    rules.use_conf = False
    return Verdicts(rules)


def _policy_file(conf: cfg.ConfigOpts) -> str | None:
    """Return the name of the policy file to use instead of the configured one, or None.

    The JSON file of older installations is read where the YAML file was neither named nor written.
    """
    opts.set_defaults(conf)
    if conf.oslo_policy.policy_file == 'policy.yaml' and not conf.find_file('policy.yaml') \
            and conf.find_file('policy.json'):
        return 'policy.json'
    return None


def _files(conf: cfg.ConfigOpts) -> list[str]:
    opts.set_defaults(conf)
    found = []
    path = conf.find_file(_policy_file(conf) or conf.oslo_policy.policy_file)
    if path:
        found.append(path)
    for name in conf.oslo_policy.policy_dirs:
        folder = conf.find_file(name)
        if folder and os.path.isdir(folder):
            found += sorted(os.path.join(folder, entry) for entry in os.listdir(folder) if not entry.startswith('.'))
    return [path for path in found if os.path.isfile(path)]


def _fingerprint(conf: cfg.ConfigOpts) -> list[tuple[str, int, int]]:
    state = []
    for path in _files(conf):
        try:
            entry = os.stat(path)
        except OSError:
            continue
        state.append((path, entry.st_mtime_ns, entry.st_size))
    return state


def _check_file(path: str) -> None:
    try:
        with open(path, encoding='utf-8') as file:
            text = file.read()
        rules = json.loads(text) if path.endswith('.json') else yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, ValueError, yaml.YAMLError) as error:
        raise exceptions.ConfigurationError('The policy file %s cannot be read: %s.'
                                            % (path, ' '.join(str(error).split()))) from error
    if rules is not None and not isinstance(rules, dict):
        raise exceptions.ConfigurationError(
            'The policy file %s must map names of rules to check strings, for example "get_image": "role:reader".' % path)
    for name, check in (rules or {}).items():
        if not isinstance(name, str) or not isinstance(check, str | list):
            raise exceptions.ConfigurationError('The policy file %s gives the rule %r the value %r, which is no check '
                                                'string; write it in quotes.' % (path, name, check))
