"""Lets requests of its pipeline have image data from the cache of the node."""
from collections.abc import Callable, Iterable
from typing import Any

from glance.api.middleware.base import Filter


class CacheFilter(Filter):
    """Switches the cache on. What is read from it is decided behind every check, in ``glance.layers.cache``."""

    def __call__(self, environ: dict[str, Any], start_response: Callable) -> Iterable[bytes]:
        environ['glance.cache'] = True
        return super().__call__(environ, start_response)
