"""Fetches queued images into the cache."""
import concurrent.futures
import dataclasses
import logging
import threading
from collections.abc import Callable
from typing import Protocol

from glance import exceptions
from glance.cache.content import Content
from glance.cache.core import Cache
from glance.domain.image import Image
from glance.store.base import Reader

LOG = logging.getLogger(__name__)

LOCK = 'glance-cache'
THREADS = 4


class ReadableImages(Protocol):
    """What is needed of the images, as the service itself may use them."""

    def get(self, image_id: str) -> Image: ...

    def download(self, image: Image, offset: int = 0, length: int | None = None) -> Reader: ...


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """The ids of the images that were cached, and of those that were not."""

    cached: list[str]
    failed: list[str]


class Prefetcher:
    """Fetches images for the cache of this node.

    :param images: makes the images to read; called in the thread that reads
    :param order: the locations of an image, the one to read first coming first
    """

    def __init__(self, cache: Cache, images: Callable[[], ReadableImages], order: Callable[[list], list] = list):
        self._cache, self._images, self._order = cache, images, order

    def run(self, wait: bool = True) -> Outcome:
        """Fetch the whole queue, a few images at a time; what fails stays queued, and what is no image any more goes.

        Without ``wait`` nothing is done while another process does it. Raises CacheUnavailable.
        """
        with self._cache.layout.lock(LOCK, wait) as held:
            queued = self._cache.queued() if held else []
            if not queued:
                return Outcome([], [])
            with concurrent.futures.ThreadPoolExecutor(THREADS, 'cache-prefetch') as pool:
                results = dict(zip(queued, pool.map(lambda image_id: self._attempt(image_id, forget=True), queued),
                                   strict=True))
        outcome = Outcome([image_id for image_id in queued if results[image_id]],
                          [image_id for image_id in queued if results[image_id] is False])
        LOG.info('Fetched %d images into the cache; %d failed.', len(outcome.cached), len(outcome.failed))
        return outcome

    def fetch(self, image_id: str) -> bool:
        """Fetch one image that is queued; tell whether it is cached. Raises nothing that is expected."""
        return bool(self._attempt(image_id))

    def _attempt(self, image_id: str, forget: bool = False) -> bool | None:
        """True when cached, False when that failed, None when there is no such image (``forget`` takes it off the queue)."""
        try:
            self._fetch(image_id)
        except exceptions.ImageNotFound:
            LOG.warning('Image %s is queued for the cache and does not exist.', image_id)
            if forget:
                self._cache.dequeue(image_id)
            return None
        except exceptions.GlanceError as error:
            LOG.warning('Image %s was not fetched into the cache: %s', image_id, error)
        except Exception:
            LOG.exception('Image %s was not fetched into the cache.', image_id)
        else:
            return True
        return False

    def _fetch(self, image_id: str) -> None:
        images = self._images()
        image = images.get(image_id)
        if image.status != 'active' or not image.locations:
            raise exceptions.Conflict('It is %s, not active.' % image.status)
        places = self._order(image.locations)
        for number, location in enumerate(places, 1):
            image.locations = [location]
            try:
                self._cache.fetch(Content.of(image), lambda offset: images.download(image, offset))
            except exceptions.StoreError:
                if number == len(places):
                    raise
            else:
                break
        self._cache.dequeue(image_id)


class Keeper:
    """The thread of an API process that puts the cache right at its start and then fetches the queue now and then.

    :param interval: seconds between two looks at the queue; 0 looks only once
    """

    def __init__(self, cache: Cache, prefetcher: Prefetcher, interval: float, prepare: Callable[[], None]):
        self._cache, self._prefetcher, self._interval, self._prepare = cache, prefetcher, interval, prepare
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name='cache', daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._closed.set()

    def _run(self) -> None:
        for work in (self._prepare, self._cache.recover):
            self._attempt(work)
        while not self._closed.is_set():
            self._attempt(lambda: self._prefetcher.run(wait=False))
            if not self._interval or self._closed.wait(self._interval):
                return

    def _attempt(self, work: Callable[[], object]) -> None:
        try:
            work()
        except exceptions.GlanceError as error:
            LOG.warning('The image cache: %s', error)
        except Exception:
            LOG.exception('The image cache could not be looked after.')
