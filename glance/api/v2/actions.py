"""Actions on an image: its data is withdrawn from all but administrators, and given back."""
from collections.abc import Callable

import webob

from glance.api.request import Request, no_content
from glance.domain.image import Image


def deactivate(request: Request, image_id: str) -> webob.Response:
    """``POST /v2/images/{image_id}/actions/deactivate``: 204."""
    return _act(request, image_id, 'deactivate', Image.deactivate)


def reactivate(request: Request, image_id: str) -> webob.Response:
    """``POST /v2/images/{image_id}/actions/reactivate``: 204."""
    return _act(request, image_id, 'reactivate', Image.reactivate)


def _act(request: Request, image_id: str, rule: str, action: Callable[[Image], None]) -> webob.Response:
    request.refuse_body()
    images = request.images
    image = images.get(image_id, rule=rule)
    action(image)
    images.save(image)
    return no_content()
