"""Deletes the key that encrypts an image once the image is gone."""
import logging

from glance import exceptions
from glance.context import RequestContext
from glance.db.interface import Database
from glance.domain.image import Image
from glance.keys.manager import KeyManager

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
    key_id = image.extra_properties.get(KEY)
    if not key_id or image.extra_properties.get(POLICY) != _DELETE:
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
