"""Tags of an image, one at a time."""
import webob

from glance import exceptions
from glance.api.request import Request, no_content


def add(request: Request, image_id: str, tag: str) -> webob.Response:
    """``PUT /v2/images/{image_id}/tags/{tag}``: 204, also when the image has the tag already."""
    request.refuse_body()
    added = request.env.validator.value('tags', [tag])
    images = request.images
    image = images.get(image_id, rule='modify_image')
    image.tags = list(dict.fromkeys([*image.tags, *added]))
    images.save(image)
    return no_content()


def remove(request: Request, image_id: str, tag: str) -> webob.Response:
    """``DELETE /v2/images/{image_id}/tags/{tag}``: 204."""
    request.refuse_body()
    images = request.images
    image = images.get(image_id, rule='modify_image')
    if tag not in image.tags:
        raise exceptions.TagNotFound(image_id, tag)
    image.tags.remove(tag)
    images.save(image)
    return no_content()
