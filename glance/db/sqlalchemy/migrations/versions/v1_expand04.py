"""Release 1 remembers what writes through glance-registry gave, so that one whose answer was lost can be repeated."""
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from glance.db.sqlalchemy.migrations import guarded

revision = 'v1_expand04'
down_revision = 'v1_expand03'


def upgrade() -> None:
    guarded.create_table(
        'registry_requests',
        sa.Column('request_key', sa.String(36), primary_key=True),
        sa.Column('attempt', sa.String(36), nullable=False),
        sa.Column('digest', sa.String(64), nullable=False),
        sa.Column('answer', sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), 'mysql', 'mariadb')),
        sa.Column('expires_at', sa.DateTime, nullable=False),
        indexes={'ix_registry_requests_expires_at': ['expires_at']})
