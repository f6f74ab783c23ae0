"""Images that nobody ever gave data to go after a while (``queued_image_ttl``)."""
import datetime
import logging

from glance import exceptions
from glance.db.interface import SERVICE, Condition, ImageQuery
from glance.domain.image import Image
from glance.environment import Environment
from glance.keys.disposal import dispose_for_owner
from glance.keys.service import ServiceCredentials
from glance.layers.database import load
from glance.notify import payloads
from glance.tasks.leases import utcnow

LOG = logging.getLogger(__name__)

# Images of one look; the next look takes the others.
_PAGE = 1000


def expire_queued(env: Environment, now: datetime.datetime | None = None) -> int:
    """Delete images that have been ``queued``, and not changed, for longer than the option says; return how many.

    Protected ones stay. Safe to run in several processes at once, beside uploads that begin.
    """
    ttl = env.conf.queued_image_ttl
    if not ttl:
        return 0
    before = (now or utcnow()) - datetime.timedelta(seconds=ttl)
    query = ImageQuery((Condition('status', 'eq', 'queued'), Condition('updated_at', 'lt', before),
                        Condition('protected', 'eq', False)), visibility='all', sort=(('updated_at', 'asc'),), limit=_PAGE)
    credentials = ServiceCredentials(env.conf)
    return sum(_expire(env, credentials, load(record)) for record in env.database.image_list(SERVICE, query))


def _expire(env: Environment, credentials: ServiceCredentials, image: Image) -> bool:
    try:
        env.database.image_remove(image.image_id, from_status='queued',
                                  expected={'updated_at': image.updated_at, 'protected': image.protected})
    except (exceptions.NotFound, exceptions.Conflict):
        # Another process was quicker, an upload has begun, or somebody changed the image.
        return False
    image.status = 'deleted'
    LOG.info('Image %s of project %s waited for data too long and was deleted.', image.image_id, image.owner)
    env.notifier.info('image.delete', payloads.of_deleted_image(image, utcnow()), image.image_id)
    dispose_for_owner(env.keys, env.database, credentials, image)
    return True
