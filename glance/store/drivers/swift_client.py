"""How an account of a Swift cluster is reached, and what its answers mean."""
import contextlib
import functools
import http.client
import http.cookiejar
import logging
import socket
import ssl
import urllib.parse
from collections.abc import Callable, Collection, Iterator
from typing import Any, NoReturn

import requests
from keystoneauth1 import exceptions as auth_errors
from keystoneauth1.session import Session
from requests.adapters import HTTPAdapter

from glance import exceptions
from glance.store.drivers.request_body import RequestBody

LOG = logging.getLogger(__name__)

_CONNECTIONS = 64
_PAGE = 10_000
_PERMISSION_SECONDS = 5
_FULL = (413, 507)
_EXISTS = (409, 412)


class Transport:
    """Connections to clusters and identity services, shared by all accounts of a store and by all threads.

    :param options: the options of the store as attributes
    """

    def __init__(self, options):
        self.connect_timeout, self.idle_timeout = options.store_connect_timeout, options.store_idle_timeout
        self.verify = False if options.swift_store_auth_insecure else options.swift_store_cacert or True
        self._http = requests.Session()
        # Neither proxies, certificates nor netrc of the environment count, nor do cookies pass from one user to another.
        self._http.trust_env = False
        self._http.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ('http://', 'https://'):
            self._http.mount(scheme, _Adapter((self.connect_timeout, self.idle_timeout)))

    def session(self, plugin: Any) -> Session:
        """A session of the identity that the plugin of keystoneauth stands for."""
        return Session(auth=plugin, session=self._http, verify=self.verify, user_agent='glance')

    def connection(self, url: str) -> http.client.HTTPConnection:
        """A connection of its own to the host of the URL. Raises OSError."""
        parts = urllib.parse.urlsplit(url)
        host = parts.hostname or ''
        connection: http.client.HTTPConnection
        if parts.scheme == 'https':
            connection = http.client.HTTPSConnection(host, parts.port, timeout=self.connect_timeout, context=self._tls)
        else:
            connection = http.client.HTTPConnection(host, parts.port, timeout=self.connect_timeout)
        connection.connect()
        connection.sock.settimeout(self.idle_timeout)
        return connection

    def close(self) -> None:
        self._http.close()

    @functools.cached_property
    def _tls(self) -> ssl.SSLContext:
        if self.verify is False:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            return context
        bundle = requests.certs.where() if self.verify is True else self.verify
        return ssl.create_default_context(cafile=bundle)


class _Adapter(HTTPAdapter):
    """Connections with time limits, whoever sends."""

    def __init__(self, timeout: tuple[int, int]):
        super().__init__(pool_maxsize=_CONNECTIONS)
        self._timeout = timeout

    def send(self, *arguments: Any, **keywords: Any) -> requests.Response:
        return super().send(*arguments, **{**keywords, 'timeout': self._timeout})


class Account:
    """A Swift account, as one identity may use it. Any number of threads may.

    :param find_url: returns the URL of the account, asking the identity service; called when it is first needed
    :param title: the store, for the log
    :param release: called when an account that was made for one upload is not needed any more
    """

    def __init__(self, transport: Transport, session: Session, find_url: Callable[[Session], str | None], title: str,
                 release: Callable[[], None] = lambda: None):
        self.session, self.title, self.release = session, title, release
        self._transport, self._find_url = transport, find_url
        self._containers: set[str] = set()

    @functools.cached_property
    def url(self) -> str:
        """The URL of the account. Raises StoreUnavailable when nobody knows it."""
        with errors(self.title):
            url = self._find_url(self.session)
        if not url:
            LOG.error('%s: the catalogue has no endpoint of Swift; see swift_store_service_type, swift_store_endpoint_type '
                      'and swift_store_region, or set swift_store_endpoint.', self.title)
            raise exceptions.StoreUnavailable()
        return url.rstrip('/')

    @functools.cached_property
    def abilities(self) -> dict[str, Any]:
        """What the cluster says of itself; empty where it says nothing."""
        parts = urllib.parse.urlsplit(self.url)
        with errors(self.title):
            answer = self.session.get('%s://%s/info' % (parts.scheme, parts.netloc), authenticated=False, raise_exc=False,
                                       log=False)
        try:
            return answer.json() if answer.status_code == 200 else {}
        except ValueError:
            return {}

    def request(self, method: str, container: str, name: str = '', *, expected: Collection[int] = (),
                denied: type[exceptions.StoreError] = exceptions.StoreForbidden, headers: dict[str, str] | None = None,
                **arguments: Any) -> requests.Response:
        """Send a request and return the answer; a token that is not valid any more is renewed once.

        :param name: of the object; without one it is about the container, without that about the account
        :param expected: statuses from 400 that are no error
        :param denied: what to raise where Swift forbids it
        :param arguments: of ``requests``: params, data, stream
        :raises StoreError: the one that fits the status
        """
        with errors(self.title):
            answer = self.session.request(
                self.url + path_of(container, name), method, headers={'Accept-Encoding': 'identity', **(headers or {})},
                raise_exc=False, redirect=False, log=False, **arguments)
        if answer.status_code < 300 or answer.status_code in expected:
            return answer
        answer.close()
        raise_for(self.title, method, answer.status_code, denied)

    def put_stream(self, container: str, name: str, length: int | None, headers: dict[str, str]) -> 'StreamedPut':
        """Begin an object whose bytes are not there yet; a token that is not valid any more is renewed once.

        :param length: bytes it will have; None when not known
        :raises StoreError: the one that fits the status with which Swift refuses it
        """
        path = urllib.parse.urlsplit(self.url).path + path_of(container, name)
        put = self._begin_put(path, length, headers)
        if put.refusal == 401 and self.session.invalidate():
            put.close()
            put = self._begin_put(path, length, headers)
        if put.refusal is not None:
            put.close()
            raise_for(self.title, 'PUT', put.refusal, exceptions.StoreWriteDenied)
        return put

    def _begin_put(self, path: str, length: int | None, headers: dict[str, str]) -> 'StreamedPut':
        with errors(self.title):
            token = self.session.get_auth_headers() or {}
            connection = self._transport.connection(self.url)
            try:
                return StreamedPut(connection, path, length, {**token, **headers}, self.title)
            except BaseException:
                connection.close()
                raise

    def ensure_container(self, container: str, create: bool) -> None:
        """See to it that a container exists. Raises StoreUnavailable when it does not and may not be made."""
        if container in self._containers:
            return
        if self.request('HEAD', container, expected=(404,), denied=exceptions.StoreWriteDenied).status_code == 404:
            if not create:
                LOG.error('%s: the container %s does not exist; make it, or set swift_store_create_container_on_put.',
                          self.title, container)
                raise exceptions.StoreUnavailable()
            self.request('PUT', container, denied=exceptions.StoreWriteDenied)
        self._containers.add(container)

    def list(self, container: str, prefix: str = '') -> Iterator[dict[str, Any]]:
        """The objects of a container, or, when that is empty, the containers, whose names begin like this."""
        marker = ''
        while True:
            answer = self.request('GET', container, expected=(404,), params={
                'format': 'json', 'limit': _PAGE, 'prefix': prefix, 'marker': marker})
            page = answer.json() if answer.status_code == 200 else []
            yield from page
            if not page:
                return
            marker = page[-1]['name']


class StreamedPut:
    """A PUT whose body is sent piece by piece. Without ``end`` Swift keeps nothing of it.

    ``refusal`` is the status with which Swift does not want the body, None when it does. Raises OSError, HTTPException.
    """

    def __init__(self, connection: http.client.HTTPConnection, path: str, length: int | None, headers: dict[str, str],
                 title: str):
        self._connection, self._title = connection, title
        self._body = RequestBody(connection, length)
        connection.putrequest('PUT', path, skip_accept_encoding=True)
        for header, value in (self._body.header, ('Expect', '100-continue'), *headers.items()):
            connection.putheader(header, value)
        connection.endheaders()
        self.refusal = _refusal(connection.sock)

    def send(self, data: memoryview) -> None:
        with self._errors():
            self._body.send(data)

    def end(self) -> None:
        """Say that there is no more; the answer need not be waited for at once."""
        with self._errors():
            self._body.end()

    def answer(self) -> http.client.HTTPMessage:
        """The headers of the answer. Raises the StoreError that fits the status."""
        try:
            with errors(self._title):
                response = self._connection.getresponse()
                response.read()
        finally:
            self.close()
        if response.status >= 300:
            raise_for(self._title, 'PUT', response.status, exceptions.StoreWriteDenied)
        return response.headers

    def close(self) -> None:
        self._connection.close()

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """A server that refuses the data answers, and closes the connection, while it is still being sent."""
        try:
            yield
        except OSError as error:
            if not isinstance(error, TimeoutError):
                self.answer()
            LOG.error('%s took no more data: %s', self._title, type(error).__name__)
            raise exceptions.StoreUnavailable() from error


def _refusal(connection: socket.socket) -> int | None:
    """The status of an answer that came instead of "100 Continue"; None with that, or when there is none soon."""
    timeout = connection.gettimeout()
    connection.settimeout(_PERMISSION_SECONDS)
    try:
        with connection.makefile('rb', 0) as lines:
            words = lines.readline().split(None, 2)
            if len(words) < 2 or not words[1].isdigit():
                raise http.client.BadStatusLine('')
            if words[1] != b'100':
                return int(words[1])
            while lines.readline().strip():
                pass
    except TimeoutError:
        pass    # servers need not know what they are asked for
    finally:
        connection.settimeout(timeout)
    return None


def path_of(container: str, name: str = '') -> str:
    """The path below the URL of an account."""
    path = '/' + urllib.parse.quote(container, safe='') if container else ''
    return path + '/' + urllib.parse.quote(name) if name else path


@contextlib.contextmanager
def errors(title: str) -> Iterator[None]:
    """Raise what the interface of stores promises instead of errors of the libraries, whose texts may hold secrets."""
    try:
        yield
    except (auth_errors.ClientException, requests.RequestException, http.client.HTTPException, OSError) as error:
        status = getattr(error, 'http_status', None)
        LOG.error('%s cannot be used: %s%s', title, type(error).__name__, ' (%s)' % status if status else '')
        raise exceptions.StoreUnavailable() from error


def raise_for(title: str, method: str, status: int, denied: type[exceptions.StoreError]) -> NoReturn:
    """Raise the error that a status means."""
    if status == 404:
        raise exceptions.ObjectNotFound()
    if status in _EXISTS:
        raise exceptions.ObjectExists()
    LOG.error('%s answered %s with status %d.', title, method, status)
    if status in _FULL:
        raise exceptions.StoreFull()
    if status == 403:
        raise denied()
    raise exceptions.StoreUnavailable()
