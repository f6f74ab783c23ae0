"""The image cache of the node that answers."""
import webob

from glance import exceptions
from glance.api import cache_view
from glance.api.request import Request, json_response, no_content
from glance.cache import cleaner, pruner
from glance.cache.core import Cache
from glance.cache.drivers.centralized_db import CentralizedDriver
from glance.cache.layout import is_image_id

_TARGET = 'x-image-cache-clear-target'
_TARGETS = ('cache', 'queue', 'both')


def index(request: Request) -> webob.Response:
    """``GET /v2/cache``: what is cached and what is queued."""
    request.refuse_body()
    cache = _allowed(request, 'cache_list')
    return json_response(200, {'cached_images': cache_view.entries(cache), 'queued_images': cache.queued()})


def add(request: Request, image_id: str) -> webob.Response:
    """``PUT /v2/cache/{image_id}``: 202, the image is fetched in the background."""
    request.refuse_body()
    cache = cache_view.cache_of(request.env)
    image = request.images.get(image_id, rule='cache_image')
    if image.status != 'active':
        raise exceptions.Invalid('Only images in status active can be cached; image %s is %s.' % (image_id, image.status))
    if not is_image_id(image_id):
        raise exceptions.Invalid('Only images whose id is a UUID in its canonical form can be cached.')
    if not cache.is_cached(image_id):
        cache_view.fetch_soon(request.env, image_id)
    response = no_content()
    response.status = 202
    response.content_length = 0
    return response


def remove(request: Request, image_id: str) -> webob.Response:
    """``DELETE /v2/cache/{image_id}``: 204; the image is neither cached nor queued any more."""
    request.refuse_body()
    try:
        request.images.get(image_id, rule='cache_delete')
        exists = True
    except exceptions.ImageNotFound:
        _check(request, 'cache_delete')
        exists = False
    cache = cache_view.cache_of(request.env)
    if not exists and not cache.is_cached(image_id) and not cache.is_queued(image_id):
        raise exceptions.ImageNotFound(image_id)
    if is_image_id(image_id):
        cache.dequeue(image_id)
        cache.delete(image_id)
    return no_content()


def clear(request: Request) -> webob.Response:
    """``DELETE /v2/cache``: 204; cache and queue are empty, or the one of them that the request names."""
    request.refuse_body()
    cache = _allowed(request, 'cache_delete')
    target = request.headers.get(_TARGET, '').strip().lower() or 'both'
    if target not in _TARGETS:
        raise exceptions.Invalid('The header %s must be one of: %s.' % (_TARGET, ', '.join(_TARGETS)))
    if target in ('queue', 'both'):
        cache.clear_queue()
    if target in ('cache', 'both'):
        cache.clear()
    return no_content()


def nodes(request: Request, image_id: str) -> webob.Response:
    """``GET /v2/cache/nodes/{image_id}``: the URLs of the nodes that have the image in their cache."""
    request.refuse_body()
    cache = _allowed(request, 'list_cached_nodes')
    if not isinstance(cache.driver, CentralizedDriver):
        raise exceptions.Conflict('The nodes that have an image are known with image_cache_driver = centralized_db only.')
    request.images.get(image_id)
    return json_response(200, cache.driver.nodes(image_id))


def clean(request: Request) -> webob.Response:
    """``POST /v2/cache/clean``: 200; what failed on its way into the cache is gone."""
    request.refuse_body()
    cleaner.clean(_allowed(request, 'cache_clean'))
    return webob.Response(status=200)


def prune(request: Request) -> webob.Response:
    """``POST /v2/cache/prune``: 200 with what was removed to have the cache at its size."""
    request.refuse_body()
    pruned = pruner.prune(_allowed(request, 'cache_prune'))
    return json_response(200, {'total_files_pruned': pruned.files, 'total_bytes_pruned': pruned.size})


def _allowed(request: Request, rule: str) -> Cache:
    _check(request, rule)
    return cache_view.cache_of(request.env)


def _check(request: Request, rule: str) -> None:
    request.env.enforcer.check(request.context, rule, {})
