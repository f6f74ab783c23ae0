"""Who may do what: the default rules, one module per resource, and the enforcer that evaluates them.

It may import ``exceptions``, ``context``, ``conf`` and ``domain``; it knows nothing of HTTP, records or stores.
"""
import itertools

from glance.policies import base, cache, discovery, image, member


def list_rules():
    """Return every rule with its default; the entry point ``oslo.policy.policies`` calls this."""
    return itertools.chain(base.list_rules(), image.list_rules(), member.list_rules(), cache.list_rules(),
                           discovery.list_rules())
