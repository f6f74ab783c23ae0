"""What the service tells about itself and to each project about its limits."""
import webob

from glance.api.request import Request, json_response
from glance.layers import reservation


def usage(request: Request) -> webob.Response:
    """``GET /v2/info/usage``: 200 with usage and limit of the caller's project for each unified limit."""
    request.refuse_body()
    return json_response(200, {'usage': reservation.report(request.context, request.env)})
