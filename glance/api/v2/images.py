"""Images: create, list, show, change and delete."""
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import webob

from glance import exceptions
from glance.api.request import Request, entity_tag, json_response, no_content
from glance.api.v2 import image_query, json_patch
from glance.api.v2.image_view import view
from glance.domain.image import Image
from glance.domain.properties import check_writable, is_writable

# What only responses have; refused before anything else is looked at.
_VIEW_ONLY = frozenset(('direct_url', 'self', 'file', 'schema', 'stores'))
# The preference (RFC 7240) of clients that want to know how many images a list has on all pages.
_COUNT = 'count=exact'


def create(request: Request) -> webob.Response:
    """``POST /v2/images``: 201 with the new image."""
    values = _new_values(request)
    images = request.images
    image = images.new(values)
    images.add(image)
    conf, stores = request.env.conf, request.env.stores
    headers = {'Location': '%s/v2/images/%s' % (request.host_url, image.image_id)}
    if conf.enabled_import_methods:
        headers['OpenStack-image-import-methods'] = ','.join(conf.enabled_import_methods)
    if stores.multiple:
        headers['OpenStack-image-store-ids'] = ','.join(stores.names)
    return json_response(201, view(image, request), headers)


def index(request: Request) -> webob.Response:
    """``GET /v2/images``: 200 with a page of images and the links to walk on."""
    parameters = image_query.parameters(request.query_string)
    query = image_query.parse(parameters, request.env.conf)
    images = request.images
    page = images.list(query)
    walk = [(name, value) for name, value in parameters if name != 'marker']
    content = {'images': [view(image, request) for image in page.images], 'first': _link(walk),
               'schema': '/v2/schemas/images'}
    if page.next_marker:
        content['next'] = _link([*walk, ('marker', page.next_marker)])
    response = json_response(200, content)
    if _wants_count(request):
        response.headers['X-Total-Count'] = str(images.count(query))
        response.headers['Preference-Applied'] = _COUNT
    return response


def show(request: Request, image_id: str) -> webob.Response:
    """``GET`` or ``HEAD /v2/images/{image_id}``: 200 with the image, or 304 when the client has it already."""
    request.refuse_body()
    response = json_response(200, view(request.images.get(image_id), request))
    if entity_tag(response) in request.if_none_match:
        response.status, response.body = 304, b''
        del response.headers['Content-Type'], response.headers['Content-Length']
    return response


def update(request: Request, image_id: str) -> webob.Response:
    """``PATCH /v2/images/{image_id}``: 200 with the changed image; all operations are done, or none."""
    operations = json_patch.parse(request)
    images = request.images
    image = images.get(image_id, rule=json_patch.rule(operations))
    if 'If-Match' in request.headers:
        if entity_tag(json_response(200, view(image, request))) not in request.if_match:
            raise exceptions.ChangedMeanwhile(image_id)
        image.guarded = request.headers['If-Match'].strip() != '*'
    if operations:
        json_patch.apply(operations, image, request.env, may_give_away=request.context.is_admin)
        _check_required(_values_of(image), request)
        images.save(image)
    response = json_response(200, view(image, request))
    entity_tag(response)
    return response


def delete(request: Request, image_id: str) -> webob.Response:
    """``DELETE /v2/images/{image_id}``: 204."""
    request.refuse_body()
    images = request.images
    images.remove(images.get(image_id))
    return no_content()


def _wants_count(request: Request) -> bool:
    return _COUNT in (preference.strip() for preference in request.headers.get('Prefer', '').split(','))


def _new_values(request: Request) -> dict:
    values = request.json_object()
    for name in _VIEW_ONLY & values.keys():
        raise exceptions.ReadonlyProperty(name)
    validator = request.env.validator
    refused = [name for name in values if not is_writable(name) or name == 'locations']
    checked = {name: validator.value(name, value) for name, value in values.items() if name not in refused}
    for name in refused:
        check_writable(name)
        raise exceptions.ReadonlyProperty(name)
    _check_required(checked, request)
    return checked


def _values_of(image: Image) -> dict[str, Any]:
    return {**vars(image), **image.withheld, **image.extra_properties}


def _check_required(values: Mapping[str, Any], request: Request) -> None:
    for name in request.env.schema.required:
        if values.get(name) is None:
            raise exceptions.Invalid('The operator of this service requires the property %r.' % name)


def _link(parameters: list[tuple[str, str]]) -> str:
    return '/v2/images' + ('?' + urlencode(parameters) if parameters else '')
