"""Deletes the key that encrypts an image once the image is gone."""
import logging

from glance import exceptions
from glance.context import RequestContext
from glance.db.interface import Database
from glance.domain.image import Image
from glance.keys.manager import KeyManager
from glance.keys.service import ServiceCredentials

LOG = logging.getLogger(__name__)

KEY = 'cinder_encryption_key_id'
POLICY = 'cinder_encryption_key_deletion_policy'
_DELETE = 'on_image_deletion'


def dispose(keys: KeyManager, database: Database, context: RequestContext, image: Image) -> None:
    """Delete the key of an image that is ``deleted``, if the image asks for it and nothing else needs the key.

    It is done with the rights of the image's owner and nobody else's, or not at all: properties are what the owner says,
    and an administrator who removes the image must not remove whatever key they name. Failures are logged: the image is
    gone in any case.
    """
    key_id = _key_to_delete(image)
    if key_id is None:
        return
    if image.owner is None or context.owner != image.owner:
        LOG.warning('The key %r of deleted image %s stays: the image was not deleted by its owner.', key_id, image.image_id)
        return
    try:
        if database.property_in_use(KEY, key_id, except_image=image.image_id):
            LOG.info('The key %r of deleted image %s stays: another image uses it.', key_id, image.image_id)
            return
        keys.delete(context, key_id)
    except exceptions.GlanceError as error:
        LOG.warning('The key %r of deleted image %s stays: %s', key_id, image.image_id, error)


def dispose_for_owner(keys: KeyManager, database: Database, credentials: ServiceCredentials, image: Image) -> None:
    """Do as ``dispose`` where no caller's token is at hand: with the rights that the service has in the owner's project."""
    key_id = _key_to_delete(image)
    if key_id is None:
        return
    try:
        context = credentials.context_for(image.owner)
    except exceptions.KeyManagerError as error:
        LOG.warning('The key %r of deleted image %s stays: %s', key_id, image.image_id, error)
        return
    dispose(keys, database, context, image)


def _key_to_delete(image: Image) -> str | None:
    """Return the id of the key that is to go with the image."""
    return image.extra_properties.get(KEY) or None if image.extra_properties.get(POLICY) == _DELETE else None
