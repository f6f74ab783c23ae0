"""``user_storage_quota``: one number for every owner."""
from collections.abc import Callable, Collection
from typing import Any

from glance.db.interface import Resource
from glance.exceptions import LimitExceeded, OverLimit, StorageQuotaFull

_LIMITED = ('storage', 'staging')


class StorageQuota:
    """So many bytes in stores for every owner, and as many in the staging area; images without an owner are one's."""

    def __init__(self, size: int):
        self._size = size

    def limits(self, owner: str | None, resources: Collection[Resource]) -> dict[Resource, int]:
        return {resource: self._size for resource in resources if resource in _LIMITED}

    def refusal(self, owner: str | None, error: OverLimit) -> LimitExceeded:
        return StorageQuotaFull(
            'The storage quota of %d bytes has no room for %d bytes of data: %d bytes are used or reserved and %d remain.'
            % (error.limit, error.delta, error.usage, max(0, error.limit - error.usage)))

    def report(self, owner: str | None, usage: Callable[[str | None], dict[Resource, int]]) -> dict[str, Any]:
        return {}
