"""Alembic's environment: runs revisions on the database of the engine that ``glance.db.sqlalchemy.schema`` hands in.

Every revision is a transaction of its own, together with its mark in ``alembic_version``. MySQL commits each schema
change by itself; there the guards of the revisions make a repetition after an interruption safe.
"""
from alembic import context

from glance.db.sqlalchemy.migrations import guarded

with context.config.attributes['engine'].connect() as connection:
    context.configure(connection=connection, transaction_per_migration=True,
                      transactional_ddl=not guarded.is_mysql(connection))
    with context.begin_transaction():
        context.run_migrations()
