"""A service by v1 of the image API, where attributes travel in headers."""
import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from glance.replication.errors import ReplicationFailed
from glance.replication.http import Connection
from glance.replication.image import Image, from_v1, writable

_META, _PROPERTY = 'x-image-meta-', 'x-image-meta-property-'
_PURGE = 'x-glance-registry-purge-props'
_ATTRIBUTES = ('name', 'disk_format', 'container_format', 'min_ram', 'min_disk', 'protected', 'owner', 'size', 'checksum')
_NUMBERS = ('size', 'virtual_size', 'min_ram', 'min_disk')
_FLAGS = ('protected', 'is_public', 'deleted')
_PAGE = 100


class ServiceV1:
    """See ``Service``. What v1 does not know, such as tags, gets lost."""

    def __init__(self, connection: Connection):
        self._connection, self.address = connection, connection.address

    def images(self) -> Iterator[Image]:
        """Every image once, the oldest first."""
        marker = {}
        while True:
            query = {'is_public': 'None', 'limit': _PAGE, 'sort_key': 'created_at', 'sort_dir': 'asc', **marker}
            _, page = self._connection.get_json('/v1/images/detail?' + urlencode(query))
            if not isinstance(page, dict) or not isinstance(page.get('images'), list):
                raise ReplicationFailed('%s does not answer as an image service at /v1/images/detail.' % self.address)
            if not page['images']:
                return
            yield from map(from_v1, page['images'])
            marker = {'marker': page['images'][-1]['id']}

    def find(self, image_id: str) -> Image | None:
        """The image, or None."""
        with self._connection.send('HEAD', '/v1/images/' + image_id, accepted=(404,)) as response:
            return None if response.status == 404 else _from_headers(response.headers)

    @contextlib.contextmanager
    def open(self, image: Image, chunk_size: int, offset: int = 0) -> Iterator[tuple[int, Iterator[bytes]]]:
        """All of the data: v1 has no ranges."""
        with self._connection.send('GET', '/v1/images/' + image['id']) as response:
            yield 0, self._connection.chunks(response, chunk_size)

    def add(self, image: Image, values: Image, data: Iterable[bytes]) -> None:
        """Create the image in one request; the service compares size and checksum."""
        headers = {_META + 'id': image['id'], **_to_headers(values), **_expectations(image)}
        self._send_data('POST', '/v1/images', image, headers, data)

    def fill(self, image: Image, data: Iterable[bytes]) -> None:
        """Upload the data of an image that is queued."""
        self._send_data('PUT', '/v1/images/' + image['id'], image,
                        {**_expectations(image), _PURGE: 'false'}, data)

    def update(self, image: Image, changes: Image) -> None:
        """Record the changes. Properties that a request leaves out are removed, so it has all of them."""
        values = {**writable(image, ()), **changes}
        headers = _to_headers({name: value for name, value in values.items() if value is not None})
        with self._connection.send('PUT', '/v1/images/' + image['id'], headers={**headers, _PURGE: 'true'}):
            pass

    def _send_data(self, method: str, path: str, image: Image, headers: dict[str, str], data: Iterable[bytes]) -> None:
        headers = {**headers, 'Content-Type': 'application/octet-stream'}
        if image.get('size') is not None:
            headers['Content-Length'] = str(image['size'])
        with self._connection.send(method, path, body=data, headers=headers):
            pass


def _from_headers(headers: Mapping[str, str]) -> Image:
    image: dict[str, Any] = {'properties': {}}
    for name, value in headers.items():
        name, value = name.lower(), _recoded(value, 'latin-1', 'utf-8')
        if name.startswith(_PROPERTY):
            image['properties'][name.removeprefix(_PROPERTY)] = value
        elif name.startswith(_META):
            name = name.removeprefix(_META)
            image[name] = int(value) if name in _NUMBERS else value == 'True' if name in _FLAGS else value
    return from_v1(image)


def _to_headers(values: Image) -> dict[str, str]:
    headers = {_META + 'is_public': str(values['visibility'] == 'public')} if 'visibility' in values else {}
    for name, value in values.items():
        if name in ('tags', 'visibility', 'os_hidden', 'id'):
            continue
        prefix = _META if name in _ATTRIBUTES else _PROPERTY
        headers[prefix + name] = _recoded('' if value is None else str(value), 'utf-8', 'latin-1')
    return headers


def _expectations(image: Image) -> dict[str, str]:
    return {_META + name: str(image[name]) for name in ('size', 'checksum') if image.get(name) is not None}


def _recoded(text: str, source: str, target: str) -> str:
    """The library sends and reads headers as Latin-1; the services mean UTF-8."""
    return text.encode(source).decode(target, errors='replace')
