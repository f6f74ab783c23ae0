"""The data that should be in stores: where it is, which of it waits for the scrubber, and who removes that."""
import dataclasses
import datetime
import json
from collections.abc import Collection, Sequence

import sqlalchemy as sa

from glance import exceptions
from glance.db import validation
from glance.db.encryption import UrlCipher
from glance.db.interface import Lease, LocationRecord, PendingImage, StoredLocation
from glance.db.sqlalchemy.engine import Engine
from glance.db.sqlalchemy.leases import lease_row, take_lease
from glance.db.sqlalchemy.models import image_leases, image_locations, image_properties, images
from glance.db.sqlalchemy.operations import Operations
from glance.db.sqlalchemy.removals import TOGETHER


class PendingOperations(Operations):
    """Locations of all images, and those that are ``pending_delete``, by image."""

    _urls: UrlCipher        # that of ImageOperations

    def __init__(self, engine: Engine):
        super().__init__(engine)
        self._take_lease = take_lease(engine.dialect)

    def pending_list(self, removed_before: datetime.datetime, after: str | None = None, limit: int = 100
                     ) -> list[PendingImage]:
        def find(connection: sa.Connection) -> list[PendingImage]:
            ids = connection.scalars(self._pending_ids(removed_before, after, limit)).all()
            rows = connection.execute(_rows(ids)).all()
            return self._pending_images(connection, rows, removed_before)

        return self._engine.read(find)

    def pending_claim(self, image_ids: Sequence[str], lease: Lease, now: datetime.datetime,
                      removed_before: datetime.datetime, dead: Collection[str] = ()) -> list[PendingImage]:
        wanted = [image_id for image_id in image_ids if validation.is_id(image_id)]

        def claim(connection: sa.Connection) -> list[PendingImage]:
            # What is read after the locks stays as it is until the commit.
            rows = connection.execute(_rows(wanted).with_for_update()).all()
            held = {row.image_id for row in connection.execute(
                sa.select(image_leases).where(image_leases.c.image_id.in_(wanted)))
                if row.attempt not in dead and Lease(**row._mapping).is_held(now)}
            found = self._pending_images(connection, [row for row in rows if row.id not in held], removed_before)
            if found:
                connection.execute(self._take_lease, [
                    lease_row(self._dialect, dataclasses.replace(lease, image_id=image.image_id)) for image in found])
            return found

        return self._engine.write(claim)

    def location_list(self, after: int = 0, limit: int = 1000) -> list[StoredLocation]:
        statement = sa.select(image_locations, images.c.status.label('image_status')).join(images).where(
            image_locations.c.id > after, image_locations.c.status != 'deleted').order_by(image_locations.c.id).limit(limit)
        rows = self._engine.read(lambda connection: connection.execute(statement).all())
        return [StoredLocation(row.image_id, row.image_status, self._location_record(row)) for row in rows]

    def _pending_ids(self, removed_before: datetime.datetime, after: str | None, limit: int) -> sa.Select:
        """Return the select of images of which something waits: of a whole image, or of single locations."""
        locations = sa.select(image_locations.c.image_id.label('id')).where(
            image_locations.c.status == 'pending_delete', image_locations.c.deleted_at <= removed_before).distinct()
        whole = sa.select(images.c.id).where(
            images.c.status == 'pending_delete', images.c.deleted == sa.true(), images.c.deleted_at <= removed_before)
        if after is not None:
            locations = locations.where(image_locations.c.image_id > after)
            whole = whole.where(images.c.id > after)
        both = sa.union(self._dialect.branch(locations.order_by(image_locations.c.image_id).limit(limit)),
                        self._dialect.branch(whole.order_by(images.c.id).limit(limit))).subquery()
        return sa.select(both.c.id).order_by(both.c.id).limit(limit)

    def _pending_images(self, connection: sa.Connection, rows: Sequence[sa.Row], removed_before: datetime.datetime
                        ) -> list[PendingImage]:
        """Return those of the images, given by their rows, that have something to be removed."""
        waiting = {row.id: row for row in rows if row.status == 'pending_delete' and row.deleted_at is not None
                   and row.deleted_at <= removed_before}
        ids = [row.id for row in rows]
        locations: dict[str, list[LocationRecord]] = {}
        for row in connection.execute(sa.select(image_locations).where(
                image_locations.c.image_id.in_(ids), image_locations.c.status == 'pending_delete',
                image_locations.c.deleted_at <= removed_before).order_by(image_locations.c.id)):
            locations.setdefault(row.image_id, []).append(self._location_record(row))
        properties: dict[str, dict[str, str | None]] = {}
        for row in connection.execute(sa.select(image_properties).where(
                image_properties.c.image_id.in_(list(waiting)), image_properties.c.deleted == sa.true())):
            deleted_at = waiting[row.image_id].deleted_at
            if row.deleted_at is not None and deleted_at - TOGETHER <= row.deleted_at <= deleted_at:
                properties.setdefault(row.image_id, {})[row.name] = row.value
        return [PendingImage(row.id, row.status, row.owner, properties.get(row.id, {}), locations.get(row.id, []))
                for row in rows if row.id in waiting or row.id in locations]

    def _location_record(self, row: sa.Row) -> LocationRecord:
        record: LocationRecord = {'id': row.id, 'metadata': json.loads(row.meta_data or '{}'), 'status': row.status}
        try:
            return {**record, 'url': self._urls.open(row.value)}
        except exceptions.LocationUnreadable:
            return record


def _rows(image_ids: Sequence[str]) -> sa.Select:
    return sa.select(images.c.id, images.c.status, images.c.owner, images.c.deleted_at).where(
        images.c.id.in_(image_ids)).order_by(images.c.id)
