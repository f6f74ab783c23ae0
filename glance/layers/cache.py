"""The image cache of this node, consulted after everything that may refuse the caller the data."""
import functools
from collections.abc import Sequence

from glance.cache.content import Content
from glance.cache.core import Cache
from glance.cache.filling import EntryReader
from glance.domain.image import Image
from glance.layers.base import Images
from glance.store.base import Reader


class CacheImages(Images):
    """Active images are read from the cache, and put there by the first who reads one as a whole."""

    _hit = False

    def download(self, image: Image, offset: int = 0, length: int | None = None, prefer: Sequence[str] = ()) -> Reader:
        if image.status != 'active':
            return self.inner.download(image, offset, length, prefer)
        content = Content.of(image)
        rest = functools.partial(self._rest, image, prefer, content.size if length is None else offset + length)
        entry = self._cache.open(content, offset, length, rest)
        self.env.metrics.cache_lookup(entry is not None)
        if entry is not None:
            return self._used(entry)
        if offset or length not in (None, image.size):
            return self.inner.download(image, offset, length, prefer)
        return self._used(self._cache.through(content, rest, self._is_local(image, prefer)))

    def end_download(self, image: Image, bytes_sent: int, length: int, destination_ip: str | None = None) -> None:
        if self._hit:
            self._cache.count_hit(image.image_id, bytes_sent)
        self.inner.end_download(image, bytes_sent, length, destination_ip)

    def remove(self, image: Image) -> None:
        self.inner.remove(image)
        self._cache.forget(image.image_id)

    @property
    def _cache(self) -> Cache:
        return self.env.cache

    def _used(self, reader: Reader) -> Reader:
        self._hit = isinstance(reader, EntryReader)
        return reader

    def _rest(self, image: Image, prefer: Sequence[str], end: int, offset: int) -> Reader:
        """Open the data in the store from a position to the end of what was asked for."""
        whole = not offset and end == image.size
        return self.inner.download(image, offset, None if whole else end - offset, prefer)

    def _is_local(self, image: Image, prefer: Sequence[str]) -> bool:
        first = self.env.stores.in_reading_order(image.locations, prefer)[:1]
        return bool(first) and first[0].url.startswith(('file://', 'filesystem://'))
