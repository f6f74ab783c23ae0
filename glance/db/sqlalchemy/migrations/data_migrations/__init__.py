"""Rows that a release has to move between its expand and its contract, in the order of the releases.

Each module has ``EXPAND``, the revision that it needs, ``CONTRACT``, the revision that must wait for it,
``has_migrations(engine) -> bool`` and ``migrate(engine) -> int``, the number of rows changed. ``migrate`` may be
interrupted anywhere and repeated, while services are running: it works in batches, each a transaction of its own. It
may import SQLAlchemy; it must not know ``models``, which describe a later schema.
"""
