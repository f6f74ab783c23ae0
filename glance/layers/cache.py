"""The image cache of this node, consulted after everything that may refuse the caller the data."""
from collections.abc import Sequence

from glance.cache.content import Content
from glance.cache.core import Cache, OpenStore
from glance.cache.filling import EntryReader
from glance.domain.image import Image
from glance.layers.base import Images
from glance.store.base import Reader


class ConsultCache(Images):
    """Active images are read from the cache if they are there; for who asks for data that nobody is to fetch."""

    def download(self, image: Image, offset: int = 0, length: int | None = None, prefer: Sequence[str] = ()) -> Reader:
        entry = self._entry(image, offset, length, prefer) if image.status == 'active' else None
        return entry or self.inner.download(image, offset, length, prefer)

    @property
    def _cache(self) -> Cache:
        return self.env.cache

    def _entry(self, image: Image, offset: int, length: int | None, prefer: Sequence[str]) -> EntryReader | None:
        content = Content.of(image)
        end = content.size if length is None else offset + length
        return self._cache.open(content, offset, length, self._rest(image, prefer, end))

    def _rest(self, image: Image, prefer: Sequence[str], end: int) -> OpenStore:
        """What opens the data in the store, from a position to the end of what was asked for."""
        def rest(offset: int) -> Reader:
            whole = not offset and end == image.size
            return self.inner.download(image, offset, None if whole else end - offset, prefer)
        return rest


class CacheImages(ConsultCache):
    """Active images are read from the cache, and put there by the first who reads one as a whole."""

    _hit = False

    def download(self, image: Image, offset: int = 0, length: int | None = None, prefer: Sequence[str] = ()) -> Reader:
        if image.status != 'active':
            return self.inner.download(image, offset, length, prefer)
        reader: Reader | None = self._entry(image, offset, length, prefer)
        self.env.metrics.cache_lookup(reader is not None)
        if reader is None:
            if offset or length not in (None, image.size):
                return self.inner.download(image, offset, length, prefer)
            content = Content.of(image)
            reader = self._cache.through(content, self._rest(image, prefer, content.size), self._is_local(image, prefer))
        self._hit = isinstance(reader, EntryReader)
        return reader

    def end_download(self, image: Image, bytes_sent: int, length: int, destination_ip: str | None = None) -> None:
        if self._hit:
            self._cache.count_hit(image.image_id, bytes_sent)
        self.inner.end_download(image, bytes_sent, length, destination_ip)

    def remove(self, image: Image) -> None:
        self.inner.remove(image)
        self._cache.forget(image.image_id)

    def _is_local(self, image: Image, prefer: Sequence[str]) -> bool:
        first = self.env.stores.in_reading_order(image.locations, prefer)[:1]
        return bool(first) and first[0].url.startswith(('file://', 'filesystem://'))
