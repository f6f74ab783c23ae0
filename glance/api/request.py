"""A request as handlers see it, and the responses that they make."""
import functools
import hashlib
import json
from typing import Any

import webob

from glance import exceptions, gateway
from glance.api import json_body
from glance.context import RequestContext
from glance.environment import Environment
from glance.layers.base import Images
from glance.wsgi import whole_body

# Methods whose chunked bodies count as bodies.
_BODY_METHODS = ('POST', 'PUT', 'PATCH')


class Request(webob.Request):
    """A request with the service's environment and the caller's context.

    Attributes that are not WebOb's would be kept in the WSGI environment; these are read from there or computed.
    """

    @property
    def context(self) -> RequestContext:
        """Who asks."""
        return self.environ['glance.context']

    @property
    def env(self) -> Environment:
        """The parts of this process."""
        return self.environ['glance.environment']

    @property
    def images(self) -> Images:
        """The images as this caller may use them; where the filter ``cache`` is in the pipeline, through the cache."""
        # Who asks for the head only does not want the data to be fetched.
        return gateway.images(self.context, self.env, 'glance.cache' in self.environ, fill=self.method != 'HEAD')

    @property
    def has_body(self) -> bool:
        """Whether the client sends a body of at least a byte, as far as the head tells."""
        if self.environ.get('CONTENT_LENGTH') not in (None, '', '0'):
            return True
        return self.method in _BODY_METHODS and bool(self.environ.get('HTTP_TRANSFER_ENCODING'))

    @property
    def announced_length(self) -> int | None:
        """The ``Content-Length`` in bytes, or None."""
        value = self.environ.get('CONTENT_LENGTH')
        return int(value) if value else None

    def refuse_body(self) -> None:
        """Raise Invalid when a body was sent to a call that takes none."""
        if self.has_body:
            raise exceptions.Invalid('This call takes no request body; leave it out.')

    def json(self) -> Any:
        """Return the JSON object or array that the body holds. Raises Invalid; HTTPFault 413."""
        if not self.has_body:
            raise exceptions.Invalid('This call needs a JSON request body.')
        limit = self.env.conf.max_json_body_size
        return json_body.parse(whole_body.read(self.environ['wsgi.input'], self.announced_length, limit))

    def json_object(self) -> dict[str, Any]:
        """Return the JSON object that the body holds. Raises Invalid; HTTPFault 413."""
        value = self.json()
        if not isinstance(value, dict):
            raise exceptions.Invalid('The request body must be a JSON object.')
        return value


_encode = functools.partial(json.dumps, ensure_ascii=False, separators=(', ', ': '))


def json_response(status: int, content: Any, headers: dict[str, str] | None = None) -> webob.Response:
    """Return a response with a JSON body."""
    response = webob.Response(status=status, body=_encode(content).encode(), content_type='application/json', charset=None)
    response.headers['X-Content-Type-Options'] = 'nosniff'
    response.headers['Cache-Control'] = 'no-store'
    if headers:
        response.headers.update(headers)
    return response


def entity_tag(response: webob.Response) -> str:
    """Give the response an entity tag (RFC 9110, 8.8.3) made from its body, and return it."""
    response.etag = hashlib.sha256(response.body).hexdigest()[:32]
    return response.etag


def no_content() -> webob.Response:
    """Return a 204 response, which has neither body nor content type."""
    response = webob.Response(status=204)
    response.headers.pop('Content-Type', None)
    return response
