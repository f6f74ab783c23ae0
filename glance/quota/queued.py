"""``max_queued_images_per_project``: how many images an owner may have that wait for their data."""
from collections.abc import Callable, Collection
from typing import Any

from glance.db.interface import Resource
from glance.exceptions import LimitExceeded, OverLimit
from glance.quota.base import Quotas


class QueuedImages:
    """Adds this limit to what another kind of quota allows, if there is one."""

    def __init__(self, most: int, others: Quotas | None):
        self._most, self._others = most, others

    def limits(self, owner: str | None, resources: Collection[Resource]) -> dict[Resource, int]:
        found = self._others.limits(owner, resources) if self._others else {}
        return {**found, 'queued': self._most} if 'queued' in resources else found

    def refusal(self, owner: str | None, error: OverLimit) -> LimitExceeded:
        if self._others and error.resource != 'queued':
            return self._others.refusal(owner, error)
        return LimitExceeded('The project has %d images without data; at most %d are allowed, and this request would add %d. '
                             'Upload data, or delete images.' % (error.usage, error.limit, error.delta))

    def report(self, owner: str | None, usage: Callable[[str | None], dict[Resource, int]]) -> dict[str, Any]:
        return self._others.report(owner, usage) if self._others else {}
