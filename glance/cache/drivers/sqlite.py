"""Books in a SQLite file beside the entries."""
import logging
import os
import sqlite3
import threading
from collections.abc import Callable
from typing import TypeVar

from glance import exceptions
from glance.cache.drivers.base import Entry

LOG = logging.getLogger(__name__)
Result = TypeVar('Result')

BUSY_SECONDS = 2
_TABLE = ('CREATE TABLE IF NOT EXISTS cached_images (image_id TEXT PRIMARY KEY, last_accessed REAL DEFAULT 0.0, '
          'last_modified REAL DEFAULT 0.0, size INTEGER DEFAULT 0, hits INTEGER DEFAULT 0, checksum TEXT)')
_FIELDS = 'image_id, size, hits, last_accessed, last_modified, checksum'


class SqliteDriver:
    """A ``Driver`` of one file. A damaged file is put aside and begun anew: the entries themselves tell what there is."""

    name = 'sqlite'

    def __init__(self, path: str):
        self.path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._inode: int | None = None
        self._run(lambda connection: None)

    def record(self, entry: Entry) -> None:
        self._run(lambda connection: connection.execute(
            'INSERT OR REPLACE INTO cached_images (%s) VALUES (?, ?, ?, ?, ?, ?)' % _FIELDS,
            (entry.image_id, entry.size, entry.hits, entry.last_accessed, entry.last_modified, entry.checksum)))

    def forget(self, image_ids: list[str]) -> None:
        self._run(lambda connection: connection.executemany(
            'DELETE FROM cached_images WHERE image_id = ?', [(image_id,) for image_id in image_ids]))

    def hit(self, image_id: str, now: float) -> None:
        self._run(lambda connection: connection.execute(
            'UPDATE cached_images SET hits = hits + 1, last_accessed = ? WHERE image_id = ?', (now, image_id)))

    def entries(self) -> list[Entry]:
        return self._run(lambda connection: [
            Entry(*row) for row in connection.execute('SELECT %s FROM cached_images ORDER BY image_id' % _FIELDS)])

    def rejected(self, path: str, reason: str) -> None:
        """Nothing is kept of what was refused."""

    def close(self) -> None:
        with self._lock:
            self._disconnect()

    def _run(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        with self._lock:
            try:
                try:
                    return self._work(work)
                except sqlite3.DatabaseError as error:
                    if type(error) is not sqlite3.DatabaseError:
                        raise
                    self._put_aside(error)
                    return self._work(work)
            except (sqlite3.Error, OSError) as error:
                self._disconnect()
                raise exceptions.CacheUnavailable('The list of the image cache, %s, cannot be used: %s.'
                                                  % (self.path, error)) from error

    def _work(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        with self._connected() as connection:
            return work(connection)

    def _connected(self) -> sqlite3.Connection:
        """The connection, a new one when the file was removed or exchanged."""
        try:
            inode = os.stat(self.path).st_ino
        except FileNotFoundError:
            inode = None
        if self._connection is None or inode is None or inode != self._inode:
            self._disconnect()
            self._connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, check_same_thread=False)
            self._connection.execute('PRAGMA journal_mode = WAL')
            self._connection.execute('PRAGMA synchronous = FULL')
            self._connection.execute(_TABLE)
            self._inode = os.stat(self.path).st_ino
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _put_aside(self, error: sqlite3.Error) -> None:
        LOG.error('%s is damaged (%s); it is kept as %s.damaged, and a new list is made.', self.path, error, self.path)
        self._disconnect()
        os.replace(self.path, self.path + '.damaged')
        for suffix in ('-wal', '-shm'):
            if os.path.exists(self.path + suffix):
                os.unlink(self.path + suffix)
