"""Ocata removes ``images.is_public``, after every image has a visibility."""
import sqlalchemy as sa
from alembic import op

from glance.db.sqlalchemy.migrations import guarded
from glance.exceptions import Conflict

revision = 'ocata_contract01'
down_revision = 'mitaka02'
branch_labels = 'contract'
depends_on = 'ocata_expand01'

Visibility = sa.Enum('private', 'public', 'shared', 'community', name='image_visibility')


def upgrade() -> None:
    _refuse_images_without_visibility()
    if guarded.is_mysql(op.get_bind()):
        op.execute('DROP TRIGGER IF EXISTS insert_visibility')
        op.execute('DROP TRIGGER IF EXISTS update_visibility')
    if guarded.is_sqlite(op.get_bind()):
        _copy_table()
    else:
        _alter_table()


def _refuse_images_without_visibility() -> None:
    images = sa.table('images', sa.column('id'), sa.column('visibility'))
    image_id = op.get_bind().scalar(sa.select(images.c.id).where(images.c.visibility.is_(None)).limit(1))
    if image_id:
        raise Conflict(f'Image {image_id} has no visibility yet, so images.is_public cannot be dropped; '
                       'run "glance-manage db migrate" first')


def _copy_table() -> None:
    if 'is_public' not in guarded.columns('images'):
        return
    guarded.drop_index('ix_images_is_public', 'images')
    with guarded.altering_images() as images:
        images.drop_column('is_public')
        images.alter_column('visibility', existing_type=Visibility, nullable=False, server_default='shared')


def _alter_table() -> None:
    op.alter_column('images', 'visibility', existing_type=Visibility, nullable=False, server_default='shared')
    if 'is_public' not in guarded.columns('images'):
        return
    guarded.drop_index('ix_images_is_public', 'images')
    for check in sa.inspect(op.get_bind()).get_check_constraints('images'):
        if 'is_public' in check['sqltext']:
            op.drop_constraint(check['name'], 'images', type_='check')
    op.drop_column('images', 'is_public')
