"""What a store does with RBD images as a whole: finding them, removing them, and purging those that went to the trash.

All functions raise the errors of the bindings.
"""
import contextlib
import functools
import logging
import random
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import rados
import rbd

from glance import exceptions

if TYPE_CHECKING:
    from glance.store.drivers.rbd_cluster import Pool

LOG = logging.getLogger(__name__)

SNAPSHOT = 'snap'
"""The snapshot that other services read and clone; its name is part of every location."""

_MARK = 'glance_deleted'
"""Metadata of images in the trash that this service deleted, and may purge."""
_TRASH = 'rbd_trash'
_DIRECTORY, _LOCK = 'rbd_directory', 'glance_publish'
"""The object of a pool that lists its images, and a lock on it that only this service knows."""
_PUBLISH_SECONDS = 60
"""After which the lock of a dead writer no longer counts."""
_ANSWER_MS = 5000
_FENCED_SECONDS = 300
_RELEASE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Status:
    """Size in bytes, seconds since the last change, addresses of the clients that hold it open for writing."""

    size: int
    idle: float
    watchers: frozenset[str]
    header: str


@dataclass(frozen=True, slots=True)
class Trashed:
    """A deleted image in the trash; ``purged`` says whether it is gone now."""

    name: str
    purged: bool


def prepare(pool: 'Pool') -> None:
    """Make sure that images can be removed when the pool is full: removing needs the object of the trash."""
    try:
        pool.ioctx.stat(_TRASH)
    except rados.ObjectNotFound:
        with contextlib.suppress(rados.Error), rados.WriteOpCtx() as operation:
            operation.new(rados.LIBRADOS_CREATE_IDEMPOTENT)
            pool.ioctx.operate_write_op(operation, _TRASH)


def status(pool: 'Pool', name: str) -> Status:
    """Look at an image without claiming it."""
    with rbd.Image(pool.ioctx, name, read_only=True) as image:
        header = 'rbd_header.' + image.id()
        watchers = frozenset(watcher['addr'] for watcher in image.watchers_list())
        return Status(image.size(), _idle(pool, header), watchers, header)


def create(pool: 'Pool', name: str, size: int, block_size: int) -> None:
    """Make an image of so many bytes, with the features of the Ceph configuration, of which there must be some.

    What a try before this one left, to which the cluster did not answer, gives way.
    """
    configured = pool.connection.conf_get('rbd_default_features')
    features = rbd.RBD_FEATURE_LAYERING if configured in ('0', '') else None
    make = functools.partial(rbd.RBD().create, pool.ioctx, name, size, order=block_size.bit_length() - 1, features=features)
    try:
        make()
    except rbd.ImageExists:
        if remove_dead(pool, name) is None:
            raise
        make()


def names(pool: 'Pool') -> list[str]:
    """The names of all images of the pool."""
    return rbd.RBD().list(pool.ioctx)


def exists(pool: 'Pool', name: str) -> bool:
    """Whether there is an image of this name."""
    try:
        rbd.Image(pool.ioctx, name, read_only=True).close()
    except rbd.ImageNotFound:
        return False
    return True


def publish(pool: 'Pool', image: rbd.Image, name: str, final_name: str) -> None:
    """Freeze what was written, close the image and give it its name. Raises ObjectExists when that is taken."""
    image.flush()
    _freeze(image, SNAPSHOT)
    image.close()
    with _publishing(pool):
        if exists(pool, final_name):
            raise exceptions.ObjectExists()
        rbd.RBD().rename(pool.ioctx, name, final_name)


def delete(pool: 'Pool', name: str, snapshot: str) -> None:
    """Remove an image with its snapshot, or nothing of it.

    One with further snapshots, or with clones that the cluster can keep without it, goes to the trash.

    :raises ObjectInUse: when it has clones, or somebody holds it open
    """
    if status(pool, name).watchers:
        raise exceptions.ObjectInUse()
    with rbd.Image(pool.ioctx, name) as image:
        had_snapshot = _remove_snapshot(image, snapshot)
    try:
        _remove_or_trash(pool, name)
    except rbd.ImageBusy:
        # Opened by somebody at this moment. Who keeps the image must be able to read it.
        if had_snapshot:
            with rbd.Image(pool.ioctx, name) as image:
                _freeze(image, snapshot)
        raise


def remove_part(pool: 'Pool', name: str) -> None:
    """Remove an image that was never published, and of which nobody but this client holds a handle, closed by now."""
    with rbd.Image(pool.ioctx, name) as image:
        _remove_snapshot(image, SNAPSHOT)
    _remove(pool, name)


def remove_dead(pool: 'Pool', name: str, older_than: float = 0.0) -> int | None:
    """Remove an image whose writer is dead, and idle for so many seconds; return its size, or None when it stays."""
    try:
        found = status(pool, name)
        if found.idle < older_than or found.watchers and _answer(pool, found.header):
            return None
        # Shut out, the dead cannot write any more, and their claims on the image end now.
        for address in found.watchers:
            pool.connection.blocklist_add(address, _FENCED_SECONDS)
        _wait_for_release(pool, name)
        remove_part(pool, name)
    except rbd.ImageNotFound:
        return _remove_half_made(pool, name, older_than)
    except (rbd.ImageBusy, rados.PermissionError, rados.PermissionDeniedError) as error:
        LOG.warning('Image %s of a dead writer cannot be removed yet: %s', name, error)
        return None
    return found.size


def _remove_half_made(pool: 'Pool', name: str, older_than: float) -> int | None:
    """Remove a name whose image the cluster did not finish making; return its size, or None when it stays or there is none.

    Images are opened by an object that is made before all others.
    """
    try:
        with contextlib.suppress(rados.ObjectNotFound):
            if _idle(pool, 'rbd_id.' + name) < older_than:
                return None
        rbd.RBD().remove(pool.ioctx, name)
    except rbd.ImageNotFound:
        return None
    return 0


def purge_trash(pool: 'Pool', dry_run: bool = False) -> Iterator[Trashed]:
    """Remove from the trash what this service deleted and nobody needs any more; tell what there was."""
    for entry in list(rbd.RBD().trash_list(pool.ioctx)):
        with contextlib.suppress(rbd.ImageNotFound):
            if _is_marked(pool, entry['id']):
                yield Trashed(entry['name'], not dry_run and _purge(pool, entry['id']))


@contextlib.contextmanager
def _publishing(pool: 'Pool') -> Iterator[None]:
    """Within this, no other writer of the pool publishes: of several that rename at once, each would think that it won.

    :raises StoreUnavailable: when others publish all the time
    """
    cookie, deadline = str(uuid.uuid4()), time.monotonic() + _PUBLISH_SECONDS
    while True:
        try:
            pool.ioctx.lock_exclusive(_DIRECTORY, _LOCK, cookie, duration=_PUBLISH_SECONDS)
            break
        except rados.ObjectBusy:
            if time.monotonic() > deadline:
                raise exceptions.StoreUnavailable() from None
            time.sleep(random.uniform(0.005, 0.03))
    try:
        yield
    finally:
        with contextlib.suppress(rados.ObjectNotFound):
            pool.ioctx.unlock(_DIRECTORY, _LOCK, cookie)


def _freeze(image: rbd.Image, snapshot: str) -> None:
    image.create_snap(snapshot)
    image.protect_snap(snapshot)


def _remove_snapshot(image: rbd.Image, snapshot: str) -> bool:
    """Remove a snapshot; tell whether there was one. Raises ImageBusy when it has clones."""
    try:
        image.unprotect_snap(snapshot)
    except rbd.InvalidArgument:
        pass                            # not protected
    except rbd.ImageNotFound:
        return False
    try:
        image.remove_snap(snapshot)
    except rbd.ImageNotFound:
        return False
    return True


def _remove(pool: 'Pool', name: str) -> None:
    try:
        rbd.RBD().remove(pool.ioctx, name)
    except rbd.ImageNotFound:
        status(pool, name)      # raises it again where it is true; full pools without a trash answer this, too
        raise exceptions.StoreUnavailable() from None


def _remove_or_trash(pool: 'Pool', name: str) -> None:
    try:
        _remove(pool, name)
    except rbd.ImageHasSnapshots:
        with rbd.Image(pool.ioctx, name) as image:
            image.metadata_set(_MARK, 'true')
        rbd.RBD().trash_move(pool.ioctx, name, 0)


def _is_marked(pool: 'Pool', image_id: str) -> bool:
    with rbd.Image(pool.ioctx, image_id=image_id, read_only=True) as image:
        try:
            return image.metadata_get(_MARK) == 'true'
        except KeyError:
            return False


def _purge(pool: 'Pool', image_id: str) -> bool:
    try:
        rbd.RBD().trash_remove(pool.ioctx, image_id)
    except (rbd.ImageHasSnapshots, rbd.ImageBusy):
        return False
    return True


def _idle(pool: 'Pool', key: str) -> float:
    """Seconds since an object of the cluster was changed."""
    # The bindings return times of images in different zones; this one is the local time in all their releases.
    _, changed = pool.ioctx.stat(key)
    return time.time() - time.mktime(changed)


def _answer(pool: 'Pool', header: str) -> bool:
    """Whether all clients that hold an image open are alive. Their libraries answer, whatever their threads are doing."""
    try:
        return pool.ioctx.notify(header, '', _ANSWER_MS)
    except rados.TimedOut:
        return False


def _wait_for_release(pool: 'Pool', name: str) -> None:
    """Wait until the cluster has noticed that nobody holds the image, which takes a moment after fencing."""
    deadline = time.monotonic() + _RELEASE_SECONDS
    while status(pool, name).watchers and time.monotonic() < deadline:
        time.sleep(0.1)
