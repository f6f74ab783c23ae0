"""The classic routes by which operators manage the cache of a node: ``cached_images`` and ``queued_images``."""
import re
from collections.abc import Callable, Iterable
from typing import Any

from glance.api import cache_view
from glance.api.middleware.base import Filter
from glance.api.request import Request, json_response
from glance.cache.core import Cache
from glance.cache.layout import is_image_id
from glance.wsgi import faults

_PATH = re.compile(r'/v[12]/(?P<resource>cached_images|queued_images)(?:/(?P<image_id>[^/\n]+))?/?')
_RULE = 'manage_image_cache'


class CacheManageFilter(Filter):
    """Answers requests for the classic routes; every other one goes on to the application."""

    def __call__(self, environ: dict[str, Any], start_response: Callable) -> Iterable[bytes]:
        match = _PATH.fullmatch(environ.get('PATH_INFO', ''))
        image_id = match and match['image_id']
        handler = match and _HANDLERS.get((environ['REQUEST_METHOD'], match['resource'], bool(image_id)))
        if not handler or image_id and not is_image_id(image_id):
            return super().__call__(environ, start_response)
        request = Request(environ)
        try:
            request.env.enforcer.check(request.context, _RULE, {})
            content = handler(request, cache_view.cache_of(request.env), *filter(None, (image_id,)))
            response = json_response(200, content)
        except Exception as error:
            response = faults.response_for(error, environ)
        return response(environ, start_response)


def _list_cached(request: Request, cache: Cache) -> dict[str, Any]:
    return {'cached_images': cache_view.entries(cache)}


def _delete_cached(request: Request, cache: Cache, image_id: str) -> None:
    cache.delete(image_id)


def _delete_all_cached(request: Request, cache: Cache) -> dict[str, Any]:
    return {'num_deleted': cache.clear()}


def _list_queued(request: Request, cache: Cache) -> dict[str, Any]:
    return {'queued_images': cache.queued()}


def _queue(request: Request, cache: Cache, image_id: str) -> None:
    cache_view.fetch_soon(request.env, image_id)


def _delete_queued(request: Request, cache: Cache, image_id: str) -> None:
    cache.dequeue(image_id)


def _delete_all_queued(request: Request, cache: Cache) -> dict[str, Any]:
    return {'num_deleted': cache.clear_queue()}


# By method, resource, and whether the path names an image.
_HANDLERS: dict[tuple[str, str, bool], Callable[..., dict[str, Any] | None]] = {
    ('GET', 'cached_images', False): _list_cached,
    ('DELETE', 'cached_images', False): _delete_all_cached,
    ('DELETE', 'cached_images', True): _delete_cached,
    ('GET', 'queued_images', False): _list_queued,
    ('DELETE', 'queued_images', False): _delete_all_queued,
    ('PUT', 'queued_images', True): _queue,
    ('DELETE', 'queued_images', True): _delete_queued,
}
