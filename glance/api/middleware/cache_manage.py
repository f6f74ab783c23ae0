"""The classic routes by which operators manage the cache of a node: ``cached_images`` and ``queued_images``."""
import re
from collections.abc import Callable, Iterable
from typing import Any

from glance.api import Application, cache_view
from glance.api.request import Request, json_response
from glance.cache.layout import is_image_id
from glance.wsgi import faults

_PATH = re.compile(r'/v[12]/(?P<resource>cached_images|queued_images)(?:/(?P<image_id>[^/\n]+))?/?')
_RULE = 'manage_image_cache'


class CacheManageFilter:
    """Answers requests for the classic routes; every other one goes on to the application."""

    def __init__(self, application: Application):
        self._application = application

    @classmethod
    def factory(cls, global_conf: dict[str, str], **local_conf: str) -> Callable[[Application], Application]:
        """Make the filter for paste."""
        return cls

    def __call__(self, environ: dict[str, Any], start_response: Callable) -> Iterable[bytes]:
        match = _PATH.fullmatch(environ.get('PATH_INFO', ''))
        handler = match and _HANDLERS.get((environ['REQUEST_METHOD'], match['resource'], match['image_id'] is not None))
        if not handler or match['image_id'] and not is_image_id(match['image_id']):
            return self._application(environ, start_response)
        request = Request(environ)
        try:
            request.env.enforcer.check(request.context, _RULE, {})
            content = handler(request, *(match['image_id'],) * bool(match['image_id']))
            response = json_response(200, content)
        except Exception as error:
            response = faults.response_for(error, environ)
        return response(environ, start_response)


def _list_cached(request: Request) -> dict[str, Any]:
    return {'cached_images': cache_view.entries(request.env.cache)}


def _delete_cached(request: Request, image_id: str) -> None:
    request.env.cache.delete(image_id)


def _delete_all_cached(request: Request) -> dict[str, Any]:
    return {'num_deleted': request.env.cache.clear()}


def _list_queued(request: Request) -> dict[str, Any]:
    return {'queued_images': request.env.cache.queued()}


def _queue(request: Request, image_id: str) -> None:
    cache_view.fetch_soon(request.env, image_id)


def _delete_queued(request: Request, image_id: str) -> None:
    request.env.cache.dequeue(image_id)


def _delete_all_queued(request: Request) -> dict[str, Any]:
    return {'num_deleted': request.env.cache.clear_queue()}


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
