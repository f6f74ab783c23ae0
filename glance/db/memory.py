"""The DAL in the memory of one process: for unit tests, and as the plainest statement of what the operations mean."""
import collections
import copy
import dataclasses
import datetime
import functools
import itertools
import threading
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from glance import exceptions
from glance.db import validation
from glance.db.interface import (
    COPYING_PROPERTY,
    GONE_STATUSES,
    RESOURCES,
    STAGED_STATUSES,
    UPLOADING_STATUSES,
    CachedImage,
    Caller,
    Charge,
    Condition,
    ImageChanges,
    ImageQuery,
    ImageRecord,
    Lease,
    LocationRecord,
    MemberRecord,
    PendingImage,
    Removal,
    Resource,
    StoredLocation,
    Written,
)
from glance.db.objects import hash_of
from glance.db.visibility import Scope, is_visible, scopes

NEW_IMAGE: Mapping[str, Any] = {
    'id': None, 'name': None, 'size': None, 'virtual_size': None, 'status': None, 'visibility': 'shared',
    'checksum': None, 'os_hash_algo': None, 'os_hash_value': None, 'disk_format': None, 'container_format': None,
    'owner': None,
    'min_disk': 0, 'min_ram': 0, 'protected': False, 'os_hidden': False, 'created_at': None, 'updated_at': None,
}
CHILDREN = frozenset(('properties', 'tags', 'locations'))
READ_ONLY = frozenset(('deleted', 'deleted_at', 'is_member'))
COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    'gt': lambda mine, given: mine > given, 'gte': lambda mine, given: mine >= given,
    'lt': lambda mine, given: mine < given, 'lte': lambda mine, given: mine <= given,
}


class MemoryDatabase:
    """Implements ``glance.db.interface.Database``; threads may share it."""

    def __init__(self):
        self._lock = threading.RLock()
        self._images: dict[str, ImageRecord] = {}
        self._removed: dict[str, dict[str, Any]] = {}       # children of removed images
        self._members: list[dict[str, Any]] = []
        self._leases: dict[str, Lease] = {}
        # Locations that were removed from images that go on, while their data is kept; with the time of their removal.
        self._pending: dict[str, list[dict[str, Any]]] = collections.defaultdict(list)
        self._cached: dict[tuple[str, str], CachedImage] = {}       # by node and image
        self._keys = itertools.count(1)
        self._limits = validation.Limits()

    def check(self) -> None:
        """Do nothing; other implementations look at their tables."""

    def ping(self) -> None:
        """Do nothing; other implementations ask the database."""

    def close(self) -> None:
        """Do nothing; other implementations close connections."""

    # Images

    def image_create(self, values: Mapping[str, Any], charge: Charge | None = None) -> ImageRecord:
        unknown = values.keys() - NEW_IMAGE.keys() - CHILDREN - READ_ONLY
        if unknown:
            raise ValueError('images has no column %s' % ', '.join(sorted(unknown)))
        now = _now()
        image = {**NEW_IMAGE, 'created_at': now, 'updated_at': now,
                 **{name: value for name, value in values.items() if name in NEW_IMAGE},
                 'deleted': False, 'deleted_at': None, 'is_member': False}
        image['id'] = image['id'] or str(uuid.uuid4())
        image['properties'] = dict(values.get('properties') or {})
        image['tags'] = list(dict.fromkeys(values.get('tags') or ()))
        image['locations'] = [_location(location) for location in values.get('locations') or ()]
        validation.check_columns(image, self._limits)
        validation.check_properties(image['properties'], self._limits)
        validation.check_tags(image['tags'], self._limits)
        validation.check_locations(image['locations'], self._limits)
        with self._lock:
            self._admit(charge, image['id'])
            if image['id'] in self._images:
                raise exceptions.Duplicate('Image ID %s already exists!' % image['id'])
            self._check_objects(image['locations'])
            for location in image['locations']:
                location['id'] = next(self._keys)
            self._images[image['id']] = image
            return copy.deepcopy(image)

    def image_get(self, caller: Caller, image_id: str, show_deleted: bool = False) -> ImageRecord:
        with self._lock:
            image = self._images.get(image_id)
            if image is not None and (show_deleted or not image['deleted']):
                seen = self._as_seen_by(caller, image)
                if is_visible(caller, seen):
                    return seen
        raise exceptions.ImageNotFound(str(image_id))

    def image_list(self, caller: Caller, query: ImageQuery) -> list[ImageRecord]:
        validation.check_query(query, self._limits)
        sort = validation.full_sort(query.sort)
        by_sort = functools.cmp_to_key(functools.partial(_order, sort))
        with self._lock:
            rows = self._images.values()
            if query.marker is not None:
                last = by_sort(self._marker(caller, query))
                rows = [image for image in rows if by_sort(image) > last]
            wanted = scopes(caller, query.visibility)
            found = [image for image in rows if _matches(image, query)
                     and any(self._in_scope(image, scope, caller, query.member_status) for scope in wanted)]
            page = sorted(found, key=by_sort)[:query.limit]
            return [self._as_seen_by(caller, image) for image in page]

    def image_count(self, caller: Caller, query: ImageQuery) -> int:
        return len(self.image_list(caller, dataclasses.replace(query, marker=None, limit=None)))

    def image_update(self, image_id: str, changes: ImageChanges, from_status: str | None = None,
                     acquire: Lease | None = None, release: str | None = None,
                     expected: ImageRecord | None = None, charge: Charge | None = None) -> Written:
        validation.check_changes(changes, from_status, self._limits)
        with self._lock:
            self._admit(charge, image_id)
            image = self._live(image_id, from_status)
            _check_expected(image, expected)
            if release is not None:
                self._check_lease(image_id, release)
            for name in changes.add_properties.keys() & image['properties'].keys():
                raise exceptions.Duplicate('Image %s has a property %s already.' % (image_id, name))
            stored = {location['id'] for location in image['locations']} - changes.remove_locations.keys()
            for location in changes.update_locations:
                if location['id'] not in stored:
                    raise exceptions.LocationNotFound(image_id, location['id'])
            gone = {key for key, status in changes.remove_locations.items() if status == 'deleted'}
            self._check_objects(changes.add_locations, gone)
            if release is not None:
                del self._leases[image_id]
            if acquire is not None:
                self._leases[image_id] = acquire
            image.update(changes.columns, updated_at=_now())
            return Written(image['updated_at'], self._change_children(image, changes))

    def image_remove(self, image_id: str, status: str = 'deleted', from_status: str | None = None,
                     acquire: Lease | None = None, expected: ImageRecord | None = None) -> Removal:
        validation.check_location_status(status, validation.REMOVED_STATUSES)
        with self._lock:
            image = self._live(image_id, from_status)
            _check_expected(image, expected)
            now = _now()
            status = status if image['locations'] else 'deleted'
            children = {name: image[name] for name in ('properties', 'tags', 'locations')}
            members = [row for row in self._members if row['image_id'] == image_id]
            self._removed[image_id] = {**children, 'members': members}
            image.update(status=status, deleted=True, deleted_at=now, updated_at=now, properties={}, tags=[], locations=[])
            self._members = [row for row in self._members if row['image_id'] != image_id]
            self._leases.pop(image_id, None)
            lease = acquire if status == 'pending_delete' else None
            if lease is not None:
                self._leases[image_id] = lease
            return Removal(now, status, copy.deepcopy(children['locations']), lease.attempt if lease else None)

    def pending_list(self, removed_before: datetime.datetime, after: str | None = None, limit: int = 100
                     ) -> list[PendingImage]:
        with self._lock:
            found = (self._pending_image(image, removed_before) for image in sorted(
                self._images.values(), key=lambda image: image['id']) if after is None or image['id'] > after)
            return [image for image in found if image is not None][:limit]

    def pending_claim(self, image_ids: Sequence[str], lease: Lease, now: datetime.datetime,
                      removed_before: datetime.datetime, dead: Collection[str] = ()) -> list[PendingImage]:
        claimed = []
        with self._lock:
            for image_id in image_ids:
                held = self._leases.get(image_id)
                if held is not None and held.is_held(now) and held.attempt not in dead:
                    continue
                found = self._pending_image(self._images[image_id], removed_before) if image_id in self._images else None
                if found is not None:
                    self._leases[image_id] = dataclasses.replace(lease, image_id=image_id)
                    claimed.append(found)
        return claimed

    def image_scrubbed(self, image_id: str, location_ids: Collection[int], release: str | None = None) -> bool:
        with self._lock:
            image = self._images.get(image_id)
            if image is None:
                raise exceptions.ImageNotFound(str(image_id))
            if release is not None and getattr(self._leases.get(image_id), 'attempt', None) == release:
                del self._leases[image_id]
            self._pending[image_id] = _without(self._pending[image_id], location_ids)
            left = list(self._pending[image_id])
            if image['status'] == 'pending_delete':
                removed = self._restorable(image_id)[1]
                removed['locations'] = _without(removed['locations'], location_ids)
                if not left and not removed['locations']:
                    image.update(status='deleted', updated_at=_now())
            return image['status'] == 'deleted'

    def image_restore(self, image_id: str, status: str = 'active', removal: Removal | None = None) -> None:
        validation.check_restored_status(status)
        with self._lock:
            image, removed = self._restorable(image_id)
            if removal is not None and removal.deleted_at != image['deleted_at']:
                raise exceptions.ChangedMeanwhile(image_id)
            if removal is not None and removal.attempt is not None:
                self._check_lease(image_id, removal.attempt)
            elif image_id in self._leases and self._leases[image_id].expires_at > _now():
                raise exceptions.Conflict(validation.BEING_SCRUBBED % image_id)
            if removal is None:
                removed['locations'] += [_stored(location) for location in self._pending.pop(image_id, ())]
            if not removed['locations']:
                raise exceptions.Conflict('The data of image %s is gone; the image cannot be restored.' % image_id)
            self._members += removed.pop('members')
            image.update(removed, status=status, deleted=False, deleted_at=None, updated_at=_now())
            del self._removed[image_id]
            self._leases.pop(image_id, None)

    def location_list(self, after: int = 0, limit: int = 1000) -> list[StoredLocation]:
        with self._lock:
            found = [StoredLocation(image['id'], image['status'], copy.deepcopy(location)) for image in self._images.values()
                     for location in (*image['locations'], *map(_stored, self._pending.get(image['id'], ())))]
            for image_id, removed in self._removed.items():
                image = self._images[image_id]
                if image['status'] == 'pending_delete':
                    found += [StoredLocation(image_id, image['status'], {**location, 'status': 'pending_delete'})
                              for location in copy.deepcopy(removed['locations'])]
        found = [each for each in found if each.location['id'] > after]
        return sorted(found, key=lambda each: each.location['id'])[:limit]

    def property_in_use(self, name: str, value: str, except_image: str) -> bool:
        with self._lock:
            return any(
                children['properties'].get(name) == value for image in self._images.values()
                if image['id'] != except_image and image['status'] != 'deleted'
                for children in (self._removed[image['id']] if image['id'] in self._removed else image,))

    def object_in_use(self, url: str, except_image: str) -> bool:
        with self._lock:
            return hash_of(url) is not None and any(
                hash_of(location['url']) == hash_of(url) for image_id, location in self._held() if image_id != except_image)

    # Members

    def member_list(self, image_id: str, member: str | None = None) -> list[MemberRecord]:
        with self._lock:
            return [dict(row) for row in self._members
                    if row['image_id'] == image_id and member in (None, row['member'])]

    def member_create(self, image_id: str, member: str, status: str = 'pending', can_share: bool = False
                      ) -> MemberRecord:
        validation.check_member(member, status, self._limits)
        with self._lock:
            self._live(image_id)
            if self.member_list(image_id, member):
                raise exceptions.Duplicate('Project %s is already a member of image %s' % (member, image_id))
            now = _now()
            row = {'id': next(self._keys), 'image_id': image_id, 'member': member, 'status': status,
                   'can_share': can_share, 'created_at': now, 'updated_at': now}
            self._members.append(row)
            return dict(row)

    def member_update(self, image_id: str, member: str, status: str) -> MemberRecord:
        validation.check_member_status(status)
        with self._lock:
            row = self._membership(image_id, member)
            row.update(status=status, updated_at=_now())
            return dict(row)

    def member_delete(self, image_id: str, member: str) -> None:
        with self._lock:
            self._members.remove(self._membership(image_id, member))

    # Leases

    def lease_renew(self, attempts: Iterable[str], expires_at: datetime.datetime) -> None:
        wanted = frozenset(attempts)
        with self._lock:
            for image_id, lease in self._leases.items():
                if lease.attempt in wanted:
                    self._leases[image_id] = dataclasses.replace(lease, expires_at=expires_at)

    def lease_release(self, attempts: Iterable[str]) -> None:
        wanted = frozenset(attempts)
        with self._lock:
            self._leases = {image_id: lease for image_id, lease in self._leases.items() if lease.attempt not in wanted}

    def lease_list(self, expired_at: datetime.datetime | None = None, worker_prefix: str | None = None) -> list[Lease]:
        with self._lock:
            found = [lease for lease in self._leases.values()
                     if expired_at is not None and lease.expires_at <= expired_at
                     or worker_prefix is not None and lease.worker.startswith(worker_prefix)]
        return sorted(found, key=lambda lease: (lease.expires_at, lease.image_id))

    def lease_reserve(self, lease: Lease, resource: Resource, least: int, most: int, limit: int) -> int:
        with self._lock:
            room = self._admit(Charge(lease.owner, {resource: least}, {resource: limit}), lease.image_id)[resource]
            self._check_lease(lease.image_id, lease.attempt)
            total = least + min(most - least, room // 8)
            held = self._leases[lease.image_id]
            self._leases[lease.image_id] = dataclasses.replace(held, **{'owner': lease.owner, resource: total})
            return total

    # Usage

    def usage(self, owner: str | None, resources: Collection[Resource] = RESOURCES) -> dict[Resource, int]:
        with self._lock:
            return self._count(owner, resources)

    # Image caches

    def cache_save(self, node: str, entry: CachedImage) -> None:
        validation.check_cached_image(node, entry)
        with self._lock:
            known = self._cached.get((node, entry.image_id))
            key = known.id if known else next(self._keys)
            self._cached[node, entry.image_id] = dataclasses.replace(entry, id=key)

    def cache_hit(self, node: str, image_id: str, accessed_at: datetime.datetime) -> None:
        with self._lock:
            entry = self._cached.get((node, image_id))
            if entry is not None:
                self._cached[node, image_id] = dataclasses.replace(entry, hits=entry.hits + 1, last_accessed=accessed_at)

    def cache_list(self, node: str) -> list[CachedImage]:
        with self._lock:
            found = [entry for (owner, _), entry in self._cached.items() if owner == node]
        return sorted(found, key=lambda entry: (entry.last_accessed, entry.id))

    def cache_delete(self, node: str, image_ids: Collection[str] | None = None) -> None:
        with self._lock:
            for key in [key for key in self._cached if key[0] == node and (image_ids is None or key[1] in image_ids)]:
                del self._cached[key]

    def cache_nodes(self, image_id: str) -> list[str]:
        with self._lock:
            return sorted(node for node, cached in self._cached if cached == image_id)

    # Parts

    def _admit(self, charge: Charge | None, image_id: str) -> dict[Resource, int]:
        """Check a charge; return the room that it leaves."""
        if charge is None:
            return {}
        room = {}
        for resource, used in self._count(charge.owner, charge.limits, image_id).items():
            limit, delta = charge.limits[resource], charge.deltas.get(resource, 0)
            room[resource] = limit - used - delta
            if room[resource] < 0:
                raise exceptions.OverLimit(resource, limit, used, delta)
        return room

    def _count(self, owner: str | None, resources: Collection[Resource], without: str | None = None
               ) -> dict[Resource, int]:
        alive = [image for image in self._images.values()
                 if image['owner'] == owner and image['status'] not in GONE_STATUSES]
        copied = [image for image in alive if image['properties'].get(COPYING_PROPERTY)]
        staged = [image for image in alive if image['status'] in STAGED_STATUSES or image in copied]
        uploading = [image for image in alive if image['status'] in UPLOADING_STATUSES or image in copied]
        leases = [lease for lease in self._leases.values() if lease.owner == owner and lease.image_id != without]
        stored = sum((image['size'] or 0) * (len(self._pending[image['id']]) + len(image['locations'])) for image in alive)
        counts = {'storage': stored + sum(lease.storage for lease in leases),
                  'staging': sum(image['size'] or 0 for image in staged) + sum(lease.staging for lease in leases),
                  'images': len(alive), 'uploading': len(uploading),
                  'queued': sum(image['status'] == 'queued' for image in alive)}
        return {resource: counts[resource] for resource in resources}

    def _held(self) -> Iterator[tuple[str, LocationRecord]]:
        """Every location whose data is there, with the id of its image."""
        for image_id, image in self._images.items():
            removed = self._removed.get(image_id, {}) if image['status'] == 'pending_delete' else {}
            for location in (*image['locations'], *removed.get('locations', ()), *self._pending.get(image_id, ())):
                yield image_id, location

    def _check_objects(self, added: Iterable[LocationRecord], gone: Collection[int] = ()) -> None:
        held = {hash_of(location['url']) for _, location in self._held() if location['id'] not in gone}
        for location in added:
            object_hash = hash_of(location['url'])
            if object_hash is not None and object_hash in held:
                raise exceptions.Duplicate('The data at this location belongs to an image already.')
            held.add(object_hash)

    def _check_lease(self, image_id: str, attempt: str) -> None:
        if getattr(self._leases.get(image_id), 'attempt', None) != attempt:
            raise exceptions.LeaseLost(image_id)

    def _as_seen_by(self, caller: Caller, image: ImageRecord) -> ImageRecord:
        seen = copy.deepcopy(image)
        seen['is_member'] = (image['visibility'] == 'shared' and caller.owner is not None
                             and image['owner'] != caller.owner and bool(self.member_list(image['id'], caller.owner)))
        return seen

    def _marker(self, caller: Caller, query: ImageQuery) -> ImageRecord:
        try:
            return self.image_get(caller, query.marker, show_deleted=query.deleted is not False)
        except exceptions.ImageNotFound:
            raise exceptions.InvalidMarker(query.marker) from None

    def _in_scope(self, image: ImageRecord, scope: Scope, caller: Caller, member_status: str) -> bool:
        if scope.visibility not in (None, image['visibility']):
            return False
        mine = caller.owner is not None and image['owner'] == caller.owner
        if scope.who == 'own':
            return mine
        if scope.who == 'member':
            return any(member_status in ('all', row['status']) for row in self.member_list(image['id'], caller.owner))
        return scope.who == 'any' or image['visibility'] != 'community' or mine

    def _live(self, image_id: str, from_status: str | None = None) -> ImageRecord:
        image = self._images.get(image_id)
        if image is None or image['deleted']:
            raise exceptions.ImageNotFound(str(image_id))
        if from_status not in (None, image['status']):
            raise exceptions.StatusConflict(image_id, image['status'], from_status)
        return image

    def _restorable(self, image_id: str) -> tuple[ImageRecord, dict[str, Any]]:
        image = self._images.get(image_id)
        if image is None:
            raise exceptions.ImageNotFound(str(image_id))
        if image['status'] != 'pending_delete':
            raise exceptions.StatusConflict(image_id, image['status'], 'pending_delete')
        return image, self._removed.setdefault(image_id, {'properties': {}, 'tags': [], 'locations': [], 'members': []})

    def _pending_image(self, image: ImageRecord, removed_before: datetime.datetime) -> PendingImage | None:
        """Return what waits to be removed of an image since then; None when that is nothing."""
        locations = [_stored(location) for location in self._pending.get(image['id'], ())
                     if location['deleted_at'] <= removed_before]
        removed: dict[str, Any] = {}
        if image['status'] == 'pending_delete' and image['deleted_at'] <= removed_before:
            removed = self._restorable(image['id'])[1]
            locations += [{**location, 'status': 'pending_delete'} for location in removed['locations']]
        elif not locations:
            return None
        return PendingImage(image['id'], image['status'], image['owner'], dict(removed.get('properties', {})),
                            copy.deepcopy(sorted(locations, key=lambda location: location['id'])))

    def _membership(self, image_id: str, member: str) -> dict[str, Any]:
        for row in self._members:
            if row['image_id'] == image_id and row['member'] == member:
                return row
        raise exceptions.MemberNotFound(image_id, member)

    def _change_children(self, image: ImageRecord, changes: ImageChanges) -> tuple[int, ...]:
        """Change them; return the ids of the new locations."""
        for name in changes.remove_properties:
            image['properties'].pop(name, None)
        image['properties'].update({**changes.set_properties, **changes.add_properties})
        gone = frozenset(changes.remove_tags) - frozenset(changes.add_tags)
        image['tags'] = list(dict.fromkeys((*(tag for tag in image['tags'] if tag not in gone), *changes.add_tags)))
        self._pending[image['id']] += [
            {**location, 'status': 'pending_delete', 'deleted_at': image['updated_at']} for location in image['locations']
            if changes.remove_locations.get(location['id']) == 'pending_delete']
        kept = {location['id']: location for location in image['locations']
                if location['id'] not in changes.remove_locations}
        for location in changes.update_locations:
            kept[location['id']].update(_location(location))
        added = {next(self._keys): location for location in changes.add_locations}
        kept.update({key: {**_location(location), 'id': key} for key, location in added.items()})
        image['locations'] = list(kept.values())
        return tuple(added)


def _check_expected(image: ImageRecord, expected: ImageRecord | None) -> None:
    if expected is not None and not validation.is_as_expected(image, expected):
        raise exceptions.ChangedMeanwhile(image['id'])


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC).replace(tzinfo=None)


def _without(locations: list[dict[str, Any]], ids: Collection[int]) -> list[dict[str, Any]]:
    return [location for location in locations if location['id'] not in ids]


def _stored(location: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in location.items() if name != 'deleted_at'}


def _location(location: Mapping[str, Any]) -> dict[str, Any]:
    return {'url': location['url'], 'metadata': copy.deepcopy(dict(location.get('metadata') or {})),
            'status': location.get('status', 'active')}


def _matches(image: ImageRecord, query: ImageQuery) -> bool:
    """Tell whether everything of the query but visibility, order and page holds for the image."""
    if query.deleted not in (None, image['deleted']) or query.hidden not in (None, image['os_hidden']):
        return False
    if query.deleted is False and image['status'] == 'killed':
        return False
    missing = object()
    return (all(_holds(image[condition.column], condition) for condition in query.conditions)
            and all(image['properties'].get(name, missing) == value for name, value in query.properties)
            and all(tag in image['tags'] for tag in query.tags))


def _holds(mine: Any, condition: Condition) -> bool:
    if condition.op in ('eq', 'neq') and condition.value is None:
        return (mine is None) == (condition.op == 'eq')
    if mine is None:
        return False
    if condition.op == 'in':
        return any(_same(mine, value) for value in condition.value)
    if condition.op in ('eq', 'neq'):
        return _same(mine, condition.value) == (condition.op == 'eq')
    return COMPARE[condition.op](mine, condition.value)


def _same(mine: Any, given: Any) -> bool:
    if isinstance(mine, datetime.datetime):
        start, end = validation.second_of(given)
        return start <= mine < end
    return mine == given


def _order(sort: tuple[tuple[str, str], ...], one: ImageRecord, other: ImageRecord) -> int:
    for key, direction in sort:
        if one[key] != other[key]:
            smaller = one[key] is None or other[key] is not None and one[key] < other[key]
            return -1 if smaller == (direction == 'asc') else 1
    return 0
