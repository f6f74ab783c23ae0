"""A connected volume to read and write at an offset: a device or file of this host, or an image of librbd."""
import os
import subprocess
from typing import Any, Protocol


class Device(Protocol):
    """A connected volume; reading may be done by several threads at once."""

    zeroed: bool
    """Whether what was never written is known to be zero."""

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Read bytes from an offset; return their number."""

    def write(self, data: memoryview, offset: int) -> None:
        """Write all of the bytes."""

    def size(self) -> int:
        """The size in bytes at the moment."""

    def flush(self) -> None:
        """Return when what was written survives a power cut."""

    def close(self) -> None:
        """Release it."""


class FileDevice:
    """A block device, or a file on a mounted export.

    It belongs to the user of the service while it is open, and to whom it belonged before afterwards.

    :param root_helper: the command with which others are run as root
    :param zeroed: whether what was never written is known to be zero
    """

    def __init__(self, path: str, writing: bool, root_helper: list[str], zeroed: bool = False):
        self.zeroed = zeroed
        self._path, self._root_helper = path, root_helper
        self._owner: int | None = None
        if not os.access(path, os.R_OK | (os.W_OK if writing else 0)):
            self._owner = os.stat(path).st_uid
            self._change_owner(os.getuid())
        try:
            self._descriptor = os.open(path, (os.O_RDWR if writing else os.O_RDONLY) | os.O_CLOEXEC)
        except BaseException:
            self._restore_owner()
            raise

    def read_into(self, buffer: memoryview, offset: int) -> int:
        return os.preadv(self._descriptor, [buffer], offset)

    def write(self, data: memoryview, offset: int) -> None:
        while data:
            count = os.pwrite(self._descriptor, data, offset)
            data, offset = data[count:], offset + count

    def size(self) -> int:
        return os.lseek(self._descriptor, 0, os.SEEK_END)

    def flush(self) -> None:
        os.fsync(self._descriptor)

    def close(self) -> None:
        os.close(self._descriptor)
        self._restore_owner()

    def _restore_owner(self) -> None:
        if self._owner is not None:
            self._change_owner(self._owner)

    def _change_owner(self, user: int) -> None:
        subprocess.run([*self._root_helper, 'chown', str(user), self._path], check=True, capture_output=True,
                       stdin=subprocess.DEVNULL)


class RbdDevice:
    """An image that os-brick opened through librbd, without a device of this host.

    :param handle: the file object that os-brick made
    """

    zeroed = True

    def __init__(self, handle: Any):
        self._handle, self._image = handle, handle.rbd_image

    def read_into(self, buffer: memoryview, offset: int) -> int:
        data = self._image.read(offset, min(len(buffer), max(0, self.size() - offset)))
        buffer[:len(data)] = data
        return len(data)

    def write(self, data: memoryview, offset: int) -> None:
        self._image.write(bytes(data), offset)

    def size(self) -> int:
        return self._image.size()

    def flush(self) -> None:
        self._image.flush()

    def close(self) -> None:
        """Leave the image to os-brick, which closes it when the volume is disconnected."""
