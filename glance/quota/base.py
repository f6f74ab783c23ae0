"""What every kind of quota answers."""
from collections.abc import Callable, Collection
from typing import Any, Protocol

from glance.db.interface import Resource
from glance.exceptions import LimitExceeded, OverLimit


class Quotas(Protocol):
    """How much each owner may have."""

    def limits(self, owner: str | None, resources: Collection[Resource]) -> dict[Resource, int]:
        """Return the most that an owner may have of those of the resources that are limited.

        Raises LimitsUnavailable, ConfigurationError.
        """

    def refusal(self, owner: str | None, error: OverLimit) -> LimitExceeded:
        """Return the error in the names and units that the owner knows."""

    def report(self, owner: str | None, usage: Callable[[str | None], dict[Resource, int]]) -> dict[str, Any]:
        """Return what an owner has and may have, by the name of the limit; ``usage`` counts it.

        Raises as ``limits``.
        """
