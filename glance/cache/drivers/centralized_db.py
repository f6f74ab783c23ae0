"""Books in the database of the service, where every node sees which nodes have an image."""
import datetime

from glance.cache.drivers.base import Entry
from glance.db.interface import CachedImage, Database


class CentralizedDriver:
    """A ``Driver`` of the entries of one node.

    :param node: the URL by which the node is known
    """

    name = 'centralized_db'

    def __init__(self, database: Database, node: str):
        self._database, self._node = database, node

    def record(self, entry: Entry) -> None:
        self._database.cache_save(self._node, CachedImage(
            entry.image_id, entry.size, entry.hits, _moment(entry.last_accessed), _moment(entry.last_modified),
            entry.checksum))

    def forget(self, image_ids: list[str]) -> None:
        if image_ids:
            self._database.cache_delete(self._node, image_ids)

    def hit(self, image_id: str, now: float) -> None:
        self._database.cache_hit(self._node, image_id, _moment(now))

    def entries(self) -> list[Entry]:
        return [Entry(row.image_id, row.size, row.hits, _seconds(row.last_accessed), _seconds(row.last_modified),
                      row.checksum, row.id) for row in self._database.cache_list(self._node)]

    def rejected(self, path: str, reason: str) -> None:
        """Nothing is kept of what was refused."""

    def close(self) -> None:
        """The database is closed by who opened it."""

    def nodes(self, image_id: str) -> list[str]:
        """The nodes that have the image."""
        return self._database.cache_nodes(image_id)


def _moment(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).replace(tzinfo=None)


def _seconds(moment: datetime.datetime) -> float:
    return moment.replace(tzinfo=datetime.UTC).timestamp()
