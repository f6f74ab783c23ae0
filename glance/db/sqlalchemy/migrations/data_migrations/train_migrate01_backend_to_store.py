"""Renames the key that tells a location's store, in the location's metadata, from ``backend`` to ``store``."""
import json

import sqlalchemy as sa

from glance.db.sqlalchemy.migrations.data_migrations.batches import batches

EXPAND = 'train_expand01'
CONTRACT = 'train_contract01'

locations = sa.table('image_locations', sa.column('id', sa.Integer), sa.column('meta_data', sa.Text))
CANDIDATES = sa.select(locations.c.id, locations.c.meta_data).where(locations.c.meta_data.contains('"backend"'))


def has_migrations(engine: sa.Engine) -> bool:
    return any(_renamed(text) for _, rows in batches(engine, CANDIDATES, locations.c.id) for _, text in rows)


def migrate(engine: sa.Engine) -> int:
    changed = 0
    for connection, rows in batches(engine, CANDIDATES, locations.c.id):
        for location_id, text in rows:
            renamed = _renamed(text)
            if renamed:
                # A service that has rewritten the metadata in the meantime is right; the next run looks at it again.
                unchanged = sa.and_(locations.c.id == location_id, locations.c.meta_data == text)
                changed += connection.execute(locations.update().where(unchanged).values(meta_data=renamed)).rowcount
    return changed


def _renamed(text: str) -> str | None:
    """The metadata (JSON) with the new key, None when it needs no change or is no JSON object."""
    try:
        metadata = json.loads(text)
    except ValueError:
        return None
    if not isinstance(metadata, dict) or 'backend' not in metadata or 'store' in metadata:
        return None
    return json.dumps({'store' if key == 'backend' else key: value for key, value in metadata.items()})
