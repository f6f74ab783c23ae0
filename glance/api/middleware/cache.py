"""Lets requests of its pipeline have image data from the cache of the node."""
from collections.abc import Callable, Iterable
from typing import Any

from glance.api import Application


class CacheFilter:
    """Switches the cache on. What is read from it is decided behind every check, in ``glance.layers.cache``."""

    def __init__(self, application: Application):
        self._application = application

    @classmethod
    def factory(cls, global_conf: dict[str, str], **local_conf: str) -> Callable[[Application], Application]:
        """Make the filter for paste."""
        return cls

    def __call__(self, environ: dict[str, Any], start_response: Callable) -> Iterable[bytes]:
        environ['glance.cache'] = True
        return self._application(environ, start_response)
