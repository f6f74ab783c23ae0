"""Walks over many rows in small transactions."""
from collections.abc import Iterator

import sqlalchemy as sa

BATCH = 1000


def batches(engine: sa.Engine, query: sa.Select, key: sa.ColumnElement) -> Iterator[tuple[sa.Connection, list[sa.Row]]]:
    """Yield the rows of ``query`` in pages of at most ``BATCH``, with a connection to change them on.

    ``key`` is unique and the first column of ``query``. What is done on the connection is committed when the next page
    is asked for, and rolled back when the loop is left by an error.
    """
    page = query.order_by(key).limit(BATCH)
    while True:
        with engine.begin() as connection:
            rows = connection.execute(page).all()
            if rows:
                yield connection, rows
        if len(rows) < BATCH:
            return
        page = query.order_by(key).limit(BATCH).where(key > rows[-1][0])
