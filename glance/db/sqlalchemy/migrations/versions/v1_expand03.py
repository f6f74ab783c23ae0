"""Release 1 remembers the ids of purged images, so that no other image ever gets one of them."""
import sqlalchemy as sa

from glance.db.sqlalchemy.migrations import guarded

revision = 'v1_expand03'
down_revision = 'v1_expand02'


def upgrade() -> None:
    guarded.create_table(
        'image_id_tombstones',
        sa.Column('image_id', sa.String(36), primary_key=True),
        sa.Column('purged_at', sa.DateTime, nullable=False))
