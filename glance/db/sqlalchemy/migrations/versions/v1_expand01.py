"""Release 1 adds the indexes that let a list read no more rows than it returns, leases on uploads, and quotas."""
import sqlalchemy as sa

from glance.db.sqlalchemy.migrations import guarded

revision = 'v1_expand01'
down_revision = '2024_1_expand01'

BigInteger = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')
# PostgreSQL's order of NULLs in an index has to be that of the lists, where no name comes before all names.
NULL_NAMES_FIRST = {'name': 'NULLS FIRST'}


def upgrade() -> None:
    guarded.create_table(
        'image_leases',
        sa.Column('image_id', sa.String(36), sa.ForeignKey('images.id'), primary_key=True),
        sa.Column('attempt', sa.String(36), nullable=False),
        sa.Column('worker', sa.String(255), nullable=False),
        sa.Column('expires_at', sa.DateTime, nullable=False),
        sa.Column('owner', sa.String(255)),
        sa.Column('storage', BigInteger, nullable=False),
        sa.Column('staging', BigInteger, nullable=False),
        indexes={'ix_image_leases_expires_at': ['expires_at']})
    guarded.create_table(
        'owner_locks',
        sa.Column('owner', sa.String(255), primary_key=True),
        sa.Column('ticket', sa.String(36), nullable=False))
    index = guarded.create_index
    index('ix_images_owner_created', 'images', ['owner', 'deleted', 'os_hidden', 'created_at', 'id'])
    index('ix_images_vis_created', 'images', ['visibility', 'deleted', 'os_hidden', 'created_at', 'id'])
    index('ix_images_created', 'images', ['deleted', 'os_hidden', 'created_at', 'id'])
    index('ix_images_owner_name', 'images', ['owner', 'deleted', 'os_hidden', 'name', 'created_at', 'id'],
          postgresql_ops=NULL_NAMES_FIRST)
    index('ix_images_hidden_name', 'images', ['deleted', 'os_hidden', 'name', 'created_at', 'id'],
          postgresql_ops=NULL_NAMES_FIRST)
    index('ix_images_name', 'images', ['name', 'deleted', 'created_at', 'id'])
    index('ix_images_owner_status', 'images', ['owner', 'status', 'size'])
    index('ix_image_properties_name', 'image_properties', ['name', 'deleted'],
          mysql_length={'name': 40}, mariadb_length={'name': 40})
    index('ix_image_members_member', 'image_members', ['member', 'deleted', 'status', 'image_id'])
    index('ix_image_tags_value', 'image_tags', ['value', 'deleted', 'image_id'])
    index('ix_tasks_owner_created', 'tasks', ['owner', 'deleted', 'created_at', 'id'])
    index('ix_cached_images_node_accessed', 'cached_images', ['node_reference_id', 'last_accessed'])
