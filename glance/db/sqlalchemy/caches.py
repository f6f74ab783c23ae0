"""Operations on what the image caches of the nodes hold."""
import dataclasses
import datetime
from collections.abc import Collection

import sqlalchemy as sa

from glance.db import validation
from glance.db.interface import CachedImage
from glance.db.sqlalchemy.engine import Engine
from glance.db.sqlalchemy.models import cached_images, node_reference
from glance.db.sqlalchemy.operations import Operations

FIELDS = tuple(field.name for field in dataclasses.fields(CachedImage))
KEYS = ('image_id', 'node_reference_id')
VALUES = ('last_accessed', 'last_modified', 'size', 'hits', 'checksum')


class CacheOperations(Operations):
    """Entries of image caches, by node."""

    def __init__(self, engine: Engine):
        super().__init__(engine)
        self._save_node = self._dialect.upsert(node_reference, ('node_reference_url',), ('node_reference_url',))
        self._save_entry = self._dialect.upsert(cached_images, KEYS, VALUES)

    def cache_save(self, node: str, entry: CachedImage) -> None:
        validation.check_cached_image(node, entry)
        values = {**{name: getattr(entry, name) for name in ('image_id', *VALUES)},
                  'last_accessed': self._dialect.time(entry.last_accessed),
                  'last_modified': self._dialect.time(entry.last_modified)}

        def save(connection: sa.Connection) -> None:
            key = connection.scalar(self._node(node))
            if key is None:
                connection.execute(self._save_node, {'node_reference_url': node})
                key = connection.scalar(self._node(node))
            connection.execute(self._save_entry, {**values, 'node_reference_id': key})

        self._engine.write(save)

    def cache_hit(self, node: str, image_id: str, accessed_at: datetime.datetime) -> None:
        statement = cached_images.update().where(cached_images.c.image_id == image_id, self._of(node)).values(
            hits=cached_images.c.hits + 1, last_accessed=self._dialect.time(accessed_at))
        # When the answer to COMMIT is lost the use may be counted twice, which matters to nobody.
        self._engine.write(lambda connection: connection.execute(statement) and None)

    def cache_list(self, node: str) -> list[CachedImage]:
        statement = sa.select(*(cached_images.c[name] for name in FIELDS)).where(self._of(node)).order_by(
            cached_images.c.last_accessed, cached_images.c.id)
        return self._engine.read(lambda connection: [CachedImage(**row) for row in connection.execute(statement).mappings()])

    def cache_delete(self, node: str, image_ids: Collection[str] | None = None) -> None:
        statement = cached_images.delete().where(self._of(node))
        if image_ids is not None:
            statement = statement.where(cached_images.c.image_id.in_(tuple(image_ids)))
        self._engine.write(lambda connection: connection.execute(statement) and None)

    def cache_nodes(self, image_id: str) -> list[str]:
        if not validation.is_id(image_id):
            return []
        statement = sa.select(node_reference.c.node_reference_url).join(cached_images).where(
            cached_images.c.image_id == image_id)
        return self._engine.read(lambda connection: sorted(connection.scalars(statement)))

    def _node(self, node: str) -> sa.Select:
        return sa.select(node_reference.c.node_reference_id).where(
            self._dialect.equal(node_reference.c.node_reference_url, sa.literal(node, sa.String)))

    def _of(self, node: str) -> sa.ColumnElement[bool]:
        return cached_images.c.node_reference_id == self._node(node).scalar_subquery()
