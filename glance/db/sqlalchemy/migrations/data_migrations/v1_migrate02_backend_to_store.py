"""Repeats Train's migration: upstream leaves it out when an upgrade jumps over Train."""
from glance.db.sqlalchemy.migrations.data_migrations.train_migrate01_backend_to_store import has_migrations, migrate

__all__ = ('CONTRACT', 'EXPAND', 'has_migrations', 'migrate')

EXPAND = 'v1_expand01'
CONTRACT = 'v1_contract01'
