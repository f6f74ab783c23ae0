"""Notes which location holds which object of a store: of several that name one object, the oldest.

URLs that are encrypted stay out of this, as the key is not known here; they are noted when they are written again.
"""
from collections.abc import Iterator

import sqlalchemy as sa

from glance.db.objects import hash_of
from glance.db.sqlalchemy.migrations.data_migrations.batches import batches

EXPAND = 'v1_expand02'
CONTRACT = 'v1_contract02'

locations = sa.table('image_locations', sa.column('id', sa.Integer), sa.column('value', sa.Text), sa.column('status'),
                     sa.column('deleted', sa.Boolean), sa.column('object_hash'))
# Data that waits for the scrubber is still there.
CANDIDATES = sa.select(locations.c.id, locations.c.value).where(
    locations.c.object_hash.is_(None), locations.c.value.contains('://'), ~locations.c.value.startswith('http'),
    sa.or_(locations.c.deleted == sa.false(), locations.c.status == 'pending_delete'))


def has_migrations(engine: sa.Engine) -> bool:
    return any(free for _, free in _free_objects(engine))


def migrate(engine: sa.Engine) -> int:
    changed = 0
    for connection, free in _free_objects(engine):
        for object_hash, location_id in free.items():
            changed += connection.execute(locations.update().where(
                locations.c.id == location_id, locations.c.object_hash.is_(None)).values(object_hash=object_hash)).rowcount
    return changed


def _free_objects(engine: sa.Engine) -> Iterator[tuple[sa.Connection, dict[str, int]]]:
    """Yield the hashes of objects that no location holds yet, with the location that should."""
    for connection, rows in batches(engine, CANDIDATES, locations.c.id):
        wanted: dict[str, int] = {}
        for location_id, url in rows:
            object_hash = hash_of(url)
            if object_hash is not None:
                wanted.setdefault(object_hash, location_id)
        held = connection.scalars(sa.select(locations.c.object_hash).where(locations.c.object_hash.in_(wanted))).all()
        yield connection, {key: location_id for key, location_id in wanted.items() if key not in held}
