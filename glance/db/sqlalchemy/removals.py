"""What happens to images after their removal: their data goes, or they come back."""
import datetime
from collections.abc import Collection

import sqlalchemy as sa

from glance import exceptions
from glance.db import validation
from glance.db.interface import Removal
from glance.db.objects import hash_of
from glance.db.sqlalchemy.engine import Engine
from glance.db.sqlalchemy.leases import drop_lease, give_back_lease
from glance.db.sqlalchemy.members import drop_double_members
from glance.db.sqlalchemy.models import image_leases, image_locations, image_members, image_properties, image_tags, images
from glance.db.sqlalchemy.operations import Operations

# Other releases delete the children of an image before its row.
TOGETHER = datetime.timedelta(seconds=2)


class RemovalOperations(Operations):
    """Images that are ``pending_delete``, and what keeps them from going for good."""

    def __init__(self, engine: Engine):
        super().__init__(engine)
        self._find = sa.select(images.c.status, images.c.deleted_at).where(
            self._dialect.equal(images.c.id, sa.bindparam('id', type_=sa.String))).with_for_update()

    def image_scrubbed(self, image_id: str, location_ids: Collection[int], release: str | None = None) -> bool:
        def scrubbed(connection: sa.Connection) -> bool:
            status = self._lock(connection, image_id).status
            pending = image_locations.c.image_id == image_id, image_locations.c.status == 'pending_delete'
            now = self._dialect.now()
            if location_ids:
                connection.execute(image_locations.update().where(*pending, image_locations.c.id.in_(location_ids)).values(
                    status='deleted', object_hash=None, updated_at=now))
            if release is not None:
                connection.execute(image_leases.delete().where(
                    image_leases.c.image_id == image_id, image_leases.c.attempt == release))
            if status != 'pending_delete':
                return status == 'deleted'
            left = sa.select(image_locations.c.id).where(*pending).exists()
            finished = images.update().where(images.c.id == image_id, ~left).values(status='deleted', updated_at=now)
            return bool(connection.execute(finished).rowcount)

        return self._engine.write(scrubbed)

    def image_restore(self, image_id: str, status: str = 'active', removal: Removal | None = None) -> None:
        validation.check_restored_status(status)

        def restore(connection: sa.Connection) -> None:
            found = self._lock(connection, image_id)
            deleted_at = found.deleted_at
            if found.status != 'pending_delete' or deleted_at is None:
                raise exceptions.StatusConflict(image_id, found.status, 'pending_delete')
            if removal is not None and removal.deleted_at != deleted_at:
                raise exceptions.ChangedMeanwhile(image_id)
            self._end_lease(connection, image_id, removal.attempt if removal is not None else None)
            since = deleted_at if removal is not None else deleted_at - TOGETHER
            alive = {'deleted': False, 'deleted_at': None, 'updated_at': self._dialect.now()}
            for table in (image_properties, image_tags, image_members):
                connection.execute(table.update().where(
                    table.c.image_id == image_id, table.c.deleted_at.between(since, deleted_at)).values(**alive))
            drop_double_members(connection, image_id)
            pending = image_locations.update().where(
                image_locations.c.image_id == image_id, image_locations.c.status == 'pending_delete')
            if removal is not None:
                pending = pending.where(image_locations.c.deleted_at == deleted_at)
            if not connection.execute(pending.values(**alive, status='active')).rowcount:
                raise exceptions.Conflict('The data of image %s is gone; the image cannot be restored.' % image_id)
            connection.execute(images.update().where(images.c.id == image_id).values(**alive, status=status))

        alive_again = sa.select(sa.func.count()).select_from(images).where(
            images.c.id == image_id, images.c.status == status, images.c.deleted == sa.false())
        self._engine.write(restore, applied=lambda connection: bool(connection.scalar(alive_again)))

    def property_in_use(self, name: str, value: str, except_image: str) -> bool:
        # What belonged to an image that is pending may come back with it.
        restorable = images.c.status == 'pending_delete'
        alive = sa.and_(images.c.deleted == sa.false(), image_properties.c.deleted == sa.false())
        found = sa.select(sa.literal(1)).select_from(image_properties.join(images)).where(
            self._dialect.equal(image_properties.c.name, sa.literal(name, sa.String)),
            self._dialect.equal(image_properties.c.value, sa.literal(value, sa.Text)),
            images.c.id != except_image, sa.or_(alive, restorable)).limit(1)
        return self._engine.read(lambda connection: connection.scalar(found)) is not None

    def object_in_use(self, url: str, except_image: str) -> bool:
        object_hash = hash_of(url)
        found = sa.select(sa.literal(1)).select_from(image_locations).where(
            image_locations.c.object_hash == object_hash, image_locations.c.image_id != except_image).limit(1)
        return object_hash is not None and self._engine.read(lambda connection: connection.scalar(found)) is not None

    def _lock(self, connection: sa.Connection, image_id: str) -> sa.Row:
        """Keep other writers off an image; return its status and the time of its deletion."""
        row = connection.execute(self._find, {'id': image_id}).one_or_none() if validation.is_id(image_id) else None
        if row is None:
            raise exceptions.ImageNotFound(str(image_id))
        return row

    def _end_lease(self, connection: sa.Connection, image_id: str, attempt: str | None) -> None:
        """End the lease of an attempt, or make sure that nobody has one to remove the image's data."""
        if attempt is not None:
            give_back_lease(connection, image_id, attempt)
            return
        expires_at = connection.scalar(sa.select(image_leases.c.expires_at).where(image_leases.c.image_id == image_id))
        if expires_at is not None and expires_at > self._dialect.now():
            raise exceptions.Conflict(validation.BEING_SCRUBBED % image_id)
        if expires_at is not None:
            drop_lease(connection, image_id)
