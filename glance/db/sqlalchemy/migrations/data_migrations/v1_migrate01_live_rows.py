"""Makes live rows what the queries of release 1 take them to be: without ``deleted_at``, and each there once.

Upstream leaves ``deleted_at`` on rows that are used again, whereupon a purge removes them; and it lets two requests at
once store the same member or tag twice.
"""
from collections.abc import Iterator

import sqlalchemy as sa

from glance.db.sqlalchemy.migrations.data_migrations.batches import batches

EXPAND = 'v1_expand01'
CONTRACT = 'v1_contract01'


def _table(name: str, *columns: str) -> sa.TableClause:
    return sa.table(name, sa.column('id'), sa.column('deleted', sa.Boolean), sa.column('deleted_at', sa.DateTime),
                    *(sa.column(column) for column in columns))


members = _table('image_members', 'image_id', 'member', 'status', 'created_at', 'updated_at')
tags = _table('image_tags', 'image_id', 'value')
SOFT_DELETED = (_table('images'), _table('image_properties'), _table('image_locations'), members, tags, _table('tasks'))


def has_migrations(engine: sa.Engine) -> bool:
    return (any(_has_stale_deletions(engine, table) for table in SOFT_DELETED)
            or any(group for _, group in _duplicates(engine, members, members.c.member))
            or any(group for _, group in _duplicates(engine, tags, tags.c.value)))


def migrate(engine: sa.Engine) -> int:
    return (sum(_clear_stale_deletions(engine, table) for table in SOFT_DELETED)
            + _collapse_members(engine) + _collapse_tags(engine))


def _stale_deletions(table: sa.TableClause) -> sa.Select:
    return sa.select(table.c.id).where(table.c.deleted == sa.false(), table.c.deleted_at.is_not(None))


def _has_stale_deletions(engine: sa.Engine, table: sa.TableClause) -> bool:
    with engine.connect() as connection:
        return connection.execute(_stale_deletions(table).limit(1)).first() is not None


def _clear_stale_deletions(engine: sa.Engine, table: sa.TableClause) -> int:
    changed = 0
    for connection, rows in batches(engine, _stale_deletions(table), table.c.id):
        changed += connection.execute(
            table.update().where(table.c.id.in_([row.id for row in rows]), table.c.deleted == sa.false())
            .values(deleted_at=None)).rowcount
    return changed


def _duplicates(engine: sa.Engine, table: sa.TableClause,
                of: sa.ColumnElement) -> Iterator[tuple[sa.Connection, list[sa.Row]]]:
    """Yield the live rows of ``table`` that name the same image and the same ``of``, oldest first.

    The database compares as its collation says, mostly without regard to case; what counts as the same is decided here,
    exactly.
    """
    suspects = (sa.select(table.c.image_id).where(table.c.deleted == sa.false())
                .group_by(table.c.image_id, of).having(sa.func.count() > 1).subquery())
    images = sa.select(suspects.c.image_id).distinct()
    for connection, page in batches(engine, images, suspects.c.image_id):
        groups: dict[tuple, list[sa.Row]] = {}
        for row in connection.execute(
                sa.select(table).where(table.c.image_id.in_([row.image_id for row in page]),
                                       table.c.deleted == sa.false()).order_by(table.c.id)):
            groups.setdefault((row.image_id, getattr(row, of.name)), []).append(row)
        yield from ((connection, group) for group in groups.values() if len(group) > 1)


def _collapse_members(engine: sa.Engine) -> int:
    """Keep the oldest row of a member, with the answer that the member gave last."""
    removed = 0
    for connection, group in _duplicates(engine, members, members.c.member):
        oldest, last = group[0], max(group, key=lambda row: (row.updated_at or row.created_at, row.id))
        if last.status != oldest.status:
            connection.execute(members.update().where(members.c.id == oldest.id).values(status=last.status))
        removed += _remove(connection, members, group[1:])
    return removed


def _collapse_tags(engine: sa.Engine) -> int:
    return sum(_remove(connection, tags, group[1:]) for connection, group in _duplicates(engine, tags, tags.c.value))


def _remove(connection: sa.Connection, table: sa.TableClause, rows: list[sa.Row]) -> int:
    return connection.execute(table.delete().where(table.c.id.in_([row.id for row in rows]))).rowcount
