"""Verdicts say what the library would."""
import itertools
import unittest

from oslo_policy import policy

from glance.policies import enforcer, verdicts
from tests.unit.layers import fakes
from tests.unit.layers.fakes import OWNER, STRANGER

CHECKS = ('', '@', '!', 'role:reader', 'not role:reader', 'role:reader and role:member', 'role:reader or role:member',
          'not (role:reader or project_id:%(project_id)s)', 'rule:get_images', 'rule:absent', 'not rule:absent', 'rule:other',
          'project_id:%(project_id)s', 'tenant:%(project_id)s', 'project_id:%(absent)s', 'absent:%(project_id)s',
          "'public':%(visibility)s", 'True:%(protected)s', 'system:all', 'role:%(visibility)s')
TARGETS = ({}, {'project_id': OWNER, 'visibility': 'public', 'protected': True},
           {'project_id': STRANGER, 'visibility': 'reader', 'protected': False})


class Moody(policy.Check):
    """A check of another package: passes whom its name says, and is not told which rule it is part of."""

    def __call__(self, target, creds, enforcer):
        return self.match in creds['roles'] and enforcer.registered_rules


class VerdictsTest(unittest.TestCase):

    def setUp(self):
        conf = fakes.make_conf(fakes.temporary_directory(self), '[DEFAULT]\n')
        self.reference = enforcer._enforcer(conf)

    def test_every_rule_by_default(self):
        self.reference.load_rules()
        self.check_same(self.reference.registered_rules)

    def test_every_kind_of_check(self):
        policy.register('moody', Moody)
        self.addCleanup(policy._checks.registered_checks.pop, 'moody')
        rules = {'rule%d' % number: check for number, check in enumerate((*CHECKS, 'moody:reader and role:member'))}
        self.reference.set_rules(policy.Rules.from_dict({**rules, 'get_images': 'role:member', 'other': 'rule:rule3'},
                                                      'undefined'), use_conf=False)
        self.check_same([*rules, 'absent'])

    def check_same(self, rules):
        ours = verdicts.Verdicts(self.reference)
        for roles, project, target in itertools.product(((), ('reader',), ('READER', 'member'), ('admin',)),
                                                        (OWNER, None), TARGETS):
            for scope in ({}, {'system_scope': 'all'}, {'domain_id': 'd'}):
                caller = fakes.caller(roles=roles, project=project, **scope)
                for rule in rules:
                    with self.subTest(rule=rule, roles=roles, project=project, target=target, scope=scope):
                        self.assertIs(bool(self.reference.enforce(rule, target, dict(caller.credentials))),
                                      ours.allow(caller, rule, target))
