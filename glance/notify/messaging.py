"""The message bus that the options of oslo.messaging describe.

The library is imported when a notification driver is configured, not before: it takes more memory than an idle worker
otherwise has to spare.
"""
import importlib.metadata
import logging
import threading

from oslo_config import cfg

from glance.conf import legacy, libraries, validation
from glance.exceptions import ConfigurationError
from glance.notify.outbox import Event

# Attempts beside the first one, when the operator leaves them unbounded: some ten seconds for a broker that is down.
RETRIES = 3

_GROUP = 'oslo_messaging_notifications'
_DRIVERS = 'oslo.messaging.notify.drivers'
# Where the library reports that it could not send; it raises nothing.
_REPORTERS = ('oslo_messaging.notify.messaging', 'oslo_messaging.notify.notifier')


def connect(conf: cfg.ConfigOpts) -> 'MessagingBus | None':
    """Return the bus for notifications, or None when no driver is configured; connections are made when needed.

    Raises ConfigurationError when the options of the bus are wrong, whether or not it can be reached.
    """
    if not _has_driver(conf):
        return None
    libraries.set_messaging_defaults()
    import oslo_messaging
    try:
        transport = oslo_messaging.get_notification_transport(conf)
    except Exception as error:
        validation.check_values(conf)
        # What the library says would quote the URL with its password.
        raise ConfigurationError(
            'The message bus of [%s] transport_url, or else of [DEFAULT] transport_url, cannot be used (%s); give it a URL '
            'such as rabbit://USER:PASSWORD@HOST:5672/' % (_GROUP, type(error).__name__)) from None
    validation.check_values(conf)
    _check_drivers(conf[_GROUP].driver)
    retries = conf[_GROUP].retry
    return MessagingBus(oslo_messaging.Notifier(transport, conf.default_publisher_id,
                                                retry=RETRIES if retries < 0 else retries))


def _has_driver(conf: cfg.ConfigOpts) -> bool:
    """Tell it from the files, as the option is not known before the library is imported."""
    setting = legacy.read_settings(conf).get((_GROUP, 'driver'))
    return bool(setting and setting.value)


def _check_drivers(names: list[str]) -> None:
    known = {driver.name for driver in importlib.metadata.entry_points(group=_DRIVERS)}
    for name in names:
        if name not in known:
            raise ConfigurationError('[%s] driver = %s does not exist; use one of: %s.'
                                     % (_GROUP, name, ', '.join(sorted(known))))


class MessagingBus:
    """Sends events with a notifier of oslo.messaging."""

    def __init__(self, notifier):
        self._notifier = notifier
        self._send = {'INFO': notifier.info, 'ERROR': notifier.error}
        self._reports = _Reports()
        for name in _REPORTERS:
            logging.getLogger(name).addFilter(self._reports)

    def send(self, event: Event) -> None:
        """Send the event, trying for as long as the options say. Raises what keeps it from being sent."""
        self._reports.expect()
        self._send[event.priority]({}, event.event_type, event.payload)
        failure = self._reports.failure
        if failure is not None:
            raise failure

    def close(self) -> None:
        """Close the connections."""
        for name in _REPORTERS:
            logging.getLogger(name).removeFilter(self._reports)
        self._notifier.transport.cleanup()


class _Reports(logging.Filter):
    """Takes the library's reports of failures from the log, where they would be a traceback and a payload each."""

    def __init__(self):
        super().__init__()
        self._sender: int | None = None
        self.failure: BaseException | None = None

    def expect(self) -> None:
        """From here on the reports of this thread are about the event that it sends now."""
        self._sender, self.failure = threading.get_ident(), None

    def filter(self, record: logging.LogRecord) -> bool:
        if threading.get_ident() != self._sender or not record.exc_info:
            return True
        self.failure = record.exc_info[1]
        return False
