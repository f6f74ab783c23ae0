"""The volumes of images in Cinder: how they are made, what is written beside them, and which of several is the one.

A volume is called ``image-<image id>``. Its metadata says of which image it is (``glance_image_id``), how many bytes of
it are the image (``image_size``), who uploaded it (``image_owner``) and, until it is complete, which attempt is writing
it (``glance_incomplete``) and when that was last seen alive (``glance_alive``, in seconds since 1970).
"""
import contextlib
import datetime
import logging
import time
from collections.abc import Iterator
from typing import Any

from cinderclient import exceptions as cinder_errors

from glance import exceptions

LOG = logging.getLogger(__name__)

GIB = 1024 ** 3
IMAGE, SIZE, OWNER = 'glance_image_id', 'image_size', 'image_owner'
INCOMPLETE, ALIVE, COMMITTING = 'glance_incomplete', 'glance_alive', 'glance_committing'
_LEAVING = ('deleting', 'error_deleting')
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 15.0
_DECISION_SECONDS, _DELETION_SECONDS, _DETACHING_SECONDS = 30, 10, 15


class Volumes:
    """The volumes that one client of Cinder can see.

    :param client: of python-cinderclient
    :param volume_type: the type of new volumes; None for Cinder's default
    :param patience: seconds that a volume may take to become what was asked for
    """

    def __init__(self, client: Any, volume_type: str | None, patience: int):
        self.client = client
        self._type, self._patience = volume_type, patience

    def create(self, image_id: str, attempt: str, size: int | None, owner: str | None) -> Any:
        """Make the volume of an image of ``size`` bytes and wait until it can be attached."""
        metadata = {IMAGE: image_id, INCOMPLETE: attempt, ALIVE: str(int(time.time()))}
        if size is not None:
            metadata[SIZE] = str(size)
        if owner:
            metadata[OWNER] = owner
        try:
            volume = self.client.volumes.create(gib_for(size or 0), name='image-%s' % image_id, metadata=metadata,
                                                volume_type=self._type)
        except cinder_errors.NotFound:
            LOG.error('There is no volume type %s, which cinder_volume_type names.', self._type)
            raise exceptions.StoreError('The image store is not configured correctly.') from None
        try:
            return self.wait(volume.id, 'creating', 'available')
        except BaseException:
            self.remove_quietly(volume.id)
            raise

    def wait(self, volume_id: str, passing: str, wanted: str) -> Any:
        """Return the volume once its status is ``wanted``.

        :param passing: the status that it has until then
        :raises StoreUnavailable: when that takes too long
        :raises StoreError: when another status comes
        """
        for _ in _pauses(self._patience):
            volume = self.client.volumes.get(volume_id)
            if volume.status == wanted:
                return volume
            if volume.status != passing:
                LOG.error('Volume %s became %s instead of %s.', volume_id, volume.status, wanted)
                raise exceptions.StoreError('The image store could not prepare a volume.')
        LOG.error('Volume %s is still %s after %d s.', volume_id, passing, self._patience)
        raise exceptions.StoreUnavailable()

    def get(self, volume_id: str) -> Any:
        """A volume whose data is complete. Raises ObjectNotFound for others too."""
        volume = self.client.volumes.get(volume_id)
        if INCOMPLETE in volume.metadata or volume.status in _LEAVING:
            raise exceptions.ObjectNotFound()
        return volume

    def of_image(self, image_id: str) -> list[Any]:
        """The volumes made for an image, complete or not."""
        found = self.client.volumes.list(search_opts={'metadata': {IMAGE: image_id}})
        return [volume for volume in found if volume.status not in _LEAVING]

    def all(self) -> Iterator[Any]:
        """The volumes of images that are of this type, complete or not."""
        wanted = self._type or self._default_type()
        for volume in self.client.volumes.list():
            if IMAGE in volume.metadata and volume.status not in _LEAVING and wanted in (None, volume.volume_type):
                yield volume

    def _default_type(self) -> str | None:
        try:
            return self.client.volume_types.default().name
        except cinder_errors.NotFound:
            return None

    def check_absent(self, image_id: str) -> None:
        """Raise ObjectExists when there is a complete volume of the image."""
        if any(INCOMPLETE not in volume.metadata for volume in self.of_image(image_id)):
            raise exceptions.ObjectExists()

    def extend(self, volume_id: str, gib: int, attached: bool) -> None:
        """Enlarge a volume to so many GiB. Raises StoreFull when that fails."""
        try:
            self.client.volumes.extend(volume_id, gib)
            self.wait(volume_id, 'extending', 'in-use' if attached else 'available')
        except exceptions.StoreUnavailable:
            raise
        except (exceptions.StoreError, cinder_errors.ClientException) as error:
            LOG.error('Volume %s cannot be made %d GiB large: %s', volume_id, gib, type(error).__name__)
            raise exceptions.StoreFull() from error

    def touch(self, volume_id: str) -> None:
        """Say that its writer is alive."""
        self.client.volumes.set_metadata(volume_id, {ALIVE: str(int(time.time()))})

    def publish(self, volume_id: str, image_id: str, size: int) -> None:
        """Make a volume the complete one of its image, unless another is, or is about to be.

        Cinder cannot compare and set. Each writer announces its wish and looks at the others afterwards: whoever
        announced first is seen by all that came later. Among those that see each other the smallest id goes on, once it
        knows what the others, who may not have seen it, decided.

        :raises ObjectExists: when another one won
        """
        self.client.volumes.set_metadata(volume_id, {COMMITTING: 'true', SIZE: str(size)})
        for _ in _pauses(_DECISION_SECONDS):
            others = [volume for volume in self.of_image(image_id) if volume.id != volume_id]
            rivals = [volume for volume in others if COMMITTING in volume.metadata and INCOMPLETE in volume.metadata]
            published = any(INCOMPLETE not in volume.metadata for volume in others)
            if published or any(rival.id < volume_id for rival in rivals):
                self.client.volumes.delete_metadata(volume_id, [COMMITTING])
                raise exceptions.ObjectExists()
            if not rivals:
                break
        else:
            raise exceptions.StoreUnavailable()
        self.client.volumes.update_readonly_flag(volume_id, True)
        self.client.volumes.delete_metadata(volume_id, [INCOMPLETE])
        with contextlib.suppress(cinder_errors.ClientException):    # what is left of these does no harm
            self.client.volumes.delete_metadata(volume_id, [COMMITTING, ALIVE])

    def delete(self, volume: Any) -> None:
        """Delete a complete volume. Raises ObjectInUse when something is attached to it or was made of it."""
        try:
            self.client.volumes.delete(volume.id)
        except cinder_errors.BadRequest:
            LOG.warning('Volume %s of image %s is not deleted, as it is %s or has snapshots.', volume.id,
                        volume.metadata.get(IMAGE), volume.status)
            raise exceptions.ObjectInUse() from None
        # The backend may still refuse, and says so only by the status.
        with contextlib.suppress(cinder_errors.NotFound):
            for _ in _pauses(_DELETION_SECONDS):
                status = self.client.volumes.get(volume.id).status
                if status == 'available':
                    raise exceptions.ObjectInUse()
                if status == 'error_deleting':
                    raise exceptions.StoreError('The image store could not delete the data of the image.')

    def remove(self, volume_id: str) -> None:
        """Delete a volume that is not complete, with what a dead writer left attached to it."""
        with contextlib.suppress(cinder_errors.NotFound):
            for attachment in self.client.attachments.list(search_opts={'volume_id': volume_id}):
                self.client.attachments.delete(attachment.id)
            for _ in _pauses(_DETACHING_SECONDS):
                try:
                    self.client.volumes.delete(volume_id)
                    return
                except cinder_errors.BadRequest as error:   # it is still being made, enlarged or detached
                    refused = error
            raise refused

    def remove_quietly(self, volume_id: str) -> None:
        """As ``remove``, but only the log hears of errors."""
        try:
            self.remove(volume_id)
        except Exception as error:
            LOG.error('Volume %s is left behind, to be swept later: %s', volume_id, type(error).__name__)


def gib_for(size: int) -> int:
    """How many GiB a volume needs for so many bytes."""
    return max(1, -(-size // GIB))


def size_of(volume: Any) -> int:
    """The size in bytes of the image in a volume, which is all of the volume where nobody said."""
    noted = volume.metadata.get(SIZE, '')
    return int(noted) if noted.isdecimal() else volume.size * GIB


def age_of(volume: Any) -> float:
    """Seconds since a volume was made, or its writer last said that it was alive."""
    alive = volume.metadata.get(ALIVE, '')
    if INCOMPLETE in volume.metadata and alive.isdecimal():
        return time.time() - int(alive)
    created = datetime.datetime.fromisoformat(volume.created_at).replace(tzinfo=datetime.UTC)
    return time.time() - created.timestamp()


def _pauses(seconds: float) -> Iterator[None]:
    """Yield at once, then after growing pauses, until so many seconds have passed."""
    end, pause = time.monotonic() + seconds, _FIRST_WAIT
    yield
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(pause, left))
        pause = min(pause * 2, _LONGEST_WAIT)
        yield
