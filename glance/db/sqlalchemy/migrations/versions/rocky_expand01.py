"""Rocky adds images that are left out of lists."""
import sqlalchemy as sa

from glance.db.sqlalchemy.migrations import guarded

revision = 'rocky_expand01'
down_revision = 'queens_expand01'


def upgrade() -> None:
    guarded.add_column('images', sa.Column('os_hidden', sa.Boolean, nullable=False, server_default=sa.false()))
    guarded.create_index('os_hidden_image_idx', 'images', ['os_hidden'])
