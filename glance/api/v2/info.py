"""What the service tells about itself and to each project about its limits."""
import webob

from glance import exceptions
from glance.api.request import Request, json_response
from glance.layers import reservation
from glance.store.backends import Backend
from glance.store.base import Capability


def stores(request: Request) -> webob.Response:
    """``GET /v2/info/stores``: 200 with the stores that may be named; 404 where stores have no names."""
    request.refuse_body()
    return json_response(200, {'stores': [_summary(backend, request) for backend in _backends(request)]})


def stores_detail(request: Request) -> webob.Response:
    """``GET /v2/info/stores/detail``: the same with what administrators and services may know."""
    request.refuse_body()
    backends = _backends(request)
    request.env.enforcer.check(request.context, 'stores_info_detail', {})
    return json_response(200, {'stores': [
        {**_summary(backend, request), 'type': backend.type, 'weight': backend.weight,
         'properties': backend.store.details} for backend in backends]})


def _backends(request: Request) -> list[Backend]:
    configured = request.env.stores
    if not configured.multiple:
        raise exceptions.NotFound('This service has one store without a name.')
    return [configured.backend(name) for name in configured.names]


def _summary(backend: Backend, request: Request) -> dict[str, str]:
    summary = {'id': backend.name}
    if backend.description:
        summary['description'] = backend.description
    # Clients know these two as strings that are there or not.
    if backend.name == request.env.stores.default:
        summary['default'] = 'true'
    if not backend.store.capabilities & Capability.WRITE:
        summary['read-only'] = 'true'
    return summary


def usage(request: Request) -> webob.Response:
    """``GET /v2/info/usage``: 200 with usage and limit of the caller's project for each unified limit."""
    request.refuse_body()
    return json_response(200, {'usage': reservation.report(request.context, request.env)})
