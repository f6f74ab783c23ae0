"""The rules as functions of a target and a caller's credentials.

oslo.policy reads and parses the rules. It can evaluate them, too, but inspects the signature of every part of a rule each
time that it is asked, which takes longer than the whole rule.
"""
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from oslo_policy import policy

from glance.context import RequestContext

Verdict = Callable[[Mapping[str, Any], dict[str, Any]], bool]


class Verdicts:
    """What the loaded rules of an enforcer say; they are as they were when this was made.

    :ivar overridden: the names of the rules that stand in files
    """

    def __init__(self, enforcer: policy.Enforcer):
        self.overridden = frozenset(enforcer.file_rules)
        self._enforcer = enforcer
        self._scopes = {name: rule.scope_types for name, rule in enforcer.registered_rules.items()}
        self._verdicts = {name: self._verdict(check, name) for name, check in enforcer.rules.items()}

    def allow(self, context: RequestContext, rule: str, target: Mapping[str, Any]) -> bool:
        """Tell whether the caller passes the rule for the target; a rule that does not exist is passed by nobody."""
        scopes = self._scopes.get(rule)
        if scopes and context.scope not in scopes:
            return False
        return self._named(rule, target, context.credentials)

    def _named(self, rule: str, target: Mapping[str, Any], credentials: dict[str, Any]) -> bool:
        verdict = self._verdicts.get(rule)
        return verdict is not None and bool(verdict(target, credentials))

    def _verdict(self, check: Any, rule: str) -> Verdict:
        """Turn a check into a function; those that are no more than others put together go by way of these."""
        if isinstance(check, policy.AndCheck):
            parts = [self._verdict(part, rule) for part in check.rules]
            return lambda target, credentials: all(part(target, credentials) for part in parts)
        if isinstance(check, policy.OrCheck):
            parts = [self._verdict(part, rule) for part in check.rules]
            return lambda target, credentials: any(part(target, credentials) for part in parts)
        if isinstance(check, policy.NotCheck):
            part = self._verdict(check.rule, rule)
            return lambda target, credentials: not part(target, credentials)
        if isinstance(check, policy.RuleCheck):
            return lambda target, credentials: self._named(check.match, target, credentials)
        # Checks of other packages may be of the time when these were not told which rule they are part of.
        more = (rule,) if len(inspect.signature(check).parameters) > 3 else ()
        return lambda target, credentials: check(target, credentials, self._enforcer, *more)
