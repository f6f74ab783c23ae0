"""A service to copy from or to, whatever version of the API it speaks."""
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from glance.replication.address import Address
from glance.replication.errors import ReplicationFailed
from glance.replication.http import Connection
from glance.replication.image import Image


class Service(Protocol):
    """The images of a service, as far as the token lets us see them."""

    address: Address

    def images(self) -> Iterator[Image]:
        """Every image once, in any status, hidden ones as well."""

    def find(self, image_id: str) -> Image | None:
        """The image, or None."""

    def open(self, image: Image, chunk_size: int, offset: int = 0) -> AbstractContextManager[tuple[int, Iterator[bytes]]]:
        """The data from ``offset`` on, or from a smaller one where the service cannot do that; and which one it is."""

    def add(self, image: Image, values: Image, data: Iterable[bytes]) -> None:
        """Create an image with this id, ``values`` and data; ``image`` is the one that it is a copy of.

        When it fails halfway an image without data is left, which ``fill`` takes: deleting it would make its id unusable.
        Whether all values were recorded has to be looked up. Raises Taken for an id in use.
        """

    def fill(self, image: Image, data: Iterable[bytes]) -> None:
        """Give an image that has none its data."""

    def update(self, image: Image, changes: Image) -> None:
        """Change the record of an image, which is given as it is now; a property that becomes None is removed."""


def connect(connection: Connection) -> Service:
    """Return the service that answers there, in the newest version of the API that it offers.

    :raises ReplicationFailed: nobody answers, or no image service does
    """
    from glance.replication.v1 import ServiceV1
    from glance.replication.v2 import ServiceV2
    _, document = connection.get_json('/versions')
    if document is None:
        _, document = connection.get_json('/')
    try:
        offered = {entry['id'].partition('.')[0] for entry in document['versions']}
    except (TypeError, KeyError, AttributeError):
        raise ReplicationFailed('%s does not list versions of the image API; is it an image service?'
                                % connection.address) from None
    if 'v2' in offered:
        return ServiceV2(connection)
    if 'v1' in offered:
        return ServiceV1(connection)
    raise ReplicationFailed('%s offers neither v2 nor v1 of the image API.' % connection.address)
