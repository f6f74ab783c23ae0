"""What a driver of the cache does: remember size and use of each entry. The files themselves are none of its business."""
import dataclasses
from typing import Protocol


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """A complete entry: size in bytes, number of uses, and times in seconds since 1970.

    ``id`` and ``checksum`` are kept by drivers that have room for them.
    """

    image_id: str
    size: int
    hits: int = 0
    last_accessed: float = 0.0
    last_modified: float = 0.0
    checksum: str | None = None
    id: int | None = None


class Driver(Protocol):
    """The books of one cache, used by many threads and, where processes share the directory, by all of them.

    Every operation raises CacheUnavailable or DatabaseUnavailable when the books cannot be reached.
    """

    name: str

    def record(self, entry: Entry) -> None:
        """Write down an entry, in place of what is known of the image; its file is in place already."""

    def forget(self, image_ids: list[str]) -> None:
        """Strike entries out; those that are not there are no error."""

    def hit(self, image_id: str, now: float) -> None:
        """Count one more use of an entry; one that is not there is no error."""

    def entries(self) -> list[Entry]:
        """Every entry that was written down, in no particular order."""

    def rejected(self, path: str, reason: str) -> None:
        """Take note that the file at this path was refused."""

    def close(self) -> None:
        """Release files and connections."""
