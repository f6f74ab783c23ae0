"""HTTP requests to addresses that users choose: each hop judged first, and made to the very address that passed.

The environment counts for nothing here: no proxy variables, no ``.netrc``, no certificates but those that were named.
"""
import contextlib
import logging
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self

import urllib3
from urllib3 import exceptions as errors

from glance import exceptions
from glance.outbound import heads
from glance.outbound.uri_filter import Target, URIFilter, masked

LOG = logging.getLogger(__name__)

CONNECT_SECONDS = 10.0
IDLE_SECONDS = 60.0
MAX_REDIRECTS = 5
# A peer that delivers less than this, measured over a while, holds a thread and means no good.
SLOW_BYTES_PER_SECOND = 1024
SLOW_SECONDS = 120.0
# And however fast it is, an answer does not go on for ever.
LONGEST_SECONDS = 24 * 3600.0

_REDIRECTS = (301, 302, 303, 307, 308)
# What must not be told to another origin.
_CREDENTIALS = frozenset(('authorization', 'cookie', 'x-auth-token', 'x-service-token'))
# Connections that are kept for the next request: to how many origins, and how many to each.
_ORIGINS, _PER_ORIGIN = 16, 8


class Response:
    """The head of an answer, and its body to be read; closed by who asked for it.

    ``status`` is never one of a redirect. ``target`` is who answered.
    """

    def __init__(self, raw: urllib3.BaseHTTPResponse, target: Target):
        self.status, self.headers, self.target = raw.status, raw.headers, target
        self._raw = raw
        self._begun = self._since = time.monotonic()
        self._bytes = 0

    @property
    def content_length(self) -> int | None:
        """The number of bytes in the body, or None when the server does not tell."""
        text = self.headers.get('Content-Length', '')
        return int(text) if text.isascii() and text.isdigit() else None

    def readinto(self, buffer: memoryview) -> int:
        """Fill the buffer from the body; return the number of bytes, 0 at its end. Raises FetchFailed."""
        with _told_as_failure(self.target):
            data = self._raw.read(len(buffer))
        buffer[:len(data)] = data
        self._check_pace(len(data))
        return len(data)

    def close(self) -> None:
        """Give the connection back when the body was read to its end, else close it; safe to call twice."""
        self._raw.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _check_pace(self, count: int) -> None:
        self._bytes += count
        now = time.monotonic()
        if now - self._begun > LONGEST_SECONDS:
            raise exceptions.FetchFailed('timeout')
        elapsed = now - self._since
        if elapsed >= SLOW_SECONDS:
            if self._bytes < elapsed * SLOW_BYTES_PER_SECOND:
                raise exceptions.FetchFailed('timeout')
            self._since, self._bytes = time.monotonic(), 0


class Fetcher:
    """Makes requests; used by many threads at once.

    :param uri_filter: asked before every hop
    :param ca_file: certificates to trust instead of those of the system
    :param verify: whether certificates are checked at all
    :param proxies: proxy by scheme; the proxy gets the address that passed, not the name
    """

    def __init__(self, uri_filter: URIFilter, *, ca_file: str | None = None, verify: bool = True,
                 proxies: Mapping[str, str] | None = None):
        self._filter = uri_filter
        options: dict[str, Any] = {
            'num_pools': _ORIGINS, 'maxsize': _PER_ORIGIN, 'retries': False, 'ca_certs': ca_file,
            'cert_reqs': 'CERT_REQUIRED' if verify or ca_file else 'CERT_NONE',
            'timeout': urllib3.Timeout(connect=CONNECT_SECONDS, read=IDLE_SECONDS)}
        self._direct = urllib3.PoolManager(**options)
        self._proxies = {scheme.lower(): urllib3.ProxyManager(url if '://' in url else 'http://' + url, **options)
                         for scheme, url in (proxies or {}).items()}
        for manager in self._managers():
            heads.limit(manager)

    def request(self, method: str, uri: str, headers: Mapping[str, str] | None = None) -> Response:
        """Ask for the URI and follow up to five redirects.

        Raises URIRefused for any hop that does not pass, FetchFailed when nobody answers or the answer is no use.
        """
        target = self._filter.check(uri)
        headers = {'Accept-Encoding': 'identity', 'User-Agent': 'glance', **(headers or {})}
        for _ in range(MAX_REDIRECTS + 1):
            response = self._send(method, target, headers)
            if response.status not in _REDIRECTS:
                return _checked(response)
            response.close()
            following = self._following(target, response.headers.get('Location'))
            if following.origin != target.origin:
                headers = {name: value for name, value in headers.items() if name.lower() not in _CREDENTIALS}
            target = following
        raise exceptions.FetchFailed('redirect')

    def close(self) -> None:
        """Close the connections that are kept."""
        for manager in self._managers():
            manager.clear()

    def _managers(self) -> tuple[urllib3.PoolManager, ...]:
        return self._direct, *self._proxies.values()

    def _following(self, target: Target, location: str | None) -> Target:
        try:
            uri = urllib.parse.urldefrag(urllib.parse.urljoin(str(target), location or '')).url
        except ValueError:
            raise exceptions.FetchFailed('redirect') from None
        if not location or target.scheme == 'https' and not uri.lower().startswith('https:'):
            LOG.info('%s redirects to nowhere, or away from TLS.', masked(str(target)))
            raise exceptions.FetchFailed('redirect')
        return self._filter.check(uri)

    def _send(self, method: str, target: Target, headers: Mapping[str, str]) -> Response:
        """Try the addresses one after the other until one of them accepts a connection."""
        for address in target.addresses[:-1]:
            with contextlib.suppress(exceptions.FetchFailed):
                return self._send_to(address, method, target, headers)
        return self._send_to(target.addresses[-1], method, target, headers)

    def _send_to(self, address: str, method: str, target: Target, headers: Mapping[str, str]) -> Response:
        manager = self._proxies.get(target.scheme, self._direct)
        names = {'server_hostname': target.host, 'assert_hostname': target.host} if target.scheme == 'https' else {}
        pool = manager.connection_from_host(address, target.port, target.scheme, names)
        url = target.path
        if manager is not self._direct and target.scheme == 'http':
            url = 'http://%s:%d%s' % ('[%s]' % address if ':' in address else address, target.port, target.path)
        with _told_as_failure(target):
            raw = pool.urlopen(method, url, headers={**headers, 'Host': target.authority}, redirect=False, retries=False,
                               preload_content=False, decode_content=False, assert_same_host=False)
        return Response(raw, target)


def _checked(response: Response) -> Response:
    """Return the response unless its body is encoded, which we did not ask for and will not undo."""
    if response.headers.get('Content-Encoding', 'identity').strip().lower() not in ('', 'identity'):
        response.close()
        raise exceptions.FetchFailed('encoding')
    return response


@contextlib.contextmanager
def _told_as_failure(target: Target) -> Iterator[None]:
    try:
        yield
    except (errors.HTTPError, OSError, ValueError) as error:
        LOG.warning('%s cannot be fetched: %s', masked(str(target)), error)
        raise exceptions.FetchFailed(_class_of(error)) from error


def _class_of(error: Exception) -> str:
    if isinstance(error, errors.SSLError):
        return 'tls'
    if isinstance(error, errors.TimeoutError):
        return 'timeout'
    if any(isinstance(cause, heads.HeadTooLarge) for cause in error.args):
        return 'too-large'
    return 'connect'
