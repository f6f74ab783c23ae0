"""Stores whose backend itself lets projects read images are told who may.

What takes a right away is done before the record changes, and refuses the change when the store does; what gives a right
is done afterwards, also when the record stayed as it was. A right that could not be given is logged: the record is what
counts for downloads.
"""
import contextlib
import logging
from collections.abc import Iterator, Sequence

from glance import exceptions
from glance.domain.image import Image
from glance.domain.member import Member
from glance.environment import Environment
from glance.layers.base import Images, Members
from glance.store.base import AccessControl
from glance.store.base import Location as StoreLocation
from glance.tasks.leases import Lease
from glance.transfer.sources import Source

LOG = logging.getLogger(__name__)

_WIDTH = {'private': 0, 'shared': 1, 'community': 2, 'public': 2}


class ShareImages(Images):
    """Tells stores who may read an image when that, or where its data is, changes."""

    def save(self, image: Image, from_status: str | None = None) -> None:
        changes, former = image.changes, image.loaded
        if not (changes.added_locations or 'visibility' in changes.attributes):
            self.inner.save(image, from_status)
            return
        narrower = former is not None and _WIDTH[image.visibility] < _WIDTH[former.visibility]
        if narrower:
            _share(self.env, image)
        try:
            self.inner.save(image, from_status)
        except exceptions.GlanceError:
            if narrower:
                self._share_as_recorded(image.image_id)
            raise
        _try_to_share(self.env, image)

    def finish_work(self, image: Image, lease: Lease, goes_on: bool = False) -> None:
        added = image.changes.added_locations
        self.inner.finish_work(image, lease, goes_on)
        if added:
            _try_to_share(self.env, image)

    def _share_as_recorded(self, image_id: str) -> None:
        with contextlib.suppress(exceptions.GlanceError):
            _try_to_share(self.env, self.inner.get(image_id))

    def upload(self, image: Image, source: Source, size: int | None = None, store: str | None = None) -> None:
        self.inner.upload(image, source, size, store)
        _try_to_share(self.env, image)


class ShareMembers(Members):
    """Tells stores which members there are."""

    def add(self, member: Member) -> None:
        self.inner.add(member)
        _try_to_share(self.env, self.image)

    def remove(self, member: Member) -> None:
        _share(self.env, self.image, without=member.member_id)
        try:
            self.inner.remove(member)
        finally:
            # Somebody may have been added, and this member been counted, meanwhile; or the member has stayed.
            _try_to_share(self.env, self.image)


def _share(env: Environment, image: Image, without: str | None = None) -> None:
    """Tell the stores that hold the image who may read it, ``without`` one of its members. Raises StoreError."""
    stores = list(_controlling(env, image))
    if not stores:
        return
    readers: Sequence[str] = ()
    if image.visibility == 'shared':
        members = [record['member'] for record in env.database.member_list(image.image_id)]
        readers = [member for member in members if member != without]
    for store, location in stores:
        try:
            store.set_acls(location, image.visibility in ('public', 'community'), readers)
        except exceptions.ObjectNotFound:
            LOG.warning('The data of image %s is gone.', image.image_id)


def _try_to_share(env: Environment, image: Image) -> None:
    try:
        _share(env, image)
    except exceptions.GlanceError as error:
        LOG.error('Who may read image %s in its store could not be changed: %s', image.image_id, error)


def _controlling(env: Environment, image: Image) -> Iterator[tuple[AccessControl, StoreLocation]]:
    if not any(isinstance(store, AccessControl) for store in env.stores.enabled):
        return
    for location in image.locations:
        try:
            store = env.stores.for_location(location.url, location.metadata)
        except exceptions.BadLocation:
            continue    # of a store that this node does not have
        if isinstance(store, AccessControl):
            yield store, StoreLocation(location.url, location.metadata)
