"""Files of datastores over HTTPS: the folder of a server, in which they are written, read and measured.

Only the configured host is ever asked, also where it redirects. Requests carry the cookie of the session of the API.
"""
import contextlib
import http.client
import logging
import re
import socket
import ssl
import urllib.parse
from typing import NamedTuple, NoReturn

import urllib3

from glance import exceptions
from glance.store.base import Reader
from glance.store.drivers.request_body import RequestBody
from glance.store.drivers.vmware_soap import VimClient

LOG = logging.getLogger(__name__)

HTTPS = 443
_REDIRECTS = 5
_RESUMPTIONS = 3
_SKIPPED_BYTES = 64 * 1024 * 1024
"""How far into a file a server may be read that does not know parts of files."""
_MOVED = (301, 302, 303, 307, 308)
_CONTENT_RANGE = re.compile(r'bytes ([0-9]+)-([0-9]+)/([0-9]+|\*)')
_HOST = re.compile(r'\[(?P<bracketed>[0-9A-Fa-f:.]+)\](?::(?P<port6>[0-9]{1,5}))?|'
                   r'(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)(?::(?P<port>[0-9]{1,5}))?|'
                   r'(?P<bare>[0-9A-Fa-f]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)')


class Address(NamedTuple):
    """Host and port of a server; the text of it is how URLs name it."""

    host: str
    port: int

    def __str__(self) -> str:
        host = '[%s]' % self.host if ':' in self.host else self.host
        return host if self.port == HTTPS else '%s:%d' % (host, self.port)


def address(text: str) -> Address | None:
    """The address of a server, written with or without a port, IPv6 with or without brackets; None for others."""
    found = _HOST.fullmatch(text)
    if not found:
        return None
    port = int(found['port6'] or found['port'] or HTTPS)
    return Address((found['bracketed'] or found['name'] or found['bare']).lower(), port) if 0 < port < 65536 else None


class FileServer:
    """The files of one server.

    :param context: whose certificates are trusted
    :param timeouts: seconds for connecting, and for each time that nothing comes or goes
    """

    def __init__(self, server: Address, context: ssl.SSLContext, timeouts: tuple[float, float],
                 pool: urllib3.HTTPSConnectionPool, session: VimClient):
        self._server, self._context, self._timeouts = server, context, timeouts
        self._pool, self._session = pool, session

    def get(self, target: str, headers: dict[str, str] | None = None) -> urllib3.BaseHTTPResponse:
        """Ask for a file or a part of it. Raises ObjectNotFound, StoreForbidden, StoreUnavailable, StoreError."""
        return self._request('GET', target, headers or {})

    def size(self, target: str) -> int:
        """The bytes of a file. Raises as ``get``."""
        response = self._request('HEAD', target, {})
        response.release_conn()
        length = response.headers.get('Content-Length', '')
        if not length.isdigit():
            raise exceptions.StoreError('The store does not tell the size of the data.')
        return int(length)

    def exists(self, target: str) -> bool:
        """Whether there is such a file. Raises StoreForbidden, StoreUnavailable, StoreError."""
        try:
            self._request('HEAD', target, {}).release_conn()
        except exceptions.ObjectNotFound:
            return False
        return True

    def upload(self, target: str, size: int | None) -> 'Upload':
        """Begin to write a file of ``size`` bytes, None when not known. Raises StoreUnavailable."""
        connect, idle = self._timeouts
        connection = http.client.HTTPSConnection(self._server.host, self._server.port, timeout=connect,
                                                 context=self._context)
        return Upload(connection, target, self._session, size, idle)

    def _request(self, method: str, target: str, headers: dict[str, str]) -> urllib3.BaseHTTPResponse:
        redirects = renewals = 0
        while True:
            cookie = self._session.cookie
            try:
                response = self._pool.urlopen(method, target, headers={**headers, 'Cookie': cookie}, redirect=False,
                                              retries=False, preload_content=False)
            except urllib3.exceptions.HTTPError as error:
                LOG.error('The server of virtual machines cannot be reached: %s', type(error).__name__)
                raise exceptions.StoreUnavailable() from error
            if response.status in (200, 206):
                return response
            response.close()
            if response.status in _MOVED and redirects < _REDIRECTS:
                redirects += 1
                target = self._moved_to(target, response.headers.get('Location', ''))
            elif response.status == 401 and renewals + 1 < self._session.attempts:
                renewals += 1
                self._session.renew(cookie)
            else:
                _refused(method, response.status)

    def _moved_to(self, target: str, url: str) -> str:
        """Where a redirection leads on the same server. Raises StoreError when it leads to another."""
        base = 'https://' + str(self._server)
        parts = urllib.parse.urlsplit(urllib.parse.urljoin(base + target, url))
        if parts.scheme != 'https' or address(parts.netloc) != self._server:
            LOG.error('The server of virtual machines redirects to another one, which is not asked')
            raise exceptions.StoreError()
        return urllib.parse.urlunsplit(('', '', parts.path or '/', parts.query, ''))


class Upload:
    """A file being written."""

    def __init__(self, connection: http.client.HTTPSConnection, target: str, session: VimClient, size: int | None,
                 idle: float):
        self._connection, self._session, self._cookie = connection, session, session.cookie
        self._body = RequestBody(connection, size)
        with self._errors():
            connection.connect()
            connection.sock.settimeout(idle)
            connection.putrequest('PUT', target, skip_accept_encoding=True)
            connection.putheader('Content-Type', 'application/octet-stream')
            connection.putheader('Cookie', self._cookie)
            connection.putheader(*self._body.header)
            connection.endheaders()

    def send(self, data: memoryview | bytes) -> None:
        """Append bytes. Raises as ``finish``, when the server refuses the rest."""
        with self._errors():
            self._body.send(data)

    def finish(self) -> None:
        """End the file.

        :raises ObjectExists, StoreFull, StoreWriteDenied, StoreUnavailable: as the server answers
        """
        with self._errors():
            self._body.end()
            status = self._connection.getresponse().status
        self._connection.close()
        self._check(status)

    def break_off(self) -> None:
        """End the connection, and wait until the server noticed that; safe to call twice, and after ``finish``."""
        with contextlib.suppress(OSError, AttributeError):
            self._connection.sock.shutdown(socket.SHUT_WR)
            self._connection.sock.settimeout(10)
            while self._connection.sock.recv(65536):
                pass
        self._connection.close()

    @contextlib.contextmanager
    def _errors(self):
        try:
            yield
        except (OSError, http.client.HTTPException) as error:
            # Servers that do not want the rest answer before they close.
            with contextlib.suppress(OSError, http.client.HTTPException, AttributeError):
                self._connection.sock.settimeout(1)
                self._check(self._connection.getresponse().status)
            LOG.error('An upload to the server of virtual machines broke off: %s', type(error).__name__)
            raise exceptions.StoreUnavailable() from error

    def _check(self, status: int) -> None:
        if status in (200, 201, 204):
            return
        if status == 401:
            self._session.renew(self._cookie)   # the next try shall find a good session
        if status == 409:
            raise exceptions.ObjectExists()
        LOG.error('The server of virtual machines answered %d to an upload', status)
        if status in (413, 507):
            raise exceptions.StoreFull()
        raise exceptions.StoreWriteDenied() if status == 403 else exceptions.StoreUnavailable()


class FileReader(Reader):
    """A ``store.base.Reader`` of a file; when its answer breaks off, the rest is asked for again."""

    def __init__(self, files: FileServer, target: str, offset: int, length: int, total: int):
        self.offset, self.length = offset, length
        self._files, self._target, self._total = files, target, total
        self._delivered = self._resumptions = 0
        self._response: urllib3.BaseHTTPResponse | None = None
        if length:
            self._ask()

    def readinto(self, buffer: memoryview) -> int:
        wanted = min(len(buffer), self.length - self._delivered)
        while wanted:
            try:
                content = self._response.read(wanted)
                error = None
            except urllib3.exceptions.HTTPError as broken:
                content, error = b'', broken
            if content:
                buffer[:len(content)] = content
                self._delivered += len(content)
                return len(content)
            self._resumptions += 1
            if self._resumptions > _RESUMPTIONS:
                raise exceptions.StoreUnavailable() from error
            LOG.warning('The data of %s broke off after %d of %d bytes; the rest is asked for again.', self._target,
                        self._delivered, self.length)
            self.close()
            self._ask()
        return 0

    def close(self) -> None:
        response, self._response = self._response, None
        if response is not None:
            response.close()

    def _ask(self) -> None:
        """Ask for what is still wanted, or skip to it. Raises StoreError when something else comes."""
        first, last = self.offset + self._delivered, self.offset + self.length - 1
        whole = first == 0 and last == self._total - 1
        response = self._files.get(self._target, {} if whole else {'Range': 'bytes=%d-%d' % (first, last)})
        try:
            if response.status == 206:
                found = _CONTENT_RANGE.fullmatch(response.headers.get('Content-Range', ''))
                if not found or (int(found[1]), int(found[2])) != (first, last) \
                        or found[3] not in ('*', str(self._total)):
                    raise exceptions.StoreError('The store sent another part of the data than it was asked for.')
            elif response.headers.get('Content-Length', str(self._total)) != str(self._total):
                raise exceptions.StoreError('The data changed while it was read.')
            else:
                _skip(response, first)
        except BaseException:
            response.close()
            raise
        self._response = response


def _skip(response: urllib3.BaseHTTPResponse, count: int) -> None:
    """Read and drop the beginning of an answer."""
    if count > _SKIPPED_BYTES:
        raise exceptions.RangeNotSupported()
    while count:
        try:
            dropped = len(response.read(min(count, 1024 * 1024)))
        except urllib3.exceptions.HTTPError as error:
            raise exceptions.StoreUnavailable() from error
        if not dropped:
            raise exceptions.StoreUnavailable()
        count -= dropped


def _refused(method: str, status: int) -> NoReturn:
    """Raise what an answer without data means."""
    if status == 404:
        raise exceptions.ObjectNotFound()
    LOG.error('The server of virtual machines answered %d to %s', status, method)
    if status == 403:
        raise exceptions.StoreForbidden()
    raise exceptions.StoreUnavailable() if status in (401, 408, 429) or status >= 500 else exceptions.StoreError()
