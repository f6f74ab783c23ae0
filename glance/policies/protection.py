"""Property protections: who may create, read, update and delete which additional property of an image.

The operator's file names people by role or by rule of the policy file. Each of its sections is for the properties in whose
names its own name, a regular expression, is found:

    [^billing_]
    create = admin
    read = admin,auditor
    update = admin
    delete = !

The first section that fits a property decides, even when it refuses; a property that fits none is refused to everybody.
"""
import configparser
import dataclasses
import logging
import re
from collections.abc import Callable, Iterable, Mapping

from oslo_config import cfg

from glance.conf.files import find_file
from glance.context import RequestContext
from glance.domain.properties import INTERNAL_PREFIX
from glance.exceptions import ConfigurationError
from glance.policies.enforcer import Enforcer

LOG = logging.getLogger(__name__)

ACTIONS = ('create', 'read', 'update', 'delete')
_EVERYBODY, _NOBODY = '@', '!'


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """Whom the properties that fit the pattern are open to: for each action the names of roles, or of one policy rule."""

    pattern: re.Pattern[str]
    admitted: Mapping[str, frozenset[str]]


# The service keeps books in properties of its own, whatever the operator protects. Clients cannot write them anyway.
_INTERNAL = Rule(re.compile(r'\A' + INTERNAL_PREFIX), dict.fromkeys(ACTIONS, frozenset((_EVERYBODY,))))


class Permissions:
    """What one caller may do with properties. ``passes`` tells whether a name in the rules is one of the caller's."""

    def __init__(self, rules: Iterable[Rule], passes: Callable[[str], bool]):
        self._rules, self._passes = rules, passes
        self._decisions: dict[tuple[str, str], bool] = {}

    def allow(self, action: str, name: str) -> bool:
        """Tell whether the caller may do this, one of ``ACTIONS``, with the property of this name."""
        decision = self._decisions.get((action, name))
        if decision is None:
            decision = self._decisions[action, name] = self._decide(action, name)
        return decision

    def _decide(self, action: str, name: str) -> bool:
        for rule in self._rules:
            if rule.pattern.search(name):
                admitted = rule.admitted[action]
                return _EVERYBODY in admitted or any(map(self._passes, admitted))
        return False


class Protections:
    """The rules of one process, in their order. With an enforcer they name rules of the policy file, without it roles."""

    def __init__(self, rules: Iterable[Rule], enforcer: Enforcer | None = None):
        self._rules, self._enforcer = (_INTERNAL, *rules), enforcer

    def of(self, context: RequestContext) -> Permissions:
        """Return what this caller may do, for the length of one request."""
        return Permissions(self._rules, self._names_of(context))

    def _names_of(self, context: RequestContext) -> Callable[[str], bool]:
        enforcer = self._enforcer
        if enforcer is not None:
            return lambda rule: enforcer.allows(context, rule, {})
        # A service that acts for the caller lends its roles to this decision and to no other one.
        return frozenset((*context.roles, *context.service_roles)).__contains__


def load(conf: cfg.ConfigOpts, enforcer: Enforcer) -> Protections | None:
    """Read the file that ``property_protection_file`` names; None when the option is not set.

    Raises ConfigurationError naming the file, the section or line, the key and the reason.
    """
    name = conf.property_protection_file
    if not name:
        return None
    path = find_file(name, conf)
    if path is None:
        raise ConfigurationError('The file %s that [DEFAULT] property_protection_file names was not found; give its '
                                 'absolute path, or put it next to the configuration file.' % name)
    by_roles = conf.property_protection_rule_format == 'roles'
    try:
        rules = _rules(_parse(path), _roles if by_roles else _policy_rule, path)
    except _Fault as fault:
        raise ConfigurationError('The property protection file %s is not valid: %s.' % (path, fault)) from fault
    if not rules:
        LOG.warning('The property protection file %s has no section: additional properties are refused to everybody.', path)
    return Protections(rules, None if by_roles else enforcer)


class _Fault(Exception):
    """What is wrong in the file, as the end of a sentence."""


def _parse(path: str) -> configparser.RawConfigParser:
    # No section lends its values to others: [DEFAULT] is a regular expression like any other.
    parser = configparser.RawConfigParser(default_section='')
    try:
        with open(path, encoding='utf-8') as file:
            parser.read_file(file)
    except OSError as error:
        raise _Fault('it cannot be read: %s' % error.strerror) from error
    except UnicodeDecodeError as error:
        raise _Fault('it is not UTF-8 text') from error
    except configparser.MissingSectionHeaderError as error:
        raise _Fault('line %d stands before the first section; begin with a line like [^x_]' % error.lineno) from error
    except configparser.ParsingError as error:
        raise _Fault('line %d is neither a section nor "key = value"' % error.errors[0][0]) from error
    except configparser.DuplicateSectionError as error:
        raise _Fault('line %d begins the section [%s] again' % (error.lineno, error.section)) from error
    except configparser.DuplicateOptionError as error:
        raise _Fault('line %d gives section [%s] the key "%s" again' % (error.lineno, error.section, error.option)) from error
    return parser


def _rules(parser: configparser.RawConfigParser, names_in: Callable[[str], frozenset[str]], path: str) -> list[Rule]:
    rules = []
    for section in parser.sections():
        if section.startswith(INTERNAL_PREFIX):
            LOG.warning('%s: section [%s] has no effect; properties %s* belong to the service.', path, section,
                        INTERNAL_PREFIX)
            continue
        rules.append(Rule(_pattern(section), _admitted(section, parser[section], names_in)))
        for action, names in rules[-1].admitted.items():
            if not names and parser[section][action] != _NOBODY:
                LOG.warning('%s: section [%s] lets nobody %s; write ! to say so.', path, section, action)
    return rules


def _pattern(section: str) -> re.Pattern[str]:
    try:
        return re.compile(section)
    except (re.error, OverflowError, RecursionError) as error:
        raise _Fault('section [%s] is no regular expression: %s' % (section, error)) from error


def _admitted(section: str, values: Mapping[str, str], names_in: Callable[[str], frozenset[str]]
              ) -> dict[str, frozenset[str]]:
    admitted = {}
    for action in ACTIONS:
        if action not in values:
            raise _Fault('section [%s] lacks the key "%s"; write %s = ! to let nobody do so' % (section, action, action))
        try:
            admitted[action] = names_in(values[action])
        except _Fault as fault:
            raise _Fault('section [%s], key "%s": %s' % (section, action, fault)) from fault
    return admitted


def _roles(value: str) -> frozenset[str]:
    roles = frozenset(role.strip().lower() for role in value.split(',')) - {''}
    if {_EVERYBODY, _NOBODY} <= roles:
        raise _Fault('@ (everybody) and ! (nobody) contradict each other; remove one')
    for role in roles:
        if '\n' in role:
            raise _Fault('"%s" must be one role on one line; separate roles with commas' % ' '.join(role.split()))
    return frozenset() if _NOBODY in roles else roles


def _policy_rule(value: str) -> frozenset[str]:
    if ',' in value or '\n' in value:
        raise _Fault('"%s" must be the name of one rule; combine rules in the policy file' % ' '.join(value.split()))
    return frozenset((value,)) - {'', _NOBODY}
