"""What images take is charged to their owner, in the transaction that makes them take it.

This layer stands directly over the database. An upload reserves with its lease what it will need: all of it when its
size is known, else as the bytes come. The lease ends with the upload, however that ends, and the reservation with it.
"""
import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from glance import exceptions
from glance.context import RequestContext
from glance.db.interface import Charge, Resource
from glance.domain.image import Image
from glance.environment import Environment
from glance.layers.base import Images
from glance.layers.database import DatabaseImages
from glance.quota.base import Quotas
from glance.tasks.leases import Lease
from glance.transfer.sources import Source

# Bytes that a stream of unknown length may reserve ahead of what has come.
AHEAD = 64 * 1024 * 1024


class ReserveImages(Images):
    """Refuses what would exceed a limit of the image's owner, whoever asks; does nothing where there are no limits."""

    inner: DatabaseImages

    def add(self, image: Image) -> None:
        taken: dict[Resource, int] = {
            'images': 1, 'queued': int(image.status == 'queued'), 'storage': _stored(image)}
        self._charged(image, taken, lambda charge: self.inner.add(image, charge))

    def save(self, image: Image, from_status: str | None = None) -> None:
        grown = _stored(image) - _stored(image.loaded) if image.loaded else 0
        self._charged(image, {'storage': grown}, lambda charge: self.inner.save(image, from_status, charge))

    def begin_upload(self, image: Image, lease: Lease, store: str | None) -> None:
        # A stream of unknown length needs room for a byte, or it is not worth beginning.
        held = dataclasses.replace(lease, owner=image.owner, storage=lease.storage or 1)
        self._charged(image, {'storage': held.storage, 'uploading': 1},
                      lambda charge: self.inner.begin_upload(image, held, store, charge))

    def finish_work(self, image: Image, lease: Lease, goes_on: bool = False) -> None:
        grown = _stored(image) - _stored(image.loaded) if image.loaded else 0
        self._charged(image, {'storage': grown}, lambda charge: self.inner.finish_work(image, lease, goes_on, charge))

    def reserving(self, image: Image, source: Source, lease: Lease, resource: Resource = 'storage') -> Source:
        quotas, held = self.env.quotas, dataclasses.replace(lease, owner=image.owner)
        limit = quotas.limits(image.owner, (resource,)).get(resource) if quotas else None
        if quotas is None or limit is None or getattr(lease, resource):
            return source

        def reserve(least: int, most: int) -> int:
            try:
                with self._in_words_of(quotas, image):
                    return self.env.database.lease_reserve(held, resource, least, most, limit)
            except (exceptions.LeaseLost, exceptions.LimitExceeded):
                # If the image was deleted, this is what the client must know.
                self.inner.check_uploading(image)
                raise

        return ReservingSource(source, reserve)

    def _charged(self, image: Image, deltas: Mapping[Resource, int], write: Callable[[Charge | None], None]) -> None:
        """Call ``write`` with the charge of what is more than before, or with None when nothing of it is limited."""
        quotas = self.env.quotas
        more = {resource: delta for resource, delta in deltas.items() if delta > 0}
        limits = quotas.limits(image.owner, tuple(more)) if quotas and more else {}
        if quotas is None or not limits:
            write(None)
            return
        with self._in_words_of(quotas, image):
            write(Charge(image.owner, more, limits))

    @contextlib.contextmanager
    def _in_words_of(self, quotas: Quotas, image: Image) -> Iterator[None]:
        """Count a refusal, and let it be told in the names and units that the image's owner knows."""
        try:
            yield
        except exceptions.OverLimit as error:
            self.env.metrics.quota_refused(error.resource)
            raise quotas.refusal(image.owner, error) from None


class ReservingSource:
    """A stream whose bytes are reserved before they are handed on.

    :param reserve: called with the number of bytes that must be reserved by now and that of which more would not be used
        soon; returns how many are. What it raises ends the transfer.
    """

    def __init__(self, source: Source, reserve: Callable[[int, int], int]):
        self._source, self._reserve = source, reserve
        self._done = self._reserved = 0

    def readinto(self, buffer: memoryview) -> int:
        """Read as a Source does. Raises what ``reserve`` does."""
        count = self._source.readinto(buffer)
        self._done += count
        if self._done > self._reserved:
            # Twice as much each time, so that a long stream asks seldom and a short one keeps little from others.
            self._reserved = self._reserve(self._done, self._done + min(self._done, AHEAD))
        return count


def report(context: RequestContext, env: Environment) -> dict[str, Any]:
    """Return what the caller's project has and may have, by the name of the limit; nothing without unified limits.

    Raises LimitsUnavailable, ConfigurationError.
    """
    return env.quotas.report(context.owner, env.database.usage) if env.quotas else {}


def _stored(image: Image) -> int:
    return (image.size or 0) * len(image.locations)
