"""The data of an image: upload and download."""
import contextlib
import re

import webob

from glance import exceptions
from glance.api.request import Request, no_content
from glance.api.v2 import byte_range
from glance.domain.image import Image
from glance.transfer.body import ReaderBody
from glance.transfer.sources import PacedSource, Source, WsgiSource
from glance.wsgi.faults import HTTPFault

_OCTETS = 'application/octet-stream'
_MAX_SIZE = 2 ** 63 - 1


def upload(request: Request, image_id: str) -> webob.Response:
    """``PUT /v2/images/{image_id}/file``: 204 once the data is stored durably."""
    if request.content_type != _OCTETS:
        raise HTTPFault(415, 'The data of an image must be sent with the media type %s.' % _OCTETS)
    size = _expected_size(request)
    store = _chosen_store(request)
    images = request.images
    with request.env.uploads.turn(request.context.owner):
        image = images.get(image_id, rule='upload_image')
        images.upload(image, _source(request), size, store)
    return no_content()


def download(request: Request, image_id: str) -> webob.Response:
    """``GET`` or ``HEAD /v2/images/{image_id}/file``: 200 with the data, 206 with a part of it, 204 when there is none."""
    request.refuse_body()
    prefer = _preferred_stores(request)
    images = request.images
    image = images.get(image_id)
    try:
        size = images.data_size(image)
        if image.os_hash_value and image.os_hash_value in request.if_none_match:
            return _not_modified(image)
        # A client that goes on with a download it began wants the rest only of the same data (RFC 9110, 13.1.5).
        same = 'If-Range' not in request.headers or request.headers['If-Range'].strip() == _entity_tag(image)
        span = byte_range.requested(request.environ, size) if same else None
        with contextlib.ExitStack() as turn:
            if request.method == 'GET':
                turn.enter_context(request.env.downloads.turn(request.context.owner))
            reader = images.download(image, *(span or (0, None)), prefer)
            turn = turn.pop_all()
    except exceptions.ObjectNotFound:
        return no_content()
    body = ReaderBody(reader)
    if request.method == 'GET':
        request.env.metrics.sending(body, reader.place)
        body.call_on_close(lambda sent: turn.close())
        body.call_on_close(lambda sent: images.end_download(image, sent, reader.length))
    return _data_response(image, body, span)


def _data_response(image: Image, body: ReaderBody, span: byte_range.Span | None) -> webob.Response:
    response = webob.Response(status=206 if span else 200, content_type=_OCTETS, charset=None)
    response.app_iter, response.content_length = body, body.reader.length
    # Whatever the data is, a browser is to keep it and not to show it under the name of this service.
    response.headers['X-Content-Type-Options'] = 'nosniff'
    response.headers['Content-Disposition'] = 'attachment'
    response.headers['Accept-Ranges'] = 'bytes'
    if image.os_hash_value:
        response.headers['ETag'] = _entity_tag(image)
    if image.checksum:
        # Clients compare this with the checksum attribute: hexadecimal, and of the whole image.
        response.headers['Content-MD5'] = image.checksum
    if span:
        response.headers['Content-Range'] = 'bytes %d-%d/%d' % (span.offset, span.offset + span.length - 1, image.size)
    return response


def _source(request: Request) -> Source:
    body, rate = WsgiSource(request.environ['wsgi.input']), request.env.conf.min_upload_rate
    return PacedSource(body, rate) if rate else body


def _entity_tag(image: Image) -> str:
    return '"%s"' % image.os_hash_value


def _not_modified(image: Image) -> webob.Response:
    response = no_content()
    response.status = 304
    response.headers['ETag'] = _entity_tag(image)
    return response


def _expected_size(request: Request) -> int | None:
    """Return the announced size in bytes, or None where it is not known (0 means that too)."""
    header = request.headers.get('x-openstack-image-size')
    if header is None:
        return request.announced_length or None
    if not re.fullmatch('[0-9]{1,19}', header.strip()) or int(header) > _MAX_SIZE:
        raise exceptions.Invalid('The header x-openstack-image-size must be the size of the data in bytes.')
    return int(header) or None


def _preferred_stores(request: Request) -> list[str]:
    """Return the stores that the client wants the data from. Raises Invalid for one that it cannot name."""
    stores = request.env.stores
    given = [name.strip() for value in request.GET.getall('prefer') for name in value.split(',')]
    if given and not stores.multiple:
        raise exceptions.Invalid('This service has one store without a name; leave "prefer" out.')
    for name in given:
        if name not in stores.names:
            raise exceptions.UnknownStore(name)
    return given


def _chosen_store(request: Request) -> str | None:
    stores = request.env.stores
    name = request.headers.get('X-Image-Meta-Store')
    if name is None or not stores.multiple:
        return None
    if name not in stores.names:
        raise exceptions.UnknownStore(name)
    return name
