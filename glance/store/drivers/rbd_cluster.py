"""How a Ceph cluster is reached, and what its errors mean."""
import contextlib
import errno
import logging
import threading
import time
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
_DENIED = (errno.EPERM, errno.EACCES)
_OPERATIONS = ('rados_mon_op_timeout', 'rados_osd_op_timeout')
_CONNECTION = 'client_mount_timeout'
_LIBRARY_DEFAULTS = {_CONNECTION: '300', **dict.fromkeys(_OPERATIONS, '0')}
_NO_FSID = '00000000-0000-0000-0000-000000000000'
_PAUSE = 15.0
"""Seconds in which nobody waits again for a cluster only to learn its fsid."""


class Cluster:
    """The one connection of a store, which all threads use, made when it is first needed and again after it failed.

    What was begun with a connection that is replaced keeps it until it ends.

    :param title: the store, for the log
    :param options: its options as attributes
    """

    def __init__(self, title: str, options):
        self._title, self._options = title, options
        self._lock = threading.Lock()
        self._connection: rados.Rados | None = None
        self._pools: dict[str, rados.Ioctx] = {}
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

    @property
    def features(self) -> int | None:
        """Features of new images: None for those of the Ceph configuration, and the one for clones if that has none."""
        connection = self._connection
        configured = connection.conf_get('rbd_default_features') if connection is not None else None
        return rbd.RBD_FEATURE_LAYERING if configured in ('0', '') else None

    def pool(self, name: str) -> rados.Ioctx:
        """The context of a pool. Raises StoreUnavailable when cluster or pool cannot be reached."""
        with self._lock:
            try:
                if self._connection is None:
                    self._connection = self._connect()
                if name not in self._pools:
                    pool = self._connection.open_ioctx(name)
                    # A full pool answers at once instead of letting writers wait, and lets them clean up.
                    pool.set_osdmap_full_try()
                    rbd_images.prepare(pool)
                    self._pools[name] = pool
                return self._pools[name]
            except rados.Error as error:
                LOG.error('%s: pool %s of the Ceph cluster cannot be reached: %s', self._title, name, error)
                raise exceptions.StoreUnavailable() from error

    def fence(self, address: str, seconds: int) -> None:
        """Shut a client out, whose process must be dead, so that its claims on images end now.

        :param address: that of the client with its nonce, so that no other client is meant
        """
        self.pool(self._options.rbd_store_pool)
        connection = self._connection
        if connection is not None:
            connection.blocklist_add(address, seconds)
            connection.wait_for_latest_osdmap()

    def close(self) -> None:
        """Let go of the connection; transfers that are under way end with it."""
        with self._lock:
            dropped = self._connection, self._pools
            self._connection, self._pools = None, {}
        del dropped     # which may take a while, and closes what nobody uses any more

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
        if code == errno.ENOENT:
            raise exceptions.ObjectNotFound() from None
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
