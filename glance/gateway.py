"""The order of the layers, and nothing else: the only place that puts a repository together."""
from collections.abc import Sequence

from glance.context import RequestContext
from glance.domain.image import Image
from glance.environment import Environment
from glance.layers.access import ShareImages, ShareMembers
from glance.layers.authorization import AuthorizeImages, AuthorizeMembers
from glance.layers.base import Images, Members
from glance.layers.cache import CacheImages, ConsultCache
from glance.layers.database import DatabaseImages, DatabaseMembers
from glance.layers.encryption_key import DisposeKeys
from glance.layers.location import LocateImages
from glance.layers.notification import NotifyImages, NotifyMembers
from glance.layers.policy import EnforceImages, EnforceMembers
from glance.layers.protection import ProtectImages
from glance.layers.quota import QuotaImages, QuotaMembers
from glance.layers.reservation import ReserveImages
from glance.layers.signature import SignImages
from glance.layers.store import StoreImages

# Outermost first.
IMAGE_LAYERS = (AuthorizeImages, EnforceImages, ProtectImages, QuotaImages, SignImages, LocateImages, DisposeKeys,
                ShareImages, ConsultCache, CacheImages, StoreImages, NotifyImages, ReserveImages)
MEMBER_LAYERS = (AuthorizeMembers, EnforceMembers, QuotaMembers, ShareMembers, NotifyMembers)
# For work of the service itself, which nobody may be refused and nobody is told of.
SERVICE_LAYERS = (StoreImages,)


def images(context: RequestContext, env: Environment, cached: bool = False, fill: bool = True) -> Images:
    """Return the images as this caller may use them.

    ``cached`` lets data come from the cache of the node, if it has one, ``fill`` lets it go there as well.
    """
    cached = cached and env.cache is not None
    wanted = {ProtectImages: env.protections is not None, CacheImages: cached and fill, ConsultCache: cached and not fill}
    return _stack([layer for layer in IMAGE_LAYERS if wanted.get(layer, True)], context, env)


def service_images(env: Environment) -> Images:
    """Return all images, for the service itself."""
    return _stack(SERVICE_LAYERS, RequestContext(is_admin=True, overwrite=False), env)


def _stack(layers: Sequence[type[Images]], context: RequestContext, env: Environment) -> Images:
    repository: Images = DatabaseImages(context, env)
    for layer in reversed(layers):
        repository = layer(repository, context, env)
    return repository


def members(context: RequestContext, env: Environment, image: Image) -> Members:
    """Return the members of an image that this caller got from ``images``."""
    repository: Members = DatabaseMembers(context, env, image)
    for layer in reversed(MEMBER_LAYERS):
        repository = layer(repository, context, env, image)
    return repository
