"""Which attachments of this host belong to processes that live: those of the dead keep volumes from others."""
import contextlib
import fcntl
import os
from collections.abc import Iterator

_UNFINISHED = '.new'


class Marks:
    """A file for each attachment, locked by the process that uses it; the kernel unlocks it when the process dies.

    :param folder: where the files are, the same for all processes of the host
    """

    def __init__(self, folder: str):
        self._folder = folder
        self._held: dict[str, int] = {}

    def set(self, attachment_id: str) -> None:
        """Say that this process uses an attachment."""
        os.makedirs(self._folder, exist_ok=True)
        path = self._path(attachment_id)
        descriptor = os.open(path + _UNFINISHED, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.rename(path + _UNFINISHED, path)     # nobody sees it unlocked
        self._held[attachment_id] = descriptor

    def clear(self, attachment_id: str) -> None:
        """Say that there is no such attachment any more."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path(attachment_id))
        self.give_up(attachment_id)

    def give_up(self, attachment_id: str) -> None:
        """Say that this process cannot end an attachment, which is one of the dead from now on."""
        descriptor = self._held.pop(attachment_id, None)
        if descriptor is not None:
            os.close(descriptor)

    def is_dead(self, attachment_id: str) -> bool:
        """Whether an attachment belongs to a process of this host that does not live; of others nothing is known."""
        try:
            descriptor = os.open(self._path(attachment_id), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            return False
        finally:
            os.close(descriptor)

    def dead(self) -> Iterator[str]:
        """The attachments of dead processes of this host."""
        with contextlib.suppress(FileNotFoundError):
            for name in os.listdir(self._folder):
                if not name.endswith(_UNFINISHED) and self.is_dead(name):
                    yield name

    def _path(self, attachment_id: str) -> str:
        return os.path.join(self._folder, attachment_id)
