"""The data that an image has in one of several stores."""
import webob

from glance import exceptions
from glance.api.request import Request, no_content
from glance.domain import location
from glance.layers.policy import target_of


def remove_image(request: Request, store_id: str, image_id: str) -> webob.Response:
    """``DELETE /v2/stores/{store_id}/{image_id}``: 204; the image goes on with what it has in other stores."""
    request.refuse_body()
    stores = request.env.stores
    if not stores.multiple:
        raise exceptions.NotFound('This service has one store without a name.')
    if store_id not in stores.names:
        raise exceptions.Conflict('There is no store %r.' % store_id)
    images = request.images
    image = images.get(image_id, rule='get_image_location')
    request.env.enforcer.check(request.context, 'delete_image_location', target_of(image))
    location.remove_all(image, lambda each: stores.name_of(each.url, each.metadata) == store_id)
    images.save(image)
    return no_content()
