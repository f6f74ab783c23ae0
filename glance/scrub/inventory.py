"""What stores hold and what records say, side by side in a file: it outlives an interruption and takes no memory.

The file is an SQLite database of the tool's own; whoever has no use for it leaves the path out and gets a temporary one.
"""
import json
import os
import sqlite3
import urllib.parse
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from glance import exceptions
from glance.db.interface import StoredLocation
from glance.store.base import Location, StoredObject

_TABLES = """
CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value TEXT);
CREATE TABLE IF NOT EXISTS objects (
    number INTEGER PRIMARY KEY, store TEXT, object TEXT, url TEXT, metadata TEXT, image_id TEXT, size INTEGER, age REAL);
CREATE TABLE IF NOT EXISTS records (
    number INTEGER PRIMARY KEY, store TEXT, object TEXT, url TEXT, metadata TEXT, image_id TEXT, status TEXT);
CREATE INDEX IF NOT EXISTS objects_by_object ON objects (object);
CREATE INDEX IF NOT EXISTS records_by_object ON records (object);
CREATE INDEX IF NOT EXISTS records_by_image ON records (image_id, store);
"""
_PAGE = 500


class Found(NamedTuple):
    """An object, or the record of one; ``number`` is its place in the inventory."""

    number: int
    store: str
    location: Location
    image_id: str | None
    size: int | None = None


class Inventory:
    """Objects of stores and the locations that records name. Used by one thread."""

    def __init__(self, path: str | None, terms: dict[str, object]):
        """Open the file, or begin it; ``terms`` are what an audit that goes on must have in common with the one before.

        Raises ConfigurationError for a file that is something else, or of another audit.
        """
        self._path = path
        try:
            # Without a name it is a temporary file of SQLite's own.
            self._db = sqlite3.connect(path or '')
            self._db.executescript(_TABLES)
            self._check(json.dumps(terms, sort_keys=True))
        except sqlite3.Error as error:
            raise exceptions.ConfigurationError('The file %s cannot be used to keep the state of the audit: %s.'
                                                % (path, error)) from None

    def close(self, finished: bool) -> None:
        """Close the file, and remove it when it is of no more use."""
        self._db.close()
        if finished and self._path is not None:
            os.unlink(self._path)

    def note(self, name: str) -> str | None:
        """Return what was noted under a name."""
        row = self._db.execute('SELECT value FROM notes WHERE name = ?', (name,)).fetchone()
        return row[0] if row else None

    def add_objects(self, store: str, objects: Iterable[StoredObject]) -> int:
        """Take in everything that a store holds, in place of what was taken in before; return how much that is."""
        with self._db:
            self._db.execute('DELETE FROM objects WHERE store = ?', (store,))
            added = self._db.executemany(
                'INSERT INTO objects (store, object, url, metadata, image_id, size, age) VALUES (?, ?, ?, ?, ?, ?, ?)',
                ((store, name_of(each.location.url), each.location.url, json.dumps(each.location.metadata), each.image_id,
                  each.size, each.age) for each in objects)).rowcount
            self._note('walked ' + store, str(max(added, 0)))
        return max(added, 0)

    def add_records(self, records: Iterable[tuple[str | None, StoredLocation]]) -> None:
        """Take in records, each with the name of the store that it means."""
        rows = [(each.location['id'], store, name_of(each.location['url']), each.location['url'],
                 json.dumps(each.location['metadata']), each.image_id, each.image_status) for store, each in records]
        with self._db:
            self._db.executemany('INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?, ?, ?, ?)', rows)

    def last_record(self) -> int:
        """Return the highest number of a record."""
        return self._db.execute('SELECT COALESCE(MAX(number), 0) FROM records').fetchone()[0]

    def orphans(self, store: str, least_age: float, staged: bool) -> Iterator[Found]:
        """Yield the objects of a store that no record names; staged ones have none by nature."""
        unnamed = '' if staged else (
            ' AND NOT EXISTS (SELECT 1 FROM records WHERE records.object = objects.object)'
            ' AND NOT EXISTS (SELECT 1 FROM records'
            ' WHERE records.image_id = objects.image_id AND records.store = objects.store)')
        yield from self._pages('SELECT number, store, url, metadata, image_id, size FROM objects'
                               ' WHERE store = ? AND age >= ?' + unnamed, (store, least_age))

    def missing(self, store: str) -> Iterator[Found]:
        """Yield the records of live images that name objects which the store did not show."""
        yield from self._pages(
            'SELECT number, store, url, metadata, image_id, NULL FROM records WHERE store = ?'
            " AND status IN ('active', 'deactivated')"
            ' AND NOT EXISTS (SELECT 1 FROM objects WHERE objects.object = records.object)', (store,))

    def counts(self, store: str) -> tuple[int, int]:
        """Return how many records of live images a store has, and how many of them are missing."""
        live = self._db.execute("SELECT COUNT(*) FROM records WHERE store = ? AND status IN ('active', 'deactivated')",
                                (store,)).fetchone()[0]
        return live, sum(1 for _ in self.missing(store))

    def is_named(self, found: Found) -> bool:
        """Tell whether by now a record names the object."""
        named = self._db.execute('SELECT 1 FROM records WHERE object = ?', (name_of(found.location.url),))
        return named.fetchone() is not None

    def forget(self, numbers: Iterable[int]) -> None:
        """Leave out objects that are settled."""
        with self._db:
            self._db.executemany('DELETE FROM objects WHERE number = ?', ((number,) for number in numbers))

    def _pages(self, query: str, parameters: tuple) -> Iterator[Found]:
        last = 0
        while rows := self._db.execute('%s AND number > ? ORDER BY number LIMIT %d' % (query, _PAGE),
                                       (*parameters, last)).fetchall():
            for number, store, url, metadata, image_id, size in rows:
                yield Found(number, store, Location(url, json.loads(metadata)), image_id, size)
            last = rows[-1][0]

    def _check(self, terms: str) -> None:
        known = self.note('terms')
        if known not in (None, terms):
            raise exceptions.ConfigurationError('The file %s is of an audit with other arguments or stores: %s; name '
                                                'another file, or remove it.' % (self._path, known))
        with self._db:
            self._note('terms', terms)

    def _note(self, name: str, value: str) -> None:
        self._db.execute('INSERT OR REPLACE INTO notes VALUES (?, ?)', (name, value))


def name_of(url: str) -> str:
    """Return what all URLs of one object have in common."""
    scheme, _, rest = url.partition('://')
    scheme = scheme.lower()
    if scheme in ('file', 'filesystem'):
        return 'file://' + os.path.realpath(rest)
    return '%s://%s' % (scheme, urllib.parse.unquote(rest))
