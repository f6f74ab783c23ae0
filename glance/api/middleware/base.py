"""What the filters have in common."""
from collections.abc import Callable, Iterable
from typing import Any

from oslo_config import cfg

from glance import conf
from glance.api import Application


class Filter:
    """A WSGI callable around an application."""

    def __init__(self, application: Application, options: cfg.ConfigOpts):
        self._application, self._conf = application, options

    @classmethod
    def factory(cls, global_conf: dict[str, str], **local_conf: str) -> Callable[[Application], Application]:
        """Make the filter for paste."""
        return lambda application: cls(application, conf.CONF)

    def __call__(self, environ: dict[str, Any], start_response: Callable) -> Iterable[bytes]:
        return self._application(environ, start_response)
