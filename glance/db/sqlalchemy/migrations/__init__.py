"""How a database gets from one release to the next: alembic revisions (``versions``) and moved rows
(``data_migrations``).

``guarded`` are schema changes that may be repeated, ``lock`` keeps two tools apart. It may import SQLAlchemy, alembic
and ``glance.exceptions``; it must not know ``models``: a revision says for ever what it said when it was written.
"""
