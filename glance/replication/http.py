"""Requests to one service. The token goes to that service and nowhere else: redirects are not followed."""
import contextlib
import json
import logging
import os
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import urllib3
from urllib3 import exceptions as errors

from glance.exceptions import GlanceError
from glance.replication.address import Address
from glance.replication.errors import ImageFailed, ReplicationFailed, Taken

LOG = logging.getLogger(__name__)

CONNECT_SECONDS = 10.0
# A service that was given the last byte of an image may take its time to store it.
IDLE_SECONDS = 300.0
MAX_JSON_BYTES = 64 << 20
_MAX_ERROR_BYTES = 2048
# With these a service says that it will not do the next thing either.
_HOPELESS = frozenset((400, 401, 403, 500, 502, 503, 504))

# How errors of urllib3 begin: with the connection that they are about.
_CONNECTION = re.compile(r'\A(<[^>]*>|\w+\(host=[^)]*\)): ')

Headers = Mapping[str, str]


class Connection:
    """A service at an address, for one thread.

    :param token: sent with every request; empty sends none
    :param verify: whether the certificate of an https server is checked
    :param ca_file: certificates to check it against instead of those of the system
    """

    def __init__(self, address: Address, token: str = '', verify: bool = True, ca_file: str | None = None):
        self.address = address
        if not token.isascii() or not token.isprintable():
            raise ReplicationFailed('The token for %s holds characters that no token has.' % address)
        self._headers = {'User-Agent': 'glance-replicator', 'Accept-Encoding': 'identity',
                         **({'X-Auth-Token': token} if token else {})}
        options: dict[str, Any] = {'timeout': urllib3.Timeout(connect=CONNECT_SECONDS, read=IDLE_SECONDS), 'retries': False,
                                   'maxsize': 2}
        if address.scheme == 'http':
            self._pool = urllib3.HTTPConnectionPool(address.host, address.port, **options)
            return
        if not verify:
            LOG.warning('The certificate of %s is not checked; whoever is in between can read the token.', address)
            warnings.simplefilter('ignore', errors.InsecureRequestWarning)
        if ca_file is not None and not os.access(ca_file, os.R_OK):
            raise ReplicationFailed('The file of certificates %s cannot be read.' % ca_file)
        self._pool = urllib3.HTTPSConnectionPool(
            address.host, address.port, ca_certs=ca_file, cert_reqs='CERT_REQUIRED' if verify else 'CERT_NONE', **options)

    def get_json(self, path: str) -> tuple[int, Any]:
        """Ask for a document; return the status and, for 200 and 300, the content. Raises as ``send`` does."""
        with self.send('GET', path, accepted=(200, 300, 404)) as response:
            content = self._read(response)
        if response.status == 404:
            return 404, None
        try:
            return response.status, json.loads(content)
        except ValueError:
            raise ReplicationFailed('%s answered GET %s with something that is not JSON; is it an image service?'
                                    % (self.address, path)) from None

    def send_json(self, method: str, path: str, content: Any, media_type: str = 'application/json') -> None:
        """Send a document; success is any 2xx. Raises as ``send`` does."""
        with self.send(method, path, json.dumps(content).encode(), {'Content-Type': media_type}) as response:
            self._read(response)

    @contextlib.contextmanager
    def send(self, method: str, path: str, body: bytes | Iterable[bytes] | None = None, headers: Headers | None = None,
             accepted: Iterable[int] = ()) -> Iterator[urllib3.BaseHTTPResponse]:
        """Send a request and hand out the response, its body unread. Statuses below 300 are fine, and those accepted.

        :raises ReplicationFailed: the service cannot be reached, redirects, or says that it will not work with us
        :raises ImageFailed: any other status
        """
        response = None
        try:
            with self._told(method, path):
                response = self._pool.urlopen(
                    method, self.address.path + path, body=body, headers={**self._headers, **(headers or {})}, redirect=False,
                    preload_content=False, decode_content=False, assert_same_host=False)
                if response.status >= 300 and response.status not in accepted:
                    self._refuse(method, path, response)
            yield response
        finally:
            if response is not None:
                if response.length_remaining == 0:
                    response.release_conn()
                else:               # it would have to be read to its end before the connection can be used again
                    response.close()

    def chunks(self, response: urllib3.BaseHTTPResponse, size: int) -> Iterator[bytes]:
        """The body in pieces of ``size`` bytes. Raises ImageFailed when it ends too early."""
        while True:
            try:
                chunk = response.read(size)
            except (errors.HTTPError, OSError) as error:
                raise ImageFailed('%s broke off the data: %s. Run the command again to go on.'
                                  % (self.address, _reason(error))) from error
            if not chunk:
                return
            yield chunk

    def _read(self, response: urllib3.BaseHTTPResponse) -> bytes:
        content = b''.join(self.chunks(response, MAX_JSON_BYTES + 1))
        if len(content) > MAX_JSON_BYTES:
            raise ReplicationFailed('%s answers with more than %d MiB.' % (self.address, MAX_JSON_BYTES >> 20))
        return content

    @contextlib.contextmanager
    def _told(self, method: str, path: str) -> Iterator[None]:
        """Turn errors of the library into ours; those of a body that is being sent are ours already."""
        try:
            yield
        except GlanceError:
            raise
        except errors.SSLError as error:
            raise ReplicationFailed('%s cannot be trusted: %s. Name its certificate authority with --os-cacert.'
                                    % (self.address, _reason(error))) from error
        except (errors.HTTPError, OSError) as error:
            raise ReplicationFailed('%s cannot be reached: %s' % (self.address, _reason(error))) from error
        except ValueError as error:     # of http.client: what cannot be sent as a header
            raise ImageFailed('%s %s cannot be sent: %s' % (method, path.partition('?')[0], error)) from error

    def _refuse(self, method: str, path: str, response: urllib3.BaseHTTPResponse) -> None:
        what = '%s: %s %s' % (self.address, method, path.partition('?')[0])
        if response.status < 400:
            raise ReplicationFailed('%s is redirected to %s. The token is not sent elsewhere: if that is the right address, '
                                    'give it in the command.' % (what, response.headers.get('Location')))
        text = ' '.join(response.read(_MAX_ERROR_BYTES).decode(errors='replace').split())
        error = '%s was answered %d %s' % (what, response.status, text)
        if response.status == 401:
            error += ' (is the token still valid?)'
        raise (ReplicationFailed if response.status in _HOPELESS else Taken if response.status == 409 else ImageFailed)(error)


def _reason(error: Exception) -> str:
    """The innermost of the errors that wrap each other, in one line."""
    cause = getattr(error, 'reason', None)
    text = _reason(cause) if isinstance(cause, Exception) else ' '.join(str(error).split())
    return _CONNECTION.sub('', text)
