"""Errors as HTTP: the one table from the service's exceptions to status codes, and the bodies of faults."""
import html
import http
import json
import logging
from collections.abc import Iterable
from typing import Any

import webob
from webob import acceptparse

from glance import exceptions

LOG = logging.getLogger(__name__)

# The first class of an error's ancestry that stands here decides.
STATUS: dict[type[Exception], int] = {
    exceptions.NotAuthenticated: 401,
    exceptions.Forbidden: 403,
    exceptions.StoreForbidden: 403,
    exceptions.NotFound: 404,
    exceptions.TooSlow: 408,
    exceptions.Conflict: 409,
    exceptions.ChangedMeanwhile: 412,
    exceptions.ObjectExists: 409,
    exceptions.ObjectInUse: 409,
    exceptions.ImageGone: 410,
    exceptions.StoreReadOnly: 410,
    exceptions.LimitExceeded: 413,
    exceptions.StoreFull: 413,
    exceptions.InvalidImageData: 415,
    exceptions.TooManyOfProject: 429,
    exceptions.TooManyTransfers: 503,
    exceptions.Invalid: 400,
    exceptions.ClientDisconnected: 400,
    exceptions.RangeNotSupported: 400,
    exceptions.ObjectNotFound: 404,
    exceptions.RateExceeded: 429,
    exceptions.StoreWriteDenied: 503,
    exceptions.StoreUnavailable: 503,
    exceptions.BadLocation: 503,
    exceptions.StoreError: 503,
    exceptions.DatabaseUnavailable: 503,
    exceptions.CacheUnavailable: 503,
    exceptions.KeyManagerError: 503,
    exceptions.LimitsUnavailable: 503,
    exceptions.FetchFailed: 503,
}
_SERVER_ERROR = 'The server has either erred or is incapable of performing the requested operation.'
_RETRY_SECONDS = '5'


class HTTPFault(Exception):
    """A refusal that only HTTP knows: an unknown path or method, a media type, a range."""

    def __init__(self, status: int, message: str, headers: Iterable[tuple[str, str]] = ()):
        super().__init__(message)
        self.status, self.headers = status, list(headers)


def status_of(error: Exception) -> int:
    """Return the status code that tells this error to a client."""
    if isinstance(error, HTTPFault):
        return error.status
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


def response_for(error: Exception, environ: dict[str, Any]) -> webob.Response:
    """Return the response that tells the error, in the form that the request accepts; log what is our own fault."""
    status = status_of(error)
    if status == 500:
        LOG.error('%s %s failed: %s', environ.get('REQUEST_METHOD'), environ.get('PATH_INFO'), error, exc_info=error)
        message = _SERVER_ERROR
    else:
        message = str(error)
    response = fault(status, message, environ)
    if isinstance(error, HTTPFault):
        response.headerlist.extend(error.headers)
    elif isinstance(error, exceptions.RateExceeded):
        response.headers['Retry-After'] = str(error.retry_after)
    elif status in (429, 503):
        response.headers['Retry-After'] = _RETRY_SECONDS
    if isinstance(error, exceptions.InvalidImageData | exceptions.LimitExceeded | exceptions.ImageGone
                  | exceptions.TooSlow | exceptions.TooManyOfProject | exceptions.TooManyTransfers):
        # The rest of a refused body is not worth reading.
        response.headers['Connection'] = 'close'
    return response


def fault(status: int, message: str, environ: dict[str, Any]) -> webob.Response:
    """Return a fault response: HTML, JSON or plain text by the request's ``Accept``."""
    title = http.HTTPStatus(status).phrase if status != 413 else 'Request Entity Too Large'
    code = '%d %s' % (status, title)
    form = _form(environ.get('HTTP_ACCEPT'))
    if form == 'html':
        body = ('<html>\n <head>\n  <title>%s</title>\n </head>\n <body>\n  <h1>%s</h1>\n  %s<br /><br />\n\n\n\n </body>\n'
                '</html>' % (code, code, html.escape(message)))
        kind = 'text/html; charset=UTF-8'
    elif form == 'json':
        body = json.dumps({'message': message, 'code': code, 'title': title}, ensure_ascii=False)
        kind = 'application/json'
    else:
        body = '%s\n\n%s\n\n' % (code, message)
        kind = 'text/plain; charset=UTF-8'
    response = webob.Response(status=code, body=body.encode('utf-8', 'replace'))
    response.headers['Content-Type'] = kind
    response.headers['X-Content-Type-Options'] = 'nosniff'
    return response


def _form(accept: str | None) -> str:
    if not accept or not accept.strip():
        return 'text'
    offers = acceptparse.create_accept_header(accept).acceptable_offers(['text/html', 'application/json'])
    if not offers:
        return 'text'
    return 'html' if offers[0][0] == 'text/html' else 'json'
