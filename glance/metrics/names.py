"""What is measured: names, labels, and what they mean."""
from typing import NamedTuple


class Family(NamedTuple):
    """One metric as it is shown."""

    kind: str
    name: str
    help: str
    labels: tuple[str, ...]


REQUESTS = 'glance_requests'
SECONDS = 'glance_request_duration_seconds'
COMMANDS = 'glance_registry_commands'
COMMAND_SECONDS = 'glance_registry_command_duration_seconds'
BUCKET = '_bucket'
BYTES = 'glance_data_bytes'
ACTIVE = 'glance_active_transfers'
CACHE = 'glance_cache_lookups'
REFUSALS = 'glance_quota_refusals'
STORE_FAILURES = 'glance_store_failures'
UNAVAILABLE = 'glance_stores_unavailable'

FAMILIES = (
    Family('counter', REQUESTS, 'Requests by route, method and status of the response.', ('route', 'method', 'status')),
    Family('counter', BYTES, 'Bytes of images that came into a store (in) or left it for a client (out).',
           ('direction', 'store')),
    Family('gauge', ACTIVE, 'Transfers of the data of images that are under way.', ('direction', 'store')),
    Family('counter', CACHE, 'Downloads that found their image in the cache (hit) or did not (miss).', ('result',)),
    Family('counter', REFUSALS, 'Requests refused because a limit on the resource would be exceeded.', ('resource',)),
    Family('counter', STORE_FAILURES, 'How often something could not be done because a store was unavailable.', ('store',)),
    Family('gauge', UNAVAILABLE, 'Processes that leave a store alone because it failed again and again.', ('store',)),
    Family('counter', COMMANDS, 'Commands that a registry carried out, and how they ended.', ('command', 'result')),
)
DURATIONS = (
    Family('histogram', SECONDS, 'Seconds from a complete request head to the end of the response.', ('route', 'method')),
    Family('histogram', COMMAND_SECONDS, 'Seconds that a command took in a registry.', ('command',)),
)
MOMENTARY = frozenset((ACTIVE, UNAVAILABLE))

BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0)
BUCKET_TEXTS = (*map(str, BUCKETS), '+Inf')
