"""The order of the layers, and nothing else: the only place that puts a repository together."""
from glance.context import RequestContext
from glance.environment import Environment
from glance.layers.authorization import AuthorizeImages
from glance.layers.base import Images
from glance.layers.database import DatabaseImages
from glance.layers.policy import EnforceImages
from glance.layers.quota import QuotaImages
from glance.layers.store import StoreImages

# Outermost first.
IMAGE_LAYERS = (AuthorizeImages, EnforceImages, QuotaImages, StoreImages)


def images(context: RequestContext, env: Environment) -> Images:
    """Return the images as this caller may use them."""
    repository: Images = DatabaseImages(context, env)
    for layer in reversed(IMAGE_LAYERS):
        repository = layer(repository, context, env)
    return repository
