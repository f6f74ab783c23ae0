"""What stands in for a store whose options are wrong, so that the other stores can do their work."""
from collections.abc import Iterator
from typing import NoReturn

from glance import exceptions
from glance.store.base import Capability, Location, StoredObject
from glance.store.location import SCHEMES


class UnusableStore:
    """A ``store.base.Store`` that answers everything with StoreUnavailable; what must be corrected is in the log."""

    capabilities = Capability(0)
    url_prefixes: tuple[str, ...] = ()

    def __init__(self, name: str | None, kind: str):
        self.name = name
        self.schemes = tuple(scheme for scheme, served in SCHEMES.items() if served == kind)
        self.details: dict = {}

    def writer(self, image_id: str, size: int | None = None, attempt: str | None = None) -> NoReturn:
        self._refuse()

    def open(self, location: Location, offset: int = 0, length: int | None = None) -> NoReturn:
        self._refuse()

    def size(self, location: Location) -> NoReturn:
        self._refuse()

    def delete(self, location: Location) -> NoReturn:
        self._refuse()

    def discard(self, image_id: str, attempt: str | None = None, committed: bool = False) -> int:
        return 0    # nothing can have been written here since the service started

    def sweep(self, older_than: float = 3600.0) -> list[str]:
        return []

    def walk(self) -> Iterator[StoredObject]:
        self._refuse()

    def close(self) -> None:
        """Nothing is open."""

    def _refuse(self) -> NoReturn:
        raise exceptions.StoreUnavailable('The image store is not configured correctly; its operator has to look at the log.')
