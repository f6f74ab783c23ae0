"""The order of the layers, and nothing else: the only place that puts a repository together."""
from glance.context import RequestContext
from glance.domain.image import Image
from glance.environment import Environment
from glance.layers.authorization import AuthorizeImages, AuthorizeMembers
from glance.layers.base import Images, Members
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
                StoreImages, NotifyImages, ReserveImages)
MEMBER_LAYERS = (AuthorizeMembers, EnforceMembers, QuotaMembers, NotifyMembers)


def images(context: RequestContext, env: Environment) -> Images:
    """Return the images as this caller may use them."""
    repository: Images = DatabaseImages(context, env)
    for layer in reversed(IMAGE_LAYERS):
        if layer is not ProtectImages or env.protections is not None:
            repository = layer(repository, context, env)
    return repository


def members(context: RequestContext, env: Environment, image: Image) -> Members:
    """Return the members of an image that this caller got from ``images``."""
    repository: Members = DatabaseMembers(context, env, image)
    for layer in reversed(MEMBER_LAYERS):
        repository = layer(repository, context, env, image)
    return repository
