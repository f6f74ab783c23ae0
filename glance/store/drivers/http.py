"""Images on web servers: read-only locations that users name.

Atomic and durable: nothing is written. Ranges: yes, and where a server knows none the bytes before the span are skipped.
A body that breaks off is taken up again when the server names its version (a strong ``ETag``, or ``Last-Modified``).
Every request passes the filter of outgoing requests first, redirects included, whoever added the location.
"""
import base64
import contextlib
import dataclasses
import logging
import re
import urllib.parse
from collections.abc import Iterator
from typing import Any

from glance import exceptions
from glance.outbound.fetch import Fetcher, Response
from glance.outbound.uri_filter import URIFilter
from glance.store import location as locations
from glance.store.base import Capability, Location, Reader, StoredObject

LOG = logging.getLogger(__name__)

RESUMPTIONS = 3
_CONTENT_RANGE = re.compile(r'bytes (?:(?P<first>[0-9]{1,19})-(?P<last>[0-9]{1,19})|\*)/(?P<total>[0-9]{1,19}|\*)')
_OK, _PARTIAL, _UNSATISFIABLE = 200, 206, 416
_GONE = (404, 410)
_SKIP = 1024 * 1024


class HttpStore:
    """A ``store.base.Store`` of URLs.

    :param fetcher: makes the requests
    :param uri_filter: the same that the fetcher asks
    """

    schemes = ('http', 'https')
    capabilities = Capability.READ_RANDOM
    url_prefixes = ('http://', 'https://')

    def __init__(self, name: str | None, fetcher: Fetcher, uri_filter: URIFilter):
        self.name = name
        self.details: dict[str, Any] = {}
        self._fetcher, self._filter = fetcher, uri_filter

    @classmethod
    def from_options(cls, options, name: str | None) -> 'HttpStore':
        """The store that a configuration section describes."""
        ca_file = options.https_ca_certificates_file
        verify = bool(ca_file) or not (options.is_set('https_insecure') and options.https_insecure)
        if not verify:
            LOG.warning('[%s] https_insecure is on: whoever is between this service and a web server can change images. '
                        'Set https_ca_certificates_file, or https_insecure = false.', options.section)
        uri_filter = URIFilter.from_conf(options.conf)
        return cls(name, Fetcher(uri_filter, ca_file=ca_file, verify=verify, proxies=options.http_proxy_information),
                   uri_filter)

    def check(self, location: Location) -> None:
        """Raise URIRefused unless a user may add the URL, which holds no credentials then; asks only name servers."""
        self._filter.check(location.url)

    def writer(self, image_id: str, size: int | None = None, attempt: str | None = None):
        raise exceptions.StoreReadOnly()

    def open(self, location: Location, offset: int = 0, length: int | None = None) -> 'HttpReader':
        if offset < 0 or length is not None and length < 0:
            raise exceptions.Invalid('A part of an image begins and ends in it; %s bytes from %d do not' % (length, offset))
        if length == 0:
            return self._open_nothing(location, offset)
        whole = offset == 0 and length is None
        response = self._request('GET', location, {} if whole else {'Range': _range(offset, length)})
        try:
            return self._reader(location, response, offset, length)
        except BaseException:
            response.close()
            raise

    def size(self, location: Location) -> int:
        with self._request('HEAD', location) as response:
            if response.status == _OK and response.content_length is not None:
                return response.content_length
        with self._request('GET', location, {'Range': 'bytes=0-0'}) as response:
            total = _total(response)
        if total is None:
            raise exceptions.BadLocation('The web server does not tell the size of the data.')
        return total

    def delete(self, location: Location) -> None:
        _split(location.url)
        raise exceptions.StoreReadOnly()

    def discard(self, image_id: str, attempt: str | None = None, committed: bool = False) -> int:
        return 0

    def sweep(self, older_than: float = 3600.0) -> list[str]:
        return []

    def walk(self) -> Iterator[StoredObject]:
        raise exceptions.WalkNotSupported()

    def close(self) -> None:
        self._fetcher.close()

    def continued(self, location: Location, offset: int, length: int, version: str) -> Response:
        """Ask for the rest of a body of this version. Raises StoreUnavailable when the server has another one by now."""
        response = self._request('GET', location, {'Range': _range(offset, length), 'If-Range': version})
        found = _content_range(response)
        if response.status != _PARTIAL or found is None or found.span != (offset, length):
            response.close()
            raise exceptions.StoreUnavailable('The data on the web server changed while it was read.')
        return response

    def _request(self, method: str, location: Location, headers: dict[str, str] | None = None) -> Response:
        """Ask, and return an answer whose body is the object or a part of it, or that is about the range."""
        uri, credentials = _split(location.url)
        headers = {**(headers or {}), **({'Authorization': credentials} if credentials else {})}
        with _store_errors():
            response = self._fetcher.request(method, uri, headers)
            if response.status in (_OK, _PARTIAL, _UNSATISFIABLE) or method == 'HEAD' and response.status in (405, 501):
                return response
            response.close()
            raise exceptions.FetchFailed('http-%d' % response.status)

    def _reader(self, location: Location, response: Response, offset: int, length: int | None) -> 'HttpReader':
        total = _total(response)
        if response.status == _UNSATISFIABLE:
            if length is None and total == offset:
                return HttpReader(self, location, response, offset, 0)
            raise exceptions.Invalid('The image has %s bytes; those from %d are not in it' % (total, offset))
        if response.status == _PARTIAL:
            found = _content_range(response)
            start, available = found.span if found else (-1, 0)
            if start != offset or length is not None and available > length:
                raise exceptions.StoreError('The web server delivered another part of the data than it was asked for.')
        else:
            if total is None:
                raise exceptions.StoreError('The web server does not tell the size of the data.')
            start, available = 0, total - offset
        if available < (length or 0):
            raise exceptions.Invalid('The image has %s bytes; %s bytes from %d are not in it' % (total, length, offset))
        reader = HttpReader(self, location, response, offset, available if length is None else length)
        reader.skip(offset - start)
        return reader

    def _open_nothing(self, location: Location, offset: int) -> 'HttpReader':
        total = self.size(location)
        if offset > total:
            raise exceptions.Invalid('The image has %d bytes; those from %d are not in it' % (total, offset))
        return HttpReader(self, location, None, offset, 0)


class HttpReader(Reader):
    """A ``store.base.Reader`` of a span of a body, positioned at or before the span."""

    def __init__(self, store: HttpStore, location: Location, response: Response | None, offset: int, length: int):
        self.offset, self.length = offset, length
        self._store, self._location, self._response = store, location, response
        self._left, self._resumptions = length, RESUMPTIONS
        self._version = _version(response) if response else None

    def readinto(self, buffer: memoryview) -> int:
        if not self._left or not len(buffer):
            return 0
        while True:
            try:
                count = self._read(buffer[:self._left])
            except exceptions.FetchFailed as failure:
                self._resume(failure)
            else:
                self._left -= count
                return count

    def skip(self, count: int) -> None:
        """Read the bytes that the server delivers before the span."""
        buffer = memoryview(bytearray(min(count, _SKIP)))
        with _store_errors():
            while count:
                count -= self._read(buffer[:count])

    def close(self) -> None:
        if self._response is not None:
            self._response.close()

    def _read(self, buffer: memoryview) -> int:
        count = self._response.readinto(buffer) if self._response else 0
        if not count:
            raise exceptions.FetchFailed('connect')
        return count

    def _resume(self, failure: exceptions.FetchFailed) -> None:
        """Have the server deliver what is missing of the same version."""
        self.close()
        if self._version is None or not self._resumptions:
            raise exceptions.StoreUnavailable() from failure
        self._resumptions -= 1
        position = self.offset + self.length - self._left
        LOG.info('Reading %s goes on at byte %d.', locations.redact(self._location.url), position)
        self._response = self._store.continued(self._location, position, self._left, self._version)


@dataclasses.dataclass(frozen=True, slots=True)
class _ContentRange:
    """``span`` is (offset, length), None of an answer that has no body; ``total`` is None where it is not told."""

    span: tuple[int, int] | None
    total: int | None


def _content_range(response: Response) -> _ContentRange | None:
    match = _CONTENT_RANGE.fullmatch(response.headers.get('Content-Range', '').strip())
    if match is None:
        return None
    total = None if match['total'] == '*' else int(match['total'])
    if match['first'] is None:
        return _ContentRange(None, total)
    first, last = int(match['first']), int(match['last'])
    return _ContentRange((first, last - first + 1), total)


def _total(response: Response) -> int | None:
    """The size of the whole object, whatever part of it this answer holds."""
    if response.status == _OK:
        return response.content_length
    found = _content_range(response)
    return found.total if found else None


def _version(response: Response) -> str | None:
    """What names the version of the object beyond doubt (RFC 9110, 13.1.5)."""
    tag = response.headers.get('ETag', '')
    return tag if tag.startswith('"') else response.headers.get('Last-Modified')


def _range(offset: int, length: int | None) -> str:
    return 'bytes=%d-%s' % (offset, '' if length is None else offset + length - 1)


def _split(url: str) -> tuple[str, str | None]:
    """Return the URL without credentials, and the header that carries those. Raises BadLocation."""
    parts = locations.parse(url)
    if parts.driver != 'http' or not parts.host:
        raise exceptions.BadLocation('The location is not the URL of a web server')
    if parts.userinfo is None:
        return url, None
    user, colon, password = parts.userinfo.partition(':')
    if not (user and colon and password):
        raise exceptions.BadLocation('Credentials are not well-formatted.')
    pair = '%s:%s' % (urllib.parse.unquote(user), urllib.parse.unquote(password))
    return str(dataclasses.replace(parts, userinfo=None)), 'Basic ' + base64.b64encode(pair.encode()).decode('ascii')


@contextlib.contextmanager
def _store_errors() -> Iterator[None]:
    """Turn what a request may raise into the errors of a store."""
    try:
        yield
    except exceptions.URIRefused as error:
        raise exceptions.BadLocation(str(error)) from error
    except exceptions.FetchFailed as error:
        if error.reason in ['http-%d' % status for status in _GONE]:
            raise exceptions.ObjectNotFound() from error
        if error.reason in ('connect', 'timeout', 'tls') or error.reason.startswith('http-5'):
            raise exceptions.StoreUnavailable() from error
        raise exceptions.BadLocation('The web server answers in a way that delivers no image (%s).' % error.reason) from error
