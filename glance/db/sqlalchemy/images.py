"""Operations on images."""
import dataclasses
import datetime
import json
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from oslo_db import exception as db_errors

from glance import exceptions
from glance.db import validation
from glance.db.encryption import UrlCipher
from glance.db.interface import (
    Caller,
    Charge,
    ImageChanges,
    ImageQuery,
    ImageRecord,
    Lease,
    LocationRecord,
    Removal,
    Written,
)
from glance.db.objects import hash_of
from glance.db.sqlalchemy import documents
from glance.db.sqlalchemy.engine import Engine
from glance.db.sqlalchemy.leases import drop_lease, give_back_lease, lease_row, take_lease
from glance.db.sqlalchemy.listing import Pages
from glance.db.sqlalchemy.members import drop_double_members
from glance.db.sqlalchemy.models import (
    image_id_tombstones,
    image_leases,
    image_locations,
    image_members,
    image_properties,
    image_tags,
    images,
)
from glance.db.sqlalchemy.operations import Operations
from glance.db.sqlalchemy.usage import Accounts
from glance.db.visibility import is_visible, scopes

CHUNK = 500             # ids in one IN
LIST_TRIES = 3          # pages begun anew because an image vanished between its two statements
DEFAULTS: Mapping[str, Any] = {
    'visibility': 'shared', 'min_disk': 0, 'min_ram': 0, 'protected': False, 'os_hidden': False,
}
CREATION_TIMES = ('created_at', 'updated_at')
CHILDREN = frozenset(('properties', 'tags', 'locations'))
NEW = 'new_'            # what the parameters of INSERT_IMAGE begin with
ANY_ORDER = (('id', 'asc'),)
READ_ONLY = frozenset(('deleted', 'deleted_at', 'is_member'))
REVIVED = ('updated_at', 'deleted', 'deleted_at')


class Viewer(NamedTuple):
    """A ``Caller`` whose owner can be compared with what the tables hold."""

    is_admin: bool
    owner: str | None


class ImageOperations(Operations):
    """Images with their properties, tags and locations."""

    def __init__(self, engine: Engine, urls: UrlCipher | None = None):
        super().__init__(engine)
        self._urls = urls or UrlCipher()
        is_id = self._is_id(sa.bindparam('id', type_=sa.String))
        is_in_page = images.c.id.in_(sa.bindparam('ids', expanding=True))
        selects = {anonymous: documents.select_images(engine.dialect, anonymous) for anonymous in (False, True)}
        self._by_id = {anonymous: select.where(is_id) for anonymous, select in selects.items()}
        self._by_ids = {anonymous: select.where(is_in_page) for anonymous, select in selects.items()}
        self._pages = Pages(engine.dialect)
        self._upsert_property = engine.dialect.upsert(image_properties, ('image_id', 'name'), ('value', *REVIVED))
        self._take_lease = take_lease(engine.dialect)
        self._accounts = Accounts(engine.dialect)

    def image_create(self, values: Mapping[str, Any], charge: Charge | None = None) -> ImageRecord:
        image = self._new_image(values)
        row = {name: image[name] for name in documents.COLUMNS}

        def insert(connection: sa.Connection) -> None:
            if charge is not None:
                self._accounts.admit(connection, charge, row['id'])
            try:
                inserted = connection.execute(INSERT_IMAGE, {NEW + name: value for name, value in row.items()}).rowcount
            except db_errors.DBDuplicateEntry:
                inserted = 0
            if not inserted:
                raise exceptions.Duplicate('Image ID %s already exists!' % row['id'])
            stamps = {'image_id': row['id'], 'created_at': image['created_at'], 'updated_at': image['created_at'],
                      'deleted_at': None, 'deleted': False}
            if image['properties']:
                self._write_properties(connection, image_properties.insert(), image['properties'], stamps)
            if image['tags']:
                connection.execute(image_tags.insert(), [{'value': tag, **stamps} for tag in image['tags']])
            self._add_locations(connection, image['locations'], stamps)

        self._engine.write(insert, applied=self._row_is(row))
        return image

    def image_get(self, caller: Caller, image_id: str, show_deleted: bool = False) -> ImageRecord:
        if not validation.is_id(image_id):
            raise exceptions.ImageNotFound(str(image_id))
        viewer = self._viewer(caller)
        statement, parameters = self._by_id[viewer.owner is None], {'id': image_id, 'caller': viewer.owner}
        found = self._engine.read(lambda connection: connection.scalar(statement, parameters))
        if found is not None:
            image = self._read(found, viewer.owner)
            if (show_deleted or not image['deleted']) and is_visible(viewer, image):
                return image
        raise exceptions.ImageNotFound(image_id)

    def image_list(self, caller: Caller, query: ImageQuery) -> list[ImageRecord]:
        validation.check_query(query, self._limits)
        sort = validation.full_sort(query.sort)
        marker = None if query.marker is None else self._marker(caller, query)
        viewer = self._viewer(caller)
        if query.limit == 0 or not scopes(viewer, query.visibility):
            return []
        statement, parameters = self._pages.find(viewer, query, sort, marker)

        def page(connection: sa.Connection) -> list[ImageRecord]:
            for _ in range(LIST_TRIES):
                ids = connection.scalars(statement, parameters).all()
                found = self._load(connection, viewer, ids, query)
                if len(found) == len(ids):
                    break
            return found

        return self._engine.read(page)

    def image_count(self, caller: Caller, query: ImageQuery) -> int:
        validation.check_query(query, self._limits)
        viewer = self._viewer(caller)
        if not scopes(viewer, query.visibility):
            return 0
        whole = dataclasses.replace(query, marker=None, limit=None)
        statement, parameters = self._pages.find(viewer, whole, ANY_ORDER, None)
        count = sa.select(sa.func.count()).select_from(statement.order_by(None).subquery())
        return self._engine.read(lambda connection: connection.scalar(count, parameters))

    def image_update(self, image_id: str, changes: ImageChanges, from_status: str | None = None,
                     acquire: Lease | None = None, release: str | None = None,
                     expected: ImageRecord | None = None, charge: Charge | None = None) -> Written:
        validation.check_changes(changes, from_status, self._limits)
        if not validation.is_id(image_id):
            raise exceptions.ImageNotFound(str(image_id))
        # A retry reads it again.
        changes = dataclasses.replace(changes, remove_properties=tuple(changes.remove_properties))
        now = self._dialect.now()
        row = {**changes.columns, 'updated_at': now}

        def update(connection: sa.Connection) -> Written:
            if charge is not None:
                self._accounts.admit(connection, charge, image_id)
            if expected is not None:
                self._check_expected(connection, image_id, expected)
            self._update_row(connection, image_id, row, from_status)
            if release is not None:
                give_back_lease(connection, image_id, release)
            if acquire is not None:
                connection.execute(self._take_lease, lease_row(self._dialect, acquire))
            self._update_properties(connection, image_id, changes, now)
            self._update_tags(connection, image_id, changes, now)
            return Written(now, self._update_locations(connection, image_id, changes, now))

        return self._engine.write(update, applied=self._row_is({'id': image_id, **row}))

    def image_remove(self, image_id: str, status: str = 'deleted', from_status: str | None = None,
                     acquire: Lease | None = None, expected: ImageRecord | None = None) -> Removal:
        validation.check_location_status(status, validation.REMOVED_STATUSES)
        if not validation.is_id(image_id):
            raise exceptions.ImageNotFound(str(image_id))
        now = self._dialect.now()
        dead = {'deleted': True, 'deleted_at': now, 'updated_at': now}

        def remove(connection: sa.Connection) -> Removal:
            if expected is not None:
                self._check_expected(connection, image_id, expected)
            self._update_row(connection, image_id, {**dead, 'status': status}, from_status)
            counts = connection.execute(COUNT_CHILDREN, {'id': image_id}).one()
            removed, shared = self._live_locations(connection, image_id) if counts.locations else ([], [])
            if counts.members > counts.projects:
                drop_double_members(connection, image_id)
            for table, count in ((image_properties, counts.properties), (image_tags, counts.tags),
                                 (image_locations, counts.locations), (image_members, counts.members)):
                if count:
                    more = _location_status(status) if table is image_locations else {}
                    connection.execute(_live(table, table.update(), image_id).values(**dead, **more))
            if shared:
                connection.execute(image_locations.update().where(image_locations.c.id.in_(shared)).values(status='deleted'))
            lease = acquire if removed and status == 'pending_delete' else None
            if lease is not None:
                connection.execute(self._take_lease, lease_row(self._dialect, lease))
            elif counts.leases:
                drop_lease(connection, image_id)
            if removed or status == 'deleted':
                return Removal(now, status, removed, lease.attempt if lease else None)
            connection.execute(images.update().where(self._is_id(_text(image_id))).values(status='deleted'))
            return Removal(now, 'deleted', removed)

        return self._engine.write(remove, applied=self._row_is({'id': image_id, **dead}))

    # Parts of reading

    def _viewer(self, caller: Caller) -> Viewer:
        """Return what counts of the caller; a project whose name no row can hold is none."""
        owner = caller.owner
        return Viewer(caller.is_admin, owner if owner is None or self._can_be_stored(owner) else None)

    def _marker(self, caller: Caller, query: ImageQuery) -> ImageRecord:
        try:
            return self.image_get(caller, query.marker, show_deleted=query.deleted is not False)
        except exceptions.ImageNotFound:
            raise exceptions.InvalidMarker(query.marker) from None

    def _load(self, connection: sa.Connection, viewer: Viewer, ids: Sequence[str], query: ImageQuery
              ) -> list[ImageRecord]:
        """Return the images of a page in its order, without those that changed hands or vanished meanwhile."""
        statement = self._by_ids[viewer.owner is None]
        found: dict[str, ImageRecord] = {}
        for start in range(0, len(ids), CHUNK):
            for document in connection.scalars(statement, {'ids': ids[start:start + CHUNK], 'caller': viewer.owner}):
                image = self._read(document, viewer.owner)
                if (query.deleted is None or image['deleted'] == query.deleted) and is_visible(viewer, image):
                    found[image['id']] = image
        return [found[image_id] for image_id in ids if image_id in found]

    def _read(self, document: Any, caller: str | None) -> ImageRecord:
        image = documents.read_image(document, caller)
        for location in image['locations']:
            location['url'] = self._urls.open(location['url'])
        return image

    # Parts of writing

    def _check_expected(self, connection: sa.Connection, image_id: str, expected: ImageRecord) -> None:
        """Lock the row, then look at the image: what is read after the lock stays as it is until the commit."""
        connection.execute(sa.select(images.c.id).where(self._is_id(_text(image_id))).with_for_update())
        found = connection.scalar(self._by_id[True], {'id': image_id})
        image = None if found is None else self._read(found, None)
        if image is None or image['deleted']:
            raise exceptions.ImageNotFound(image_id)
        if not validation.is_as_expected(image, expected):
            raise exceptions.ChangedMeanwhile(image_id)

    def _is_id(self, value: sa.ColumnElement) -> sa.ColumnElement[bool]:
        return self._dialect.equal(images.c.id, value)

    def _new_image(self, values: Mapping[str, Any]) -> ImageRecord:
        """Check the values of a new image and return its record without the ids of locations."""
        unknown = values.keys() - set(documents.COLUMNS) - CHILDREN - READ_ONLY
        if unknown:
            raise ValueError('images has no column %s' % ', '.join(sorted(unknown)))
        now = self._dialect.now()
        image = dict.fromkeys(documents.COLUMNS) | DEFAULTS | {'created_at': now, 'updated_at': now}
        image.update((name, value) for name, value in values.items() if name not in READ_ONLY)
        for name in CREATION_TIMES:
            image[name] = self._dialect.time(image[name])
        image.update(
            id=image['id'] or str(uuid.uuid4()), deleted=False, is_member=False,
            properties=dict(values.get('properties') or {}), tags=list(dict.fromkeys(values.get('tags') or ())),
            locations=[_location(location) for location in values.get('locations') or ()])
        validation.check_columns(image, self._limits)
        validation.check_properties(image['properties'], self._limits)
        validation.check_tags(image['tags'], self._limits)
        validation.check_locations(image['locations'], self._limits)
        return image

    def _update_row(self, connection: sa.Connection, image_id: str, row: Mapping[str, Any], from_status: str | None) -> None:
        """Write the row of a live image if it is as expected; its lock then keeps other writers of its children off."""
        update = images.update().where(self._is_id(_text(image_id)), images.c.deleted == sa.false())
        if from_status is not None:
            update = update.where(images.c.status == from_status)
        if connection.execute(update.values(**row)).rowcount:
            return
        # With a lock, because on MySQL a plain read may show a state from before this transaction had the row to itself.
        status = connection.scalar(sa.select(images.c.status).where(
            self._is_id(_text(image_id)), images.c.deleted == sa.false()).with_for_update())
        if status is None:
            raise exceptions.ImageNotFound(image_id)
        if from_status not in (None, status):
            raise exceptions.StatusConflict(image_id, status, from_status)
        # For a moment the status was another one; now nobody else can change it.
        connection.execute(update.values(**row))

    def _update_properties(self, connection: sa.Connection, image_id: str, changes: ImageChanges,
                           now: datetime.datetime) -> None:
        if changes.add_properties:
            self._check_absent(connection, image_id, changes.add_properties)
        wanted = {**changes.set_properties, **changes.add_properties}
        gone = [name for name in changes.remove_properties if name not in wanted]
        self._bury(connection, image_properties, image_properties.c.name, image_id, gone, now)
        if wanted:
            self._write_properties(connection, self._upsert_property, wanted, {
                'image_id': image_id, 'created_at': now, 'updated_at': now, 'deleted_at': None, 'deleted': False})

    def _check_absent(self, connection: sa.Connection, image_id: str, names: Iterable[str]) -> None:
        """The lock on the row of the image makes sure that the properties stay absent until the commit."""
        equal = [self._dialect.equal(image_properties.c.name, _text(name)) for name in names]
        name = connection.scalar(sa.select(image_properties.c.name).where(
            image_properties.c.image_id == image_id, image_properties.c.deleted == sa.false(), sa.or_(*equal)).limit(1))
        if name is not None:
            raise exceptions.Duplicate('Image %s has a property %s already.' % (image_id, name))

    def _write_properties(self, connection: sa.Connection, statement: sa.Executable,
                          properties: Mapping[str, str | None], stamps: Mapping[str, Any]) -> None:
        rows = [{'name': name, 'value': value, **stamps} for name, value in properties.items()]
        try:
            connection.execute(statement, rows)
        except (db_errors.DBDuplicateEntry, db_errors.DBReferenceError):
            raise exceptions.Duplicate(
                'Image %s has another property whose name this database cannot tell from one of %s.'
                % (stamps['image_id'], ', '.join(sorted(properties)))) from None

    def _update_tags(self, connection: sa.Connection, image_id: str, changes: ImageChanges,
                     now: datetime.datetime) -> None:
        added = tuple(dict.fromkeys(changes.add_tags))
        gone = [tag for tag in changes.remove_tags if tag not in added]
        self._bury(connection, image_tags, image_tags.c.value, image_id, gone, now)
        if not added:
            return
        wanted = sa.union_all(*(
            sa.select(sa.literal(i, sa.Integer).label('position'),
                      sa.cast(_text(tag), image_tags.c.value.type).label('tag'))
            for i, tag in enumerate(added))).subquery('wanted')
        present = sa.exists().where(image_tags.c.image_id == image_id, image_tags.c.deleted == sa.false(),
                                    self._dialect.equal(image_tags.c.value, wanted.c.tag))
        rows = sa.select(sa.literal(image_id, sa.String), wanted.c.tag, sa.literal(now, sa.DateTime),
                         sa.literal(now, sa.DateTime), sa.false()).where(~present).order_by(wanted.c.position)
        connection.execute(image_tags.insert().from_select(
            ('image_id', 'value', 'created_at', 'updated_at', 'deleted'), rows))

    def _update_locations(self, connection: sa.Connection, image_id: str, changes: ImageChanges,
                          now: datetime.datetime) -> tuple[int, ...]:
        """Write them; return the ids of the new ones."""
        for status in sorted(set(changes.remove_locations.values())):
            ids = [key for key, wanted in changes.remove_locations.items() if wanted == status]
            connection.execute(_live(image_locations, image_locations.update(), image_id).where(
                image_locations.c.id.in_(ids)).values(deleted=True, deleted_at=now, updated_at=now,
                                                      **_location_status(status)))
        for location in changes.update_locations:
            update = _live(image_locations, image_locations.update(), image_id).where(
                image_locations.c.id == location['id'])
            values = self._location_row(location)
            stored = connection.scalar(sa.select(image_locations.c.value).where(image_locations.c.id == location['id']))
            if stored is not None and self._urls.open(stored) == location['url']:
                del values['value'], values['object_hash']
            if not connection.execute(update.values(**values, updated_at=now)).rowcount:
                raise exceptions.LocationNotFound(image_id, location['id'])
        added = [{**location} for location in changes.add_locations]
        self._add_locations(connection, added, {
            'image_id': image_id, 'created_at': now, 'updated_at': now, 'deleted_at': None, 'deleted': False})
        return tuple(location['id'] for location in added)

    def _add_locations(self, connection: sa.Connection, locations: Sequence[LocationRecord], stamps: Mapping[str, Any]
                       ) -> None:
        """Insert locations and give the records their ids."""
        rows = [{**self._location_row(location), **stamps} for location in locations]
        if not rows:
            return
        try:
            inserted = connection.execute(image_locations.insert(), rows[0] if len(rows) == 1 else rows)
        except db_errors.DBDuplicateEntry:
            raise exceptions.Duplicate('The data at this location belongs to an image already.') from None
        if len(rows) == 1:
            locations[0]['id'] = inserted.inserted_primary_key[0]
        else:
            newest = sa.select(image_locations.c.id).where(image_locations.c.image_id == stamps['image_id']).order_by(
                image_locations.c.id.desc()).limit(len(rows))
            for location, key in zip(reversed(locations), connection.scalars(newest), strict=True):
                location['id'] = key

    def _location_row(self, location: LocationRecord) -> dict[str, Any]:
        return {'value': self._urls.seal(location['url']), 'meta_data': json.dumps(location.get('metadata') or {}),
                'status': location.get('status', 'active'), 'object_hash': hash_of(location['url'])}

    def _live_locations(self, connection: sa.Connection, image_id: str) -> tuple[list[LocationRecord], list[int]]:
        """Return the locations whose data is the image's own, and the ids of those at which another one holds it."""
        rows = connection.execute(sa.select(image_locations).where(
            image_locations.c.image_id == image_id, image_locations.c.deleted == sa.false()).order_by(image_locations.c.id))
        found, doubtful = [], {}
        for row in rows.all():
            url = self._urls.open(row.value)
            found.append({'id': row.id, 'url': url, 'metadata': json.loads(row.meta_data or '{}'), 'status': row.status})
            if row.object_hash is None and (object_hash := hash_of(url)):
                doubtful[row.id] = object_hash
        held = connection.scalars(sa.select(image_locations.c.object_hash).where(
            image_locations.c.object_hash.in_(doubtful.values()))).all() if doubtful else ()
        shared = [key for key, object_hash in doubtful.items() if object_hash in held]
        return [location for location in found if location['id'] not in shared], shared

    def _bury(self, connection: sa.Connection, table: sa.Table, column: sa.Column, image_id: str,
              values: Iterable[str], now: datetime.datetime) -> None:
        """Soft-delete the live children whose column equals one of the values; others are none."""
        equal = [self._dialect.equal(column, _text(value)) for value in values if self._can_be_stored(value)]
        if equal:
            connection.execute(_live(table, table.update(), image_id).where(sa.or_(*equal)).values(
                deleted=True, deleted_at=now, updated_at=now))

    def _row_is(self, row: Mapping[str, Any]) -> Callable[[sa.Connection], bool]:
        """Return the question whether the image's row holds these values now (after a COMMIT without an answer)."""
        statement = sa.select(sa.func.count()).select_from(images).where(*(
            images.c[name].is_(None) if value is None else images.c[name] == value for name, value in row.items()))
        return lambda connection: bool(connection.scalar(statement))


def _text(value: str) -> sa.BindParameter:
    return sa.literal(value, sa.String)


def _live(table: sa.Table, statement: sa.Update, image_id: str) -> sa.Update:
    return statement.where(table.c.image_id == image_id, table.c.deleted == sa.false())


def _count(table: sa.Table, what: sa.ColumnElement | None = None) -> sa.ScalarSelect:
    count = sa.select(sa.func.count() if what is None else sa.func.count(what.distinct())).select_from(table)
    count = count.where(table.c.image_id == sa.bindparam('id', type_=sa.String))
    return (count.where(table.c.deleted == sa.false()) if 'deleted' in table.c else count).scalar_subquery()


# An id that a purged image had is never given again.
INSERT_IMAGE = images.insert().from_select(documents.COLUMNS, sa.select(*(
    sa.bindparam(NEW + name, type_=images.c[name].type) for name in documents.COLUMNS)).where(
    ~sa.exists().where(image_id_tombstones.c.image_id == sa.bindparam(NEW + 'id', type_=images.c.id.type))))
COUNT_CHILDREN = sa.select(
    _count(image_properties).label('properties'), _count(image_tags).label('tags'),
    _count(image_locations).label('locations'), _count(image_members).label('members'),
    _count(image_members, image_members.c.member).label('projects'), _count(image_leases).label('leases'))


def _location_status(status: str) -> dict[str, Any]:
    """Return what a location without which the image goes on gets: where the data is gone nothing is held any more."""
    return {'status': status} if status == 'pending_delete' else {'status': status, 'object_hash': None}


def _location(location: LocationRecord) -> LocationRecord:
    return {'url': location['url'], 'metadata': dict(location.get('metadata') or {}),
            'status': location.get('status', 'active')}
