"""Commands of former releases on images, and on what owners have."""
import dataclasses
from collections.abc import Mapping
from typing import Any

from glance import exceptions
from glance.db.interface import SERVICE, Caller, Database, ImageChanges, ImageQuery, ImageRecord, LocationRecord, Resource
from glance.db.validation import WRITABLE_COLUMNS
from glance.registry.classic import shapes
from glance.registry.classic.session import Session

_LOCATION_KEYS = ('url', 'metadata', 'status')
_TRIES = 5
# Rows that are read at a time where most of them may not be wanted.
_PART = 500


def image_create(session: Session, values: dict[str, Any], v1_mode: bool = False) -> dict[str, Any]:
    values = shapes.visibility(values)
    if values.get('status') is None:
        raise exceptions.Invalid('The status of an image is needed.')
    columns = _columns(values)
    if values.get('id') is not None:
        columns['id'] = values['id']
    if not session.is_admin:
        columns['owner'] = session.context.owner
    properties = dict(values.get('properties') or {})
    session.check_new_values(columns, properties, None)
    locations = [_location(location) for location in values.get('locations') or ()]
    if locations:
        session.check_service('Locations')
    record = session.database.image_create({**columns, 'properties': properties, 'locations': locations})
    return shapes.image(record, v1_mode)


def image_update(session: Session, image_id: str, values: dict[str, Any], purge_props: bool = False,
                 from_state: str | None = None, v1_mode: bool = False, atomic_props: list[str] | None = None
                 ) -> dict[str, Any]:
    values = shapes.visibility(values)
    record = session.mutable(image_id)
    columns = _columns(values)
    if not session.is_admin:
        columns.pop('owner', None)
    if values.get('locations'):
        session.check_service('Locations')
    given = dict(values.get('properties') or {})
    session.check_new_values(columns, given, record)
    wanted = {name: value for name, value in given.items() if name not in (atomic_props or ())}
    gone = [name for name in record['properties'] if name not in given and name not in (atomic_props or ())]
    changes = ImageChanges(columns, set_properties=wanted, remove_properties=gone if purge_props else (),
                           **_location_changes(record, values.get('locations')))
    from_status = from_state or (record['status'] if 'status' in columns else None)
    try:
        session.database.image_update(image_id, changes, from_status)
    except exceptions.StatusConflict as conflict:
        raise exceptions.Conflict('cannot transition from %s to %s in update (wanted from_state=%s)' % (
            conflict.current, columns.get('status', conflict.current), from_status)) from None
    return shapes.image(session.database.image_get(SERVICE, image_id), v1_mode)


def image_destroy(session: Session, image_id: str) -> dict[str, Any]:
    session.check_service('Removals')
    record = session.mutable(image_id)
    session.database.image_remove(image_id, 'pending_delete' if record['status'] == 'pending_delete' else 'deleted')
    gone = session.database.image_get(SERVICE, image_id, show_deleted=True)
    return shapes.image({**gone, 'locations': record['locations']})


def image_get(session: Session, image_id: str, force_show_deleted: bool = False, v1_mode: bool = False) -> dict[str, Any]:
    return shapes.image(session.visible(image_id, bool(force_show_deleted) or session.is_admin), v1_mode)


def image_get_all(session: Session, filters: dict[str, Any] | None = None, marker: str | None = None,
                  limit: int | None = None, sort_key: Any = None, sort_dir: Any = None, member_status: str = 'accepted',
                  is_public: bool | None = None, admin_as_user: bool = False, return_tag: bool = False,
                  v1_mode: bool = False) -> list[dict[str, Any]]:
    query = shapes.query(filters, marker, limit, sort_key, sort_dir, member_status, is_public)
    caller = session.caller(bool(admin_as_user))
    if is_public is None or is_public:
        records = session.database.image_list(caller, query)
    else:
        records = _not_public(session.database, caller, query)
    return [shapes.image(record, v1_mode, return_tag) for record in records]


def _not_public(database: Database, caller: Caller, query: ImageQuery) -> list[ImageRecord]:
    """Return the images of a list that are not public, without reading all others at once."""
    if query.limit is None:
        return [record for record in database.image_list(caller, query) if record['visibility'] != 'public']
    found: list[ImageRecord] = []
    part = dataclasses.replace(query, limit=max(query.limit, _PART))
    while page := database.image_list(caller, part):
        found += [record for record in page if record['visibility'] != 'public']
        if len(found) >= query.limit:
            break
        part = dataclasses.replace(part, marker=page[-1]['id'])
    return found[:query.limit]


def image_restore(session: Session, image_id: str) -> None:
    if not session.is_admin:
        raise exceptions.Forbidden('Only administrators may restore an image.')
    session.database.image_restore(image_id)


def image_set_property_atomic(session: Session, image_id: str, name: str, value: str) -> None:
    session.check_new_values({}, {name: value}, session.mutable(image_id))
    session.database.image_update(image_id, ImageChanges(add_properties={name: value}))


def image_delete_property_atomic(session: Session, image_id: str, name: str, value: str) -> None:
    for _ in range(_TRIES):
        properties = session.mutable(image_id)['properties']
        if properties.get(name) != value:
            break
        try:
            session.database.image_update(image_id, ImageChanges(remove_properties=[name]),
                                          expected={'properties': properties})
            return
        except exceptions.ChangedMeanwhile:
            continue
    raise exceptions.NotFound('Image %s has no property %s with this value.' % (image_id, name))


def image_location_add(session: Session, image_id: str, location: dict[str, Any]) -> None:
    session.check_service('Locations')
    session.mutable(image_id)
    session.database.image_update(image_id, ImageChanges(add_locations=[_location(location)]))


def image_location_update(session: Session, image_id: str, location: dict[str, Any]) -> None:
    session.check_service('Locations')
    session.mutable(image_id)
    changed: LocationRecord = {**_location(location), 'id': location['id']}
    session.database.image_update(image_id, ImageChanges(update_locations=[changed]))


def image_location_delete(session: Session, image_id: str, location_id: int, status: str, delete_time: Any = None) -> None:
    session.check_service('Locations')
    record = session.mutable(image_id)
    if location_id not in (location['id'] for location in record['locations']):
        raise exceptions.LocationNotFound(image_id, location_id)
    session.database.image_update(image_id, ImageChanges(remove_locations={location_id: status}))


def user_get_storage_usage(session: Session, owner_id: str, image_id: str | None = None) -> int:
    usage = _usage(session, owner_id, 'storage')
    if image_id is None:
        return usage
    try:
        record = session.database.image_get(SERVICE, image_id)
    except exceptions.ImageNotFound:
        return usage
    own = (record['size'] or 0) * len(record['locations']) if record['owner'] == owner_id else 0
    return usage - own


def user_get_staging_usage(session: Session, owner_id: str) -> int:
    return _usage(session, owner_id, 'staging')


def user_get_image_count(session: Session, owner_id: str) -> int:
    return _usage(session, owner_id, 'images')


def user_get_uploading_count(session: Session, owner_id: str) -> int:
    return _usage(session, owner_id, 'uploading')


def _usage(session: Session, owner: str, resource: Resource) -> int:
    session.check_owner(owner)
    return session.database.usage(owner, (resource,))[resource]


def _columns(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the table of images holds of the values; what it does not know is left out, as ever."""
    columns = {name: value for name, value in values.items() if name in WRITABLE_COLUMNS}
    for name in ('min_disk', 'min_ram'):
        if columns.get(name, 0) is None:
            columns[name] = 0
    return columns


def _location(location: Any) -> LocationRecord:
    if isinstance(location, str):
        location = {'url': location}
    if not isinstance(location, dict) or not isinstance(location.get('url'), str):
        raise exceptions.Invalid('A location must be an object with a url.')
    record: Any = {name: location[name] for name in _LOCATION_KEYS if location.get(name) is not None}
    if not isinstance(record.get('metadata', {}), dict):
        raise exceptions.Invalid('The metadata of a location must be an object.')
    return record


def _location_changes(record: ImageRecord, locations: list[Any] | None) -> dict[str, Any]:
    """Return the differences that make these the locations of the image; none when none are given."""
    if not locations:
        return {}
    kept = {location['id']: {**_location(location), 'id': location['id']} for location in locations
            if isinstance(location, dict) and location.get('id') is not None}
    added = [_location(location) for location in locations if not isinstance(location, dict) or location.get('id') is None]
    gone = [location['id'] for location in record['locations'] if location['id'] not in kept]
    return {'add_locations': added, 'update_locations': list(kept.values()),
            'remove_locations': dict.fromkeys(gone, 'deleted')}
