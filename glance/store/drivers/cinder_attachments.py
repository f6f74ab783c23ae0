"""Connecting volumes to this host through os-brick, and letting go of them."""
import logging
import os
import shutil
import socket
import sys
import threading
import time
from typing import Any

from cinderclient import exceptions as cinder_errors
from os_brick.initiator.connector import InitiatorConnector, get_connector_properties
from oslo_concurrency import lockutils
from oslo_config import cfg
from oslo_privsep import priv_context

from glance import exceptions
from glance.store.drivers.cinder_devices import Device, FileDevice, RbdDevice
from glance.store.drivers.cinder_exports import Exports
from glance.store.drivers.cinder_marks import Marks
from glance.store.drivers.cinder_volumes import GIB

LOG = logging.getLogger(__name__)

_MOUNT_POINT = 'glance_store'
_LONGEST_WAIT = 10
_DELETIONS = 5
_SIZE_SECONDS = 20
_LOCK_PREFIX = 'glance-cinder-'


class Attachment:
    """A volume that is connected to this host, with the device to read or write it."""

    def __init__(self, attacher: 'Attacher', client: Any, volume: Any, attachment_id: str):
        self.id, self.volume_id = attachment_id, volume.id
        self._attacher, self._client, self._multiattach = attacher, client, getattr(volume, 'multiattach', False)
        self._connector: Any = None
        self._connection: dict[str, Any] = {}
        self._connected: dict[str, Any] | None = None
        self._export: str | None = None
        self.device: Device | None = None

    def connect(self, connection: dict[str, Any], size: int, writing: bool) -> None:
        """Connect it to this host as Cinder described it; ``size`` is how large the volume has to be, in bytes."""
        protocol = connection['driver_volume_type']
        if connection.get('volume_id', self.volume_id) != self.volume_id:
            LOG.error('Cinder described the connection of another volume than %s.', self.volume_id)
            raise exceptions.StoreUnavailable()
        self._connection = connection
        if protocol == 'nfs':
            self.device = self._open_on_export(connection, writing)
        else:
            self.device = self._open_block(protocol, connection, writing)
        self.await_size(size)

    def await_size(self, size: int) -> None:
        """Return once the device has its size: some take a while to show what they are. Raises StoreUnavailable."""
        end = time.monotonic() + _SIZE_SECONDS
        while self.device.size() < size:
            if time.monotonic() > end:
                LOG.error('What is connected as volume %s has %d bytes and not %d; it is not used.', self.volume_id,
                          self.device.size(), size)
                raise exceptions.StoreUnavailable()
            time.sleep(0.5)

    def extend(self, size: int) -> None:
        """Take notice that the volume was made larger while it is connected."""
        if isinstance(self.device, FileDevice) and self._connector is not None:
            self._connector.extend_volume(self._connection)
        self.await_size(size)

    def detach(self, quietly: bool = True) -> None:
        """Disconnect the volume and tell Cinder. Where ``quietly``, only the log hears of errors."""
        device, self.device = self.device, None
        try:
            with self._attacher.locked(self.volume_id):
                if device is not None:
                    device.close()
                self._disconnect(quietly)
                self._delete()
            self._attacher.marks.clear(self.id)
        except Exception as error:
            self._attacher.marks.give_up(self.id)
            LOG.error('Volume %s cannot be detached: %s', self.volume_id, type(error).__name__)
            if not quietly:
                raise

    def _open_on_export(self, connection: dict[str, Any], writing: bool) -> Device:
        if connection.get('encrypted') or connection.get('format', 'raw') != 'raw':
            LOG.error('Volume %s on NFS is encrypted or of format %s; only raw ones can be used.', self.volume_id,
                      connection.get('format'))
            raise exceptions.StoreError('The image store cannot use volumes of this type.')
        self._export = connection['export']
        folder = self._attacher.exports.use(self._export, connection.get('options'), self.id)
        path = os.path.join(folder, os.path.basename(connection['name']))
        return FileDevice(path, writing, self._attacher.root_helper, zeroed=True)

    def _open_block(self, protocol: str, connection: dict[str, Any], writing: bool) -> Device:
        self._connector = self._attacher.connector(protocol, connection)
        self._connected = self._connector.connect_volume(connection)
        path = self._connected['path']
        if hasattr(path, 'rbd_image'):
            return RbdDevice(path)
        return FileDevice(os.fsdecode(path), writing, self._attacher.root_helper)

    def _disconnect(self, quietly: bool) -> None:
        if self._export is not None:
            self._attacher.exports.leave(self._export, self.id)
        elif self._connector is not None and not self._is_shared():
            self._connector.disconnect_volume(self._connection, self._connected, force=True, ignore_errors=quietly)
        self._connector = self._export = None

    def _is_shared(self) -> bool:
        """Whether another attachment of this host uses the same device."""
        if not self._multiattach or self._connected is None or hasattr(self._connected['path'], 'rbd_image'):
            return False
        others = self._client.volumes.get(self.volume_id).attachments
        return any(other['attachment_id'] != self.id and other['host_name'] == self._attacher.host for other in others)

    def _delete(self) -> None:
        for left in reversed(range(_DELETIONS)):
            try:
                self._client.attachments.delete(self.id)
                return
            except cinder_errors.NotFound:
                return
            except cinder_errors.ClientException as error:
                if error.code < 500 or not left:
                    raise
                time.sleep(1)


class Attacher:
    """Attaches volumes to this host, for one store.

    :param options: the options of the store as attributes
    :param lock_path: the folder of the locks that processes of this host share
    """

    def __init__(self, options, lock_path: str):
        self._options, self._lock_path = options, lock_path
        self.root_helper = _root_helper(options.rootwrap_config)
        self.exports = Exports(options.cinder_mount_point_base, self.root_helper, lock_path)
        self.marks = Marks(os.path.join(lock_path, _LOCK_PREFIX + 'attachments'))
        self.host = socket.gethostname()
        self._lock = threading.Lock()
        self._description: dict[str, Any] | None = None

    def attach(self, client: Any, volume: Any, mode: str) -> Attachment:
        """Attach and connect a volume.

        :param volume: as Cinder describes it
        :param mode: ``rw`` or ``ro``
        :raises StoreUnavailable: when others use it, and will not let go
        """
        description = {**self._describe_host(), 'mountpoint': _MOUNT_POINT, 'mode': mode}
        attachment = Attachment(self, client, volume, self._reserve(client, volume.id, mode))
        try:
            self.marks.set(attachment.id)
            connection = client.attachments.update(attachment.id, description).connection_info
            attachment.connect(connection, volume.size * GIB, mode == 'rw')
            client.attachments.complete(attachment.id)
        except BaseException:
            attachment.detach()
            raise
        return attachment

    def end_dead(self, client: Any, volume_id: str | None = None) -> int:
        """End the attachments of this host, of one volume or of all, whose processes have died; return their number."""
        ended = 0
        for attachment_id in self.marks.dead():
            try:
                attachment = client.attachments.show(attachment_id)
                if volume_id not in (None, attachment.volume_id):
                    continue
                with self.locked(attachment.volume_id):
                    self._disconnect_dead(attachment.connection_info)
                    client.attachments.delete(attachment_id)
            except cinder_errors.NotFound:
                LOG.debug('Attachment %s of a process that died is gone.', attachment_id)
            self.marks.clear(attachment_id)
            ended += 1
        return ended

    def connector(self, protocol: str, connection: dict[str, Any]) -> Any:
        """The connector of os-brick for a protocol."""
        return InitiatorConnector.factory(protocol, ' '.join(self.root_helper), conn=connection,
                                          use_multipath=self._options.cinder_use_multipath)

    def locked(self, volume_id: str) -> Any:
        """Keep other processes of this host from attaching or detaching the volume meanwhile."""
        return lockutils.lock(volume_id, _LOCK_PREFIX, external=True, lock_path=self._lock_path)

    def _reserve(self, client: Any, volume_id: str, mode: str) -> str:
        """Reserve the volume, waiting for others who use it; return the id of the attachment."""
        attempt = 1
        while True:
            try:
                return client.attachments.create(volume_id, None, mode=mode)['id']
            except cinder_errors.BadRequest as error:
                refused = error
            if self.end_dead(client, volume_id):
                continue
            if attempt >= self._options.cinder_attachment_retry_attempts:
                break
            time.sleep(min(2 ** attempt, _LONGEST_WAIT))
            attempt += 1
        LOG.error('Volume %s cannot be attached, as others use it; a volume type with multiattach lets several read.',
                  volume_id)
        raise exceptions.StoreUnavailable() from refused

    def _disconnect_dead(self, connection: dict[str, Any]) -> None:
        """Remove the device of an attachment whose process has died; exports and images of librbd have none."""
        protocol = connection.get('driver_volume_type')
        if protocol and protocol != 'nfs':
            self.connector(protocol, connection).disconnect_volume(connection, None, force=True, ignore_errors=True)

    def _describe_host(self) -> dict[str, Any]:
        with self._lock:
            if self._description is None:
                priv_context.init(root_helper=self.root_helper)
                cfg.CONF.set_default('lock_path', self._lock_path, 'os_brick')
                self._description = get_connector_properties(
                    ' '.join(self.root_helper), _address_of(self.host), self._options.cinder_use_multipath,
                    self._options.cinder_enforce_multipath, host=self.host)
            return self._description


def _root_helper(configuration: str) -> list[str]:
    """The command with which others are run as root: what sudo finds may differ from what belongs to this service."""
    beside = os.path.join(os.path.dirname(sys.executable), 'glance-rootwrap')
    program = beside if os.path.exists(beside) else shutil.which('glance-rootwrap') or 'glance-rootwrap'
    return [*([] if os.geteuid() == 0 else ['sudo']), program, configuration]


def _address_of(host: str) -> str:
    try:
        return socket.gethostbyname(host)
    except OSError:
        return '127.0.0.1'
