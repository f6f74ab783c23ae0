"""Rocky adds a hash of the operator's choice beside the MD5 checksum."""
import sqlalchemy as sa

from glance.db.sqlalchemy.migrations import guarded

revision = 'rocky_expand02'
down_revision = 'rocky_expand01'


def upgrade() -> None:
    guarded.add_column('images', sa.Column('os_hash_algo', sa.String(64)))
    guarded.add_column('images', sa.Column('os_hash_value', sa.String(128)))
    guarded.create_index('os_hash_value_image_idx', 'images', ['os_hash_value'])
