"""How a Ceph cluster is reached, and what its errors mean."""
import contextlib
import errno
import logging
import threading
import time
import weakref
from collections.abc import Iterator
from typing import NoReturn

import rados
import rbd

from glance import exceptions
from glance.store.drivers import rbd_images

LOG = logging.getLogger(__name__)

_ERRORS = {errno.ENOENT: exceptions.ObjectNotFound, errno.EEXIST: exceptions.ObjectExists,
           errno.ENOSPC: exceptions.StoreFull, errno.EDQUOT: exceptions.StoreFull,
           errno.EBUSY: exceptions.ObjectInUse}
_QUIET = (errno.ENOENT, errno.EEXIST, errno.EBUSY)
"""What happens every day, and is no business of an operator."""
_DENIED = (errno.EPERM, errno.EACCES)
_OPERATIONS = ('rados_mon_op_timeout', 'rados_osd_op_timeout')
_CONNECTION = 'client_mount_timeout'
_LIBRARY_DEFAULTS = {_CONNECTION: '300', **dict.fromkeys(_OPERATIONS, '0')}
_NO_FSID = '00000000-0000-0000-0000-000000000000'
_PAUSE = 15.0
"""Seconds in which nobody waits again for a cluster only to learn its fsid."""


class Pool:
    """A pool and the connection to its cluster, which ends when nobody holds this object any more.

    Whoever has an image of the pool open has to hold it: the library crashes when its parts are closed in another order.
    """

    def __init__(self, connection: rados.Rados, name: str):
        self.connection, self.ioctx = connection, connection.open_ioctx(name)
        weakref.finalize(self, _disconnect, connection, self.ioctx)
        # A full pool answers at once instead of letting writers wait, and lets them clean up.
        self.ioctx.set_osdmap_full_try()


class Cluster:
    """The one connection of a store to each pool, which all threads use.

    It is made when it is first needed, and again after it failed. What was begun with one that is replaced keeps it.

    :param title: the store, for the log
    :param options: its options as attributes
    """

    def __init__(self, title: str, options):
        self._title, self._options = title, options
        self._lock = threading.Lock()
        self._pools: dict[str, Pool] = {}
        self._fsid: str | None = None
        self._ask_after = 0.0

    @property
    def known_fsid(self) -> str | None:
        """The fsid, if the Ceph configuration or a connection told it; asks no server."""
        if self._fsid is None:
            with contextlib.suppress(rados.Error):
                fsid = self._configured().conf_get('fsid')
                self._fsid = fsid if fsid != _NO_FSID else None
        return self._fsid

    @property
    def fsid(self) -> str | None:
        """The fsid; None when it is not configured and the cluster cannot be reached."""
        if self.known_fsid is None and time.monotonic() >= self._ask_after:
            try:
                self.pool(self._options.rbd_store_pool)
            except exceptions.StoreError:
                self._ask_after = time.monotonic() + _PAUSE
        return self._fsid

    def pool(self, name: str) -> Pool:
        """Connect to a pool. Raises StoreUnavailable when cluster or pool cannot be reached."""
        with self._lock:
            if name not in self._pools:
                try:
                    pool = Pool(self._connect(), name)
                    rbd_images.prepare(pool)
                except rados.Error as error:
                    LOG.error('%s: pool %s of the Ceph cluster cannot be reached: %s', self._title, name, error)
                    raise exceptions.StoreUnavailable() from error
                self._pools[name] = pool
            return self._pools[name]

    def close(self) -> None:
        """Let go of the connections; transfers that are under way keep theirs."""
        with self._lock:
            dropped, self._pools = self._pools, {}
        dropped.clear()     # which may take a while

    @contextlib.contextmanager
    def errors(self, denied: type[exceptions.StoreError] = exceptions.StoreForbidden) -> Iterator[None]:
        """Raise what the interface of stores promises instead of errors of the bindings.

        The log says what the cluster answered, clients only what kind of failure it is.

        :param denied: what to raise where the cluster refuses
        """
        try:
            yield
        except (rbd.Error, rados.Error) as error:
            self._translate(error, denied)

    def _translate(self, error: Exception, denied: type[exceptions.StoreError]) -> NoReturn:
        code = abs(getattr(error, 'errno', None) or 0)
        if code in _QUIET:
            raise _ERRORS[code]() from None
        LOG.error('%s: %s', self._title, error)
        if code in _ERRORS:
            raise _ERRORS[code]() from error
        if code in _DENIED:
            raise denied() from error
        # Among them ESHUTDOWN: the cluster has shut this client out, and only a new connection helps.
        self.close()
        raise exceptions.StoreUnavailable() from error

    def _configured(self) -> rados.Rados:
        """The cluster as the Ceph configuration describes it, not connected."""
        return rados.Rados(rados_id=self._options.rbd_store_user or None, conffile=self._options.rbd_store_ceph_conf or '')

    def _connect(self) -> rados.Rados:
        connection = self._configured()
        for name, seconds in self._timeouts(connection).items():
            connection.conf_set(name, str(seconds))
        # Images are written and read once and in order: a cache would only copy their data once more.
        connection.conf_set('rbd_cache', 'false')
        connection.connect()
        self._fsid = connection.get_fsid()
        return connection

    def _timeouts(self, connection: rados.Rados) -> dict[str, int]:
        """Seconds after which connecting and operations fail; the library knows only infinite ones by itself."""
        options = self._options
        if options.rados_connect_timeout >= 0:
            return dict.fromkeys(_LIBRARY_DEFAULTS, options.rados_connect_timeout)
        seconds = {_CONNECTION: options.store_connect_timeout, **dict.fromkeys(_OPERATIONS, options.store_idle_timeout)}
        return {name: seconds[name] for name, default in _LIBRARY_DEFAULTS.items()
                if float(connection.conf_get(name) or 0) == float(default)}


def _disconnect(connection: rados.Rados, ioctx: rados.Ioctx) -> None:
    ioctx.close()
    connection.shutdown()
