"""Locations of an image as a resource of their own, meant for other services."""
import webob

from glance.api.request import Request, json_response
from glance.api.v2.image_view import locations_view, visible_locations
from glance.domain.location import NewLocation


def create(request: Request, image_id: str) -> webob.Response:
    """``POST /v2/images/{image_id}/locations``: 202; the image becomes active, or is queued again, later."""
    new = NewLocation.parse_import(request.json_object())
    images = request.images
    image = images.get(image_id, rule='add_image_location')
    image.check_status('queued')
    images.import_location(image, new)
    response = webob.Response(status=202)
    response.headers.pop('Content-Type', None)
    return response


def index(request: Request, image_id: str) -> webob.Response:
    """``GET /v2/images/{image_id}/locations``: 200 with an array of locations, the one to read first coming first."""
    request.refuse_body()
    image = request.images.get(image_id, rule='fetch_image_location')
    return json_response(200, locations_view(visible_locations(image, request), request))
