"""2024.1 keeps the books of the image caches of all nodes in the central database."""
import sqlalchemy as sa

from glance.db.sqlalchemy.migrations import guarded

revision = '2024_1_expand01'
down_revision = '2023_1_expand01'

BigInteger = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')


def upgrade() -> None:
    guarded.create_table(
        'node_reference',
        sa.Column('node_reference_id', BigInteger, primary_key=True),
        sa.Column('node_reference_url', sa.String(255), nullable=False),
        sa.UniqueConstraint('node_reference_url', name='uq_node_reference_node_reference_url'))
    guarded.create_table(
        'cached_images',
        sa.Column('id', BigInteger, primary_key=True),
        sa.Column('image_id', sa.String(36), nullable=False),
        sa.Column('last_accessed', sa.DateTime, nullable=False),
        sa.Column('last_modified', sa.DateTime, nullable=False),
        sa.Column('size', BigInteger, nullable=False),
        sa.Column('hits', sa.Integer, nullable=False),
        sa.Column('checksum', sa.String(32)),
        sa.Column('node_reference_id', BigInteger, sa.ForeignKey('node_reference.node_reference_id'), nullable=False),
        sa.UniqueConstraint('image_id', 'node_reference_id', name='ix_cached_images_image_id_node_reference_id'))
