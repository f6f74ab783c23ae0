"""Release 1 lets no two images have their data at one place of a store: the first to name an object holds it."""
import sqlalchemy as sa

from glance.db.sqlalchemy.migrations import guarded

revision = 'v1_expand02'
down_revision = 'v1_expand01'


def upgrade() -> None:
    guarded.add_column('image_locations', sa.Column('object_hash', sa.String(64)))
    guarded.create_index('ix_image_locations_object_hash', 'image_locations', ['object_hash'], unique=True)
