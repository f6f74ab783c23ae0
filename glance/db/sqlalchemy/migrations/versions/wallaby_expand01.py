"""Wallaby says of a task which image, request and user it belongs to."""
import sqlalchemy as sa

from glance.db.sqlalchemy.migrations import guarded

revision = 'wallaby_expand01'
down_revision = 'ussuri_expand01'


def upgrade() -> None:
    guarded.add_column('tasks', sa.Column('image_id', sa.String(36)))
    guarded.add_column('tasks', sa.Column('request_id', sa.String(64)))
    guarded.add_column('tasks', sa.Column('user_id', sa.String(64)))
    guarded.create_index('ix_tasks_image_id', 'tasks', ['image_id'])
