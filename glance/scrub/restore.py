"""Brings an image back that waits for the scrubber."""
import datetime
import logging

from glance import exceptions
from glance.db.interface import Database, PendingImage
from glance.store.backends import Backends
from glance.store.base import Location
from glance.store.location import redact
from glance.tasks import leases

LOG = logging.getLogger(__name__)

_ANY_TIME = datetime.datetime(9999, 1, 1)


def restore(database: Database, stores: Backends, image_id: str) -> None:
    """Make a ``pending_delete`` image ``active`` again, with the locations whose data is still there.

    Raises ImageNotFound; Conflict for an image in another status, one that is being scrubbed, and one whose data is gone.
    """
    claim = leases.new_lease(image_id)
    found = database.pending_claim([image_id], claim, leases.utcnow(), _ANY_TIME)
    try:
        for image in found:
            if image.status == 'pending_delete':
                _forget_missing(database, stores, image)
    finally:
        database.lease_release([claim.attempt])
    try:
        database.image_restore(image_id)
    except exceptions.StatusConflict as conflict:
        if found and conflict.current == 'deleted':
            raise exceptions.Conflict('The data of image %s is gone; the image cannot be restored.' % image_id) from None
        raise


def _forget_missing(database: Database, stores: Backends, image: PendingImage) -> None:
    """Record of which locations the data is gone, as after a crash of the scrubber."""
    missing = [location['id'] for location in image.locations
               if 'url' in location and _is_missing(stores, Location(location['url'], location['metadata']))]
    if missing:
        LOG.warning('At %d of %d locations of image %s the data is gone.', len(missing), len(image.locations), image.image_id)
        database.image_scrubbed(image.image_id, missing)


def _is_missing(stores: Backends, location: Location) -> bool:
    try:
        stores.for_location(location.url, location.metadata).size(location)
    except exceptions.ObjectNotFound:
        return True
    except exceptions.StoreError as error:
        LOG.warning('It is not known whether there still is data at %s: %s', redact(location.url), error)
    return False
