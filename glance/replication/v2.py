"""A service by v2 of the image API."""
import contextlib
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlencode, urlsplit

from glance.domain.properties import BASE_ATTRIBUTES
from glance.replication.errors import ImageFailed, ReplicationFailed
from glance.replication.http import Connection
from glance.replication.image import Image

_OCTETS = 'application/octet-stream'
_PATCH = 'application/openstack-images-v2.1-json-patch'
_PAGE = 100
# Until the data is known to be right its owner can delete the image, and others do not see it.
_UNTIL_DATA_IS_THERE: dict[str, Any] = {'protected': False, 'visibility': 'private'}


class ServiceV2:
    """See ``Service``."""

    def __init__(self, connection: Connection):
        self._connection, self.address = connection, connection.address

    def images(self) -> Iterator[Image]:
        """Every image once, the oldest first, then the hidden ones."""
        for hidden in ('false', 'true'):
            query = {'limit': _PAGE, 'sort': 'created_at:asc', 'visibility': 'all', 'os_hidden': hidden}
            path: str | None = '/v2/images?' + urlencode(query)
            while path:
                page = self._document(path)
                yield from page['images']
                path = self._path_of(page.get('next'))

    def find(self, image_id: str) -> Image | None:
        """The image, or None."""
        return self._connection.get_json('/v2/images/' + image_id)[1]

    @contextlib.contextmanager
    def open(self, image: Image, chunk_size: int, offset: int = 0) -> Iterator[tuple[int, Iterator[bytes]]]:
        """The data from ``offset`` on, provided that it is still the data of this record."""
        headers = {}
        if offset and image.get('os_hash_value'):
            headers = {'Range': 'bytes=%d-' % offset, 'If-Range': '"%s"' % image['os_hash_value']}
        with self._connection.send('GET', '/v2/images/%s/file' % image['id'], headers=headers) as response:
            yield (offset if response.status == 206 else 0), self._connection.chunks(response, chunk_size)

    def add(self, image: Image, values: Image, data: Iterable[bytes]) -> None:
        """Create the record, and give it the data."""
        early = {**values, **{name: value for name, value in _UNTIL_DATA_IS_THERE.items() if name in values}}
        self._connection.send_json('POST', '/v2/images', {'id': image['id'], **early})
        self.fill(image, data)

    def fill(self, image: Image, data: Iterable[bytes]) -> None:
        """Upload the data, and compare the hash that the service has computed with that of the record."""
        headers = {'Content-Type': _OCTETS}
        if image.get('size') is not None:
            headers['Content-Length'] = str(image['size'])
        with self._connection.send('PUT', '/v2/images/%s/file' % image['id'], body=data, headers=headers):
            pass
        stored = self.find(image['id']) or {}
        if stored.get('size') != image.get('size', stored.get('size')) or _hash_differs(image, stored):
            raise ImageFailed('%s has stored other data of image %s than it was sent.' % (self.address, image['id']))

    def update(self, image: Image, changes: Image) -> None:
        """Patch the record."""
        operations = []
        for name, value in changes.items():
            operation = {'op': 'replace' if name in image else 'add', 'path': '/' + _escaped(name), 'value': value}
            if value is None and name not in BASE_ATTRIBUTES:
                operation = {'op': 'remove', 'path': operation['path']}
            operations.append(operation)
        self._connection.send_json('PATCH', '/v2/images/' + image['id'], operations, _PATCH)

    def _document(self, path: str) -> Any:
        status, page = self._connection.get_json(path)
        if status == 404 or not isinstance(page, dict) or not isinstance(page.get('images'), list):
            raise ReplicationFailed('%s does not answer as an image service at /v2/images.' % self.address)
        return page

    def _path_of(self, link: str | None) -> str | None:
        """The path that a link to the next page has at this service, wherever the link points."""
        if not link:
            return None
        parts = urlsplit(link)
        return parts.path.removeprefix(self.address.path) + ('?' + parts.query if parts.query else '')


def _hash_differs(image: Image, stored: Image) -> bool:
    names = ('os_hash_value',) if image.get('os_hash_algo') == stored.get('os_hash_algo') else ('checksum',)
    return any(image.get(name) and stored.get(name) and image[name] != stored[name] for name in names)


def _escaped(name: str) -> str:
    return name.replace('~', '~0').replace('/', '~1')
