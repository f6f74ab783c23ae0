"""The notifier: what may be told, is told, without anybody waiting for it."""
from typing import Any

from oslo_config import cfg

from glance.notify import messaging
from glance.notify.outbox import Event, Outbox


class Notifier:
    """The notifications of one process.

    Made with the other parts of the process; thread and connections come with the first event. Without a driver
    (``[oslo_messaging_notifications]``) nothing is sent. Raises ConfigurationError for a bus that cannot be used.
    """

    def __init__(self, conf: cfg.ConfigOpts):
        # With the dot that ends a part of a name, image.member does not match image.members.
        self._disabled = tuple(name + '.' for name in conf.disabled_notifications)
        bus = messaging.connect(conf)
        self._outbox = Outbox(bus) if bus else None

    def info(self, event_type: str, payload: Any, about: str) -> None:
        """Tell an event soon; ``about`` is the id that the log names if it is missed."""
        self._tell('INFO', event_type, payload, about)

    def error(self, event_type: str, payload: Any, about: str) -> None:
        """Tell that something went wrong, otherwise as ``info``."""
        self._tell('ERROR', event_type, payload, about)

    def close(self) -> None:
        """Send what is waiting, for two seconds at most, and release the bus."""
        if self._outbox is not None:
            self._outbox.close()

    def _tell(self, priority: str, event_type: str, payload: Any, about: str) -> None:
        if self._outbox is not None and not (event_type + '.').startswith(self._disabled):
            self._outbox.put(Event(priority, event_type, payload, about))
