"""Mitaka can sort images by time without reading all of them."""
from glance.db.sqlalchemy.migrations import guarded

revision = 'mitaka01'
down_revision = 'liberty'


def upgrade() -> None:
    guarded.create_index('created_at_image_idx', 'images', ['created_at'])
    guarded.create_index('updated_at_image_idx', 'images', ['updated_at'])
