"""The routes of the v2 API, and what every call has in common."""
import functools
import re
from collections.abc import Callable, Iterable
from typing import Any

import routes
import webob

from glance import exceptions
from glance.api.request import Request
from glance.api.v2 import actions, cache, image_data, images, info, locations, members, schemas, stores, tags
from glance.wsgi import faults
from glance.wsgi.faults import HTTPFault

Handler = Callable[..., webob.Response]

ROUTES: dict[str, dict[str, Handler]] = {
    '/cache': {'GET': cache.index, 'DELETE': cache.clear},
    '/cache/clean': {'POST': cache.clean},
    '/cache/prune': {'POST': cache.prune},
    '/cache/nodes/{image_id}': {'GET': cache.nodes},
    '/cache/{image_id}': {'PUT': cache.add, 'DELETE': cache.remove},
    '/images': {'GET': images.index, 'POST': images.create},
    '/images/{image_id}': {'GET': images.show, 'HEAD': images.show, 'PATCH': images.update, 'DELETE': images.delete},
    '/images/{image_id}/file': {'GET': image_data.download, 'HEAD': image_data.download, 'PUT': image_data.upload},
    '/images/{image_id}/actions/deactivate': {'POST': actions.deactivate},
    '/images/{image_id}/actions/reactivate': {'POST': actions.reactivate},
    '/images/{image_id}/members': {'GET': members.index, 'POST': members.create},
    '/images/{image_id}/members/{member_id}': {'GET': members.show, 'PUT': members.update, 'DELETE': members.delete},
    '/images/{image_id}/locations': {'GET': locations.index, 'POST': locations.create},
    '/images/{image_id}/tags/{tag}': {'PUT': tags.add, 'DELETE': tags.remove},
    '/info/stores': {'GET': info.stores},
    '/info/stores/detail': {'GET': info.stores_detail},
    '/info/usage': {'GET': info.usage},
    '/schemas/image': {'GET': schemas.image},
    '/schemas/images': {'GET': schemas.images},
    '/schemas/member': {'GET': schemas.member},
    '/schemas/members': {'GET': schemas.members},
    '/stores/{store_id}/{image_id}': {'DELETE': stores.remove_image},
}
_KNOWN_METHODS = frozenset(('GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH'))
_ENCODED_SLASH = re.compile(r'%2f', re.IGNORECASE)


@functools.cache
def _mapper() -> routes.Mapper:
    mapper = routes.Mapper(controller_scan=None, register=False)
    mapper.minimization = False
    for path in ROUTES:
        mapper.connect(None, path, resource=path)
    mapper.create_regs()
    return mapper


class API:
    """The WSGI application: finds the handler, calls it, and turns its errors into responses."""

    @classmethod
    def factory(cls, global_conf: dict[str, str], **local_conf: str) -> 'API':
        """Make the application for paste."""
        return cls()

    def __init__(self) -> None:
        self._mapper = _mapper()

    def __call__(self, environ: dict[str, Any], start_response: Callable) -> Iterable[bytes]:
        if not environ.get('PATH_INFO'):
            start_response('302 Found', [('Location', _slash_url(environ)), ('Content-Length', '0')])
            return [b'']
        try:
            handler, variables = self._route(environ)
            response = handler(Request(environ), **variables)
        except Exception as error:
            response = faults.response_for(error, environ)
            if environ['REQUEST_METHOD'] == 'HEAD':
                response.body = b''
                response.headers.pop('Content-Type', None)
        return response(environ, start_response)

    def _route(self, environ: dict[str, Any]) -> tuple[Handler, dict[str, str]]:
        method, path = environ['REQUEST_METHOD'], _path(environ)
        # The mapper's expressions end in "$", which lets a newline at the end pass.
        found = None if '//' in path or '\n' in path or _hides_slash(environ) else self._mapper.match(path)
        if found is None:
            if method not in _KNOWN_METHODS:
                raise HTTPFault(501, 'The method %s is not implemented.' % method)
            raise exceptions.NotFound('The resource could not be found.')
        resource = found.pop('resource')
        environ['glance.route'] = '/v2' + resource
        methods = ROUTES[resource]
        if method not in methods:
            raise HTTPFault(405, 'The method %s is not allowed for this resource.' % method,
                            [('Allow', ', '.join(sorted(methods)))])
        return methods[method], found


def _path(environ: dict[str, Any]) -> str:
    """Return the path as text; WSGI hands over its bytes as Latin-1 (PEP 3333)."""
    try:
        return environ.get('PATH_INFO', '').encode('latin-1').decode('utf-8')
    except UnicodeDecodeError:
        raise exceptions.Invalid('The path of the URL is not UTF-8 text.') from None


def _hides_slash(environ: dict[str, Any]) -> bool:
    """Tell whether the path holds an encoded slash, which routing could take for a separator."""
    target = environ.get('RAW_URI') or environ.get('REQUEST_URI') or ''
    return bool(_ENCODED_SLASH.search(target.partition('?')[0]))


def _slash_url(environ: dict[str, Any]) -> str:
    return webob.Request(environ).host_url + '/v2/'
