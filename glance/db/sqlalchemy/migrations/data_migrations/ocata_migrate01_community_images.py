"""Gives every image the visibility that its ``is_public`` and its members stand for."""
import sqlalchemy as sa

from glance.db.sqlalchemy.migrations.data_migrations.batches import batches

EXPAND = 'ocata_expand01'
CONTRACT = 'ocata_contract01'

images = sa.table(
    'images', sa.column('id', sa.String), sa.column('is_public', sa.Boolean),
    sa.column('visibility', sa.Enum('private', 'public', 'shared', 'community', name='image_visibility')))
members = sa.table('image_members', sa.column('image_id', sa.String), sa.column('deleted', sa.Boolean))

WITHOUT_VISIBILITY = sa.select(images.c.id).where(images.c.visibility.is_(None))
HAS_MEMBER = sa.exists().where(members.c.image_id == images.c.id, members.c.deleted == sa.false())
RULES = (   # the first that applies to an image decides
    ('public', images.c.is_public == sa.true()),
    ('shared', HAS_MEMBER),
    ('private', sa.true()),
)


def has_migrations(engine: sa.Engine) -> bool:
    columns = {column['name'] for column in sa.inspect(engine).get_columns('images')}
    if not {'is_public', 'visibility'} <= columns:
        return False
    with engine.connect() as connection:
        return connection.execute(WITHOUT_VISIBILITY.limit(1)).first() is not None


def migrate(engine: sa.Engine) -> int:
    changed = 0
    for connection, rows in batches(engine, WITHOUT_VISIBILITY, images.c.id):
        in_batch = images.c.id.in_([image_id for image_id, in rows])
        for visibility, applies in RULES:
            changed += connection.execute(
                images.update().where(in_batch, images.c.visibility.is_(None), applies).values(visibility=visibility)
            ).rowcount
    return changed
