"""The interface between the service and a place that keeps bytes.

Writing is a session: a Writer takes the bytes in order and ends with ``commit`` (now anybody may see the object, and it
survives a power cut) or ``abort`` (nothing is left). Reading hands out a Reader for a span of the object. The
conformance suite ``tests/store_conformance`` proves what is promised here for each driver.
"""
import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

_ZEROS = 1024 * 1024
"""The most zero bytes that are written at a time."""


class Capability(enum.Flag):
    """What a store can do. The bit values are those that operators know from ``store`` reports."""

    READ = 0b00000001
    READ_OFFSET = 0b00000011
    READ_CHUNK = 0b00000101
    READ_RANDOM = 0b00000111
    WRITE = 0b00001000


@dataclass(frozen=True, slots=True)
class Location:
    """Where an object is: its URL, which holds no credentials, and what the store wants remembered with it."""

    url: str
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object found by ``Store.walk``: its location, its size in bytes and its age in seconds.

    ``image_id`` is the image that it was written for, where the store knows.
    """

    location: Location
    size: int
    age: float
    image_id: str | None = None


class Writer(Protocol):
    """One object being written. Used by one thread at a time. What inherits from it knows of no holes by itself."""

    holes: bool = False
    """Whether runs of zeros are better given to ``hole`` than to ``write``."""

    def write(self, data: memoryview) -> None:
        """Append bytes; ``data`` is only valid during the call.

        Raises StoreFull, StoreWriteDenied, StoreUnavailable.
        """

    def hole(self, length: int) -> None:
        """Append ``length`` zero bytes, without storing them where the backend can leave a hole."""
        zeros = memoryview(bytes(min(length, _ZEROS)))
        while length:
            self.write(zeros[:length])
            length -= min(length, len(zeros))

    def commit(self) -> Location:
        """Publish the object, durably. Raises ObjectExists when there is one of this id, and the errors of write."""

    def abort(self) -> None:
        """Discard what was written; safe after any error, after commit failed, and twice. Never raises."""


@runtime_checkable
class Reader(Protocol):
    """A span of an object. Used by one thread at a time."""

    length: int
    """Bytes in the span."""

    def readinto(self, buffer: memoryview) -> int:
        """Fill the buffer from the present position; return the number of bytes, 0 at the end of the span.

        Raises StoreUnavailable or ObjectNotFound; an object that ends before the span does is StoreError, never a quiet
        end.
        """

    def fileno(self) -> int | None:
        """A descriptor from which the kernel can send the span by itself, or None.

        The span starts at ``offset`` of that descriptor, whose own position must not be relied on.
        """
        return None

    offset: int
    """Where the span starts in the object."""

    def close(self) -> None:
        """Release file, socket or attachment at once; safe to call twice."""


class Store(Protocol):
    """A place that keeps bytes. One instance per configured store and process, used by many threads at once."""

    name: str | None
    """The id of the store in ``enabled_backends``; None where there is only one, unnamed."""
    schemes: tuple[str, ...]
    """The schemes of the URLs that this store writes and reads, the first being the one it writes."""
    capabilities: Capability
    url_prefixes: tuple[str, ...]
    """What the URLs of this store's own objects begin with, down to a separator: ``file:///srv/images/``."""

    details: dict[str, Any]
    """What administrators are told of its configuration, without credentials."""

    def writer(self, image_id: str, size: int | None = None, attempt: str | None = None) -> Writer:
        """Begin an object of ``size`` bytes (None when not known).

        ``attempt`` is the UUID of this try, made by the caller: what a dead writer leaves carries it, so that
        ``discard`` finds it. Without one the store makes one up.

        Raises StoreFull at once when it cannot fit, ObjectExists, StoreWriteDenied, StoreReadOnly, StoreUnavailable.
        """

    def open(self, location: Location, offset: int = 0, length: int | None = None) -> Reader:
        """Open the bytes from ``offset``, ``length`` of them (None: to the end).

        Raises ObjectNotFound, BadLocation, RangeNotSupported, StoreUnavailable; Invalid for a span outside the object.
        """

    def size(self, location: Location) -> int:
        """The size of the object in bytes. Raises ObjectNotFound, BadLocation, StoreUnavailable."""

    def delete(self, location: Location) -> None:
        """Remove the object. Raises ObjectNotFound, ObjectInUse, StoreForbidden, BadLocation, StoreUnavailable."""

    def discard(self, image_id: str, attempt: str | None = None, committed: bool = False) -> int:
        """Remove what a dead writer left of this image; return the bytes freed.

        ``attempt`` narrows it to one try. An object that was committed stays, unless ``committed`` says that no record
        refers to it: the caller holds the lease of the image and knows.
        """

    def sweep(self, older_than: float = 3600.0) -> list[str]:
        """Remove what dead writers left of any image and did not touch for ``older_than`` seconds.

        Returns names of what was removed. Never touches what a living writer, of whatever process, is working on, nor a
        committed object.
        """

    def walk(self) -> Iterator[StoredObject]:
        """Every committed object, in no particular order. Raises WalkNotSupported, StoreUnavailable."""

    def close(self) -> None:
        """Release threads and connections."""


@runtime_checkable
class AccessControl(Protocol):
    """What a Store has besides whose backend itself lets projects read its objects, and has to be told which."""

    def set_acls(self, location: Location, public: bool, read_projects: Sequence[str]) -> None:
        """Let everybody (``public``), or else these projects besides the owner, read the object, and nobody else.

        Raises ObjectNotFound, StoreForbidden, BadLocation, StoreUnavailable.
        """
