"""Ocata adds ``images.visibility``, which replaces ``is_public``.

In a rolling upgrade on MySQL, services of both releases write at the same time. Two triggers then derive the column
that a writer does not know from the one that it does; offline there is nobody to derive for.
"""
import sqlalchemy as sa
from alembic import op

from glance.db.sqlalchemy.migrations import guarded

revision = 'ocata_expand01'
down_revision = 'mitaka02'
branch_labels = 'expand'

Visibility = sa.Enum('private', 'public', 'shared', 'community', name='image_visibility')

INSERT_TRIGGER = """
CREATE TRIGGER insert_visibility BEFORE INSERT ON images FOR EACH ROW
IF NEW.visibility IS NULL THEN
    SET NEW.visibility = IF(NEW.is_public, 'public', 'shared');
ELSE
    SET NEW.is_public = (NEW.visibility = 'public');
END IF
"""
UPDATE_TRIGGER = """
CREATE TRIGGER update_visibility BEFORE UPDATE ON images FOR EACH ROW
IF NOT NEW.visibility <=> OLD.visibility THEN
    SET NEW.is_public = (NEW.visibility = 'public');
ELSEIF NOT NEW.is_public <=> OLD.is_public THEN
    SET NEW.visibility = IF(NEW.is_public, 'public', 'shared');
END IF
"""


def upgrade() -> None:
    connection = op.get_bind()
    if 'is_public' in guarded.columns('images'):
        _make_is_public_nullable()
    Visibility.create(connection, checkfirst=True)
    guarded.add_column('images', sa.Column('visibility', Visibility))
    guarded.create_index('visibility_image_idx', 'images', ['visibility'])
    if guarded.is_mysql(connection) and op.get_context().config.attributes.get('online'):
        for name, trigger in (('insert_visibility', INSERT_TRIGGER), ('update_visibility', UPDATE_TRIGGER)):
            op.execute(f'DROP TRIGGER IF EXISTS {name}')
            op.execute(sa.text(trigger))


def _make_is_public_nullable() -> None:
    if guarded.columns('images')['is_public']['nullable']:
        return
    with guarded.altering_images(sa.Column('is_public', sa.Boolean(create_constraint=True), nullable=False)) as images:
        images.alter_column('is_public', existing_type=sa.Boolean(), nullable=True)
