"""The innermost layer: between images, their members and the records."""
import dataclasses
import logging
import uuid
from collections.abc import Sequence
from typing import Any

from glance import exceptions
from glance.context import RequestContext
from glance.db.interface import (
    SERVICE,
    Charge,
    ImageChanges,
    ImageQuery,
    ImageRecord,
    LocationRecord,
    MemberRecord,
    Removal,
    Resource,
)
from glance.domain.image import Image, Location
from glance.domain.member import Member
from glance.domain.properties import BASE_ATTRIBUTES
from glance.environment import Environment
from glance.layers.base import Images, Members, Page
from glance.tasks.leases import Lease, prolonged
from glance.transfer.sources import Source

LOG = logging.getLogger(__name__)

# Attributes that record and image call by the same name.
_COLUMNS = ('status', 'visibility', 'owner', 'name', 'disk_format', 'container_format', 'size', 'virtual_size', 'checksum',
            'os_hash_algo', 'os_hash_value', 'min_disk', 'min_ram', 'protected', 'os_hidden')
# What only an upload writes.
_UPLOADED = ('size', 'virtual_size', 'checksum', 'os_hash_algo', 'os_hash_value')


class DatabaseImages(Images):
    """Images in the database. Each verb is one transaction."""

    def __init__(self, context: RequestContext, env: Environment):
        self.context, self.env, self._database = context, env, env.database

    def new(self, values: dict[str, Any]) -> Image:
        base = {name: value for name, value in values.items() if name in BASE_ATTRIBUTES}
        image_id = base.pop('id', None) or str(uuid.uuid4())
        extra = {name: value for name, value in values.items() if name not in BASE_ATTRIBUTES}
        return Image(image_id, extra_properties=extra, **base)

    def get(self, image_id: str, rule: str | None = None) -> Image:
        return load(self._database.image_get(self.context, image_id), self.context.owner)

    def list(self, query: ImageQuery) -> Page:
        records = self._database.image_list(self.context, query)
        full = query.limit is not None and 0 < query.limit == len(records)
        return Page([load(record, self.context.owner) for record in records], records[-1]['id'] if full else None)

    def count(self, query: ImageQuery) -> int:
        return self._database.image_count(self.context, query)

    def add(self, image: Image, charge: Charge | None = None) -> None:
        record = self._database.image_create({
            'id': image.image_id, 'properties': image.extra_properties, 'tags': image.tags,
            'locations': [_location_record(location) for location in image.locations],
            **{name: getattr(image, name) for name in _COLUMNS}}, charge)
        image.created_at, image.updated_at = record['created_at'], record['updated_at']
        image.remember()

    def save(self, image: Image, from_status: str | None = None, charge: Charge | None = None) -> None:
        changes = image.changes
        if 'status' in changes.attributes and from_status is None:
            from_status = image.loaded.status
        try:
            self._write_changes(image, from_status, charge=charge, set_properties=changes.set_properties,
                                expected=_expected(image))
        except exceptions.ChangedMeanwhile as error:
            if image.guarded:
                raise
            # The client made no condition: what failed is not one of its own.
            raise exceptions.Conflict(str(error)) from None

    def begin_work(self, image: Image, lease: Lease) -> None:
        changes = image.changes
        new = {name: value for name, value in changes.set_properties.items() if name in changes.new_properties}
        old = {name: value for name, value in changes.set_properties.items() if name not in new}
        self._write_changes(image, image.loaded.status, acquire=lease, set_properties=old, add_properties=new)

    def finish_work(self, image: Image, lease: Lease, goes_on: bool = False, charge: Charge | None = None) -> None:
        changes = image.changes
        self._write_changes(image, image.loaded.status if 'status' in changes.attributes else None, charge=charge,
                            release=lease.attempt, acquire=prolonged(lease) if goes_on else None,
                            set_properties=changes.set_properties)

    def begin_removal(self, image: Image, lease: Lease | None = None) -> Removal:
        # An upload may have ended since the image was loaded: what counts is what the transaction found.
        while True:
            try:
                removal = self._database.image_remove(image.image_id, 'pending_delete', from_status=image.status,
                                                      acquire=lease)
                break
            except exceptions.StatusConflict as conflict:
                image.status = conflict.current
        image.locations = [_location(record) for record in removal.locations]
        return removal

    def finish_removal(self, image: Image, removal: Removal) -> None:
        image.status = removal.status
        gone = _gone(image)
        try:
            if gone and self._database.image_scrubbed(image.image_id, gone, removal.attempt):
                image.status = 'deleted'
        except exceptions.DatabaseUnavailable:
            LOG.warning('Image %s stays in status pending_delete until it is scrubbed: the database is away.', image.image_id)

    def undo_removal(self, image: Image, removal: Removal) -> None:
        gone = _gone(image)
        try:
            if gone:
                self._database.image_scrubbed(image.image_id, gone)
            self._database.image_restore(image.image_id, image.status, removal)
        except exceptions.GlanceError as error:
            LOG.error('Image %s stays in status pending_delete although its data could not be deleted: %s',
                      image.image_id, error)

    def begin_upload(self, image: Image, lease: Lease, store: str | None, charge: Charge | None = None) -> None:
        image.set_status('saving')
        self._write(image, [], 'queued', acquire=lease, charge=charge, columns={'status': 'saving'})

    def reserving(self, image: Image, source: Source, lease: Lease, resource: Resource = 'storage') -> Source:
        return source

    def finish_upload(self, image: Image, lease: Lease) -> None:
        image.set_status('active')
        columns = {name: getattr(image, name) for name in _UPLOADED}
        added = [location for location in image.locations if location.id is None]
        try:
            self._write(image, added, 'saving', release=lease.attempt, columns={'status': 'active', **columns})
        except exceptions.ImageNotFound:
            raise exceptions.ImageGone(image.image_id) from None

    def abort_upload(self, image: Image, lease: Lease, error: BaseException) -> None:
        image.status, image.locations = 'saving', [location for location in image.locations if location.id is not None]
        columns = {'status': 'queued', **dict.fromkeys(_UPLOADED)}
        try:
            image.updated_at = self._database.image_update(image.image_id, ImageChanges(columns=columns), 'saving',
                                                           release=lease.attempt).updated_at
        except (exceptions.NotFound, exceptions.Conflict):
            # Deleted meanwhile, or taken over: there is nothing of ours left to undo.
            return
        except exceptions.DatabaseUnavailable:
            LOG.error('Image %s stays in status saving until its lease lapses: the database is away.', image.image_id)
        else:
            image.set_status('queued')
            image.remember()

    def end_download(self, image: Image, bytes_sent: int, length: int, destination_ip: str | None = None) -> None:
        """Records keep nothing of downloads."""

    def check_uploading(self, image: Image) -> None:
        try:
            self._database.image_get(SERVICE, image.image_id)
        except exceptions.ImageNotFound:
            raise exceptions.ImageGone(image.image_id) from None
        except exceptions.DatabaseUnavailable:
            # The bytes go on; whether the record can be written counts at the end.
            return

    def _write_changes(self, image: Image, from_status: str | None, **more: Any) -> None:
        """Write what differs from the loaded image, but for the properties that were set."""
        changes, added = image.changes, _to_append(image)
        moved = [location.id for location in added if location.id is not None]
        self._write(image, added, from_status, columns=changes.attributes, remove_properties=changes.removed_properties,
                    add_tags=changes.added_tags, remove_tags=changes.removed_tags,
                    update_locations=[_location_record(location) for location in changes.updated_locations
                                      if location.id not in moved],
                    remove_locations={**dict.fromkeys(moved, 'deleted'), **self._removed(image)}, **more)

    def _removed(self, image: Image) -> dict[int, str]:
        """Return what becomes of the records of locations that the image has no more: with delayed delete the data waits."""
        kept = {location.url for location in image.locations}
        return {location.id: 'pending_delete' if self.env.conf.delayed_delete and location.url not in kept else 'deleted'
                for location in image.changes.removed_locations}

    def _write(self, image: Image, added: Sequence[Location], from_status: str | None, *, acquire: Lease | None = None,
               release: str | None = None, expected: ImageRecord | None = None, charge: Charge | None = None,
               **changes: Any) -> None:
        records = [_location_record(dataclasses.replace(location, id=None)) for location in added]
        written = self._database.image_update(
            image.image_id, ImageChanges(add_locations=records, **changes), from_status, acquire=acquire, release=release,
            expected=expected, charge=charge)
        image.updated_at = written.updated_at
        for location, location_id in zip(added, written.location_ids, strict=True):
            location.id = location_id
        image.remember()


class DatabaseMembers(Members):
    """Memberships in the database. The owner of the image and administrators see all of them, a member sees its own."""

    def __init__(self, context: RequestContext, env: Environment, image: Image):
        self.context, self.env, self.image, self._database = context, env, image, env.database

    def new(self, member_id: str) -> Member:
        self.image.check_shared()
        return Member(self.image.image_id, member_id)

    def get(self, member_id: str, rule: str | None = None) -> Member:
        self.image.check_shared()
        records = self._database.member_list(self.image.image_id, member_id) if self._sees(member_id) else []
        if not records:
            raise exceptions.MemberNotFound(self.image.image_id, member_id)
        return _member(records[0])

    def list(self) -> list[Member]:
        self.image.check_shared()
        return [_member(record) for record in self._database.member_list(self.image.image_id)
                if self._sees(record['member'])]

    def add(self, member: Member) -> None:
        record = self._database.member_create(member.image_id, member.member_id, member.status)
        member.created_at, member.updated_at = record['created_at'], record['updated_at']

    def save(self, member: Member) -> None:
        member.updated_at = self._database.member_update(member.image_id, member.member_id, member.status)['updated_at']

    def remove(self, member: Member) -> None:
        self._database.member_delete(member.image_id, member.member_id)

    def _sees(self, member_id: str) -> bool:
        return self.context.is_admin or self.context.owner is not None and self.context.owner in (
            self.image.owner, member_id)


def load(record: ImageRecord, caller: str | None = None) -> Image:
    """Make the image of a record, as the project ``caller`` sees it."""
    image = Image(
        record['id'], created_at=record['created_at'], updated_at=record['updated_at'], tags=record['tags'],
        extra_properties=record['properties'],
        locations=[_location(location) for location in record['locations']],
        member=caller if record['is_member'] else None,
        **{name: record[name] for name in _COLUMNS})
    image.remember()
    return image


def _expected(image: Image) -> ImageRecord | None:
    """What the stored image must be like: all that was loaded of a guarded one.

    Whoever takes a location away relies on the others being there, and who moves one on that it still is there.
    """
    loaded = image.loaded
    locations = {'locations': [_location_record(location) for location in loaded.locations]}
    if image.guarded:
        return {'updated_at': loaded.updated_at, 'properties': loaded.extra_properties, 'tags': loaded.tags, **locations,
                **{name: getattr(loaded, name) for name in _COLUMNS}}
    moved = any(location.id is not None for location in _to_append(image))
    return locations if moved or image.changes.removed_locations else None


def _to_append(image: Image) -> list[Location]:
    """Return the locations that need a new record, which are kept in the order of their ids.

    These are the new ones, and each one that stands behind one of them or behind a younger one.
    """
    last, appended = 0, []
    for location in image.locations:
        if location.id is None or appended or location.id < last:
            appended.append(location)
        else:
            last = location.id
    return appended


def _location(record: LocationRecord) -> Location:
    return Location(record['url'], record['metadata'], record['status'], record['id'])


def _location_record(location: Location) -> dict[str, Any]:
    record = {'url': location.url, 'metadata': location.metadata, 'status': location.status}
    if location.id is not None:
        record['id'] = location.id
    return record


def _gone(image: Image) -> list[int]:
    return [location.id for location in image.locations if location.status == 'deleted']


def _member(record: MemberRecord) -> Member:
    return Member(record['image_id'], record['member'], record['status'], record['created_at'], record['updated_at'])
