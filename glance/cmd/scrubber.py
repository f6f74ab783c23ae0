"""``glance-scrubber``: removes the data of deleted images, once or every ``wakeup_time`` seconds; or restores an image.

Exit codes: 0 done, or stopped by TERM or INT; 1 the configuration cannot be used, the records cannot be read, another
scrubber runs on this node, or an image cannot be restored; 2 wrong command line; 3 of at least one image some data could
not be removed. Signals: TERM and INT finish the location that is being removed, a second one ends the program at once,
USR2 writes a diagnostic report.
"""
import contextlib
import logging
import signal
import sys
import threading
from collections.abc import Iterator, Sequence

from oslo_concurrency import lockutils
from oslo_config import cfg

from glance import conf, environment, exceptions
from glance.cmd.failure import fail, fail_unexpectedly
from glance.conf import libraries
from glance.db.interface import Database
from glance.scrub.restore import restore
from glance.scrub.scrubber import Scrubber
from glance.store.backends import Backends
from glance.store.location import redact
from glance.wsgi import report

PROG = 'glance-scrubber'
LOG = logging.getLogger(__name__)

INCOMPLETE = 3


def main(args: Sequence[str] | None = None) -> int:
    """Scrub until done or stopped; returns the exit code. ``args`` is the command line without the program's name."""
    stop = _stopped_by_signals()
    try:
        conf.load(args, prog=PROG)
        return _run(conf.CONF, stop)
    except exceptions.GlanceError as error:
        return fail(str(error))
    except Exception as error:
        LOG.critical('glance-scrubber failed', exc_info=getattr(conf.CONF, 'debug', True))
        return fail_unexpectedly(error)


def _run(config: cfg.ConfigOpts, stop: threading.Event) -> int:
    with contextlib.ExitStack() as stack:
        if not config.dry_run:
            stack.enter_context(_only_one_here(config))
        database = environment.open_database(config)
        stack.callback(database.close)
        _check(database, config.daemon)
        stores = Backends(config, reserved=False)
        stack.callback(stores.close)
        if config.restore:
            restore(database, stores, config.restore)
            return 0
        scrubber = Scrubber(config, database, stores, stop)
        stack.callback(scrubber.close)
        if config.dry_run:
            return _list(scrubber)
        return _repeat(scrubber, max(config.wakeup_time, 1), stop) if config.daemon else _once(scrubber, stop)


def _check(database: Database, patient: bool) -> None:
    """Look at the database; a patient program does not mind when nobody answers yet."""
    try:
        database.check()
    except exceptions.DatabaseUnavailable:
        if not patient:
            raise


def _once(scrubber: Scrubber, stop: threading.Event) -> int:
    result = scrubber.run()
    LOG.info('%d images are scrubbed, the data at %d locations is gone; %d images are left for another run.',
             result.images, result.locations, result.failed)
    return INCOMPLETE if result.failed and not stop.is_set() else 0


def _repeat(scrubber: Scrubber, seconds: int, stop: threading.Event) -> int:
    while not stop.is_set():
        try:
            _once(scrubber, stop)
        except exceptions.GlanceError as error:
            LOG.error('This run ended early: %s', error)
        except Exception:
            LOG.exception('This run ended early')
        stop.wait(seconds)
    return 0


def _list(scrubber: Scrubber) -> int:
    for image in scrubber.waiting():
        for location in image.locations:
            print(image.image_id, redact(location['url']) if 'url' in location else '(cannot be decrypted)')
        if not image.locations:
            print(image.image_id, '(its data is gone already)')
    return 0


@contextlib.contextmanager
def _only_one_here(config: cfg.ConfigOpts) -> Iterator[None]:
    """Hold the lock of this node's scrubber. Raises Conflict when another process does."""
    libraries.register_group(config, 'oslo_concurrency')
    folder = config.oslo_concurrency.lock_path
    if not folder:
        LOG.warning('[oslo_concurrency] lock_path is not set: nothing keeps a second scrubber from being started on this '
                    'node. They share the work.')
        yield
        return
    try:
        lock = lockutils.external_lock(PROG, lock_path=folder)
        if not lock.acquire(blocking=False):
            raise exceptions.Conflict('Another glance-scrubber runs on this node; wait until it ends, or stop it.')
    except OSError as error:
        raise exceptions.ConfigurationError('[oslo_concurrency] lock_path = %s cannot be used: %s'
                                            % (folder, error.strerror)) from None
    try:
        yield
    finally:
        lock.release()


def _stopped_by_signals() -> threading.Event:
    """Return the event that TERM and INT set; when they come again, they end the program."""
    stop = threading.Event()

    def handle(number, frame):
        stop.set()
        signal.signal(number, signal.SIG_DFL)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)
    signal.signal(signal.SIGUSR2, lambda number, frame: report.write(PROG))
    return stop


if __name__ == '__main__':
    sys.exit(main())
