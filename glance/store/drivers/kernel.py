"""Calls of the Linux kernel that the ``os`` module lacks."""
import ctypes
import errno
import os

_FALLOC_FL_KEEP_SIZE = 1
_SYNC_FILE_RANGE_WRITE = 2
_UNSUPPORTED = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)

_libc = ctypes.CDLL(None, use_errno=True)
_OFFSET = ctypes.c_int64
_libc.fallocate.argtypes = (ctypes.c_int, ctypes.c_int, _OFFSET, _OFFSET)
_libc.sync_file_range.argtypes = (ctypes.c_int, _OFFSET, _OFFSET, ctypes.c_uint)


def reserve(fd: int, size: int, offset: int = 0) -> bool:
    """Set ``size`` bytes of disk space from ``offset`` aside for a file, whose own size stays as it is (fallocate(2)).

    What is not written afterwards reads as zeros. Returns False, and does nothing, where the file system cannot;
    ``os.posix_fallocate`` would write to every block there.

    :raises OSError: ENOSPC, EDQUOT or EFBIG when there is no room
    """
    if size and _libc.fallocate(fd, _FALLOC_FL_KEEP_SIZE, offset, size) != 0:
        number = ctypes.get_errno()
        if number not in _UNSUPPORTED:
            raise OSError(number, os.strerror(number))
        return False
    return True


def start_writeback(fd: int, offset: int, length: int) -> None:
    """Let the kernel begin to write these bytes to the disk, without waiting (sync_file_range(2)).

    Promises nothing, so its errors do not matter: the ``fdatasync`` that must follow finds them too.
    """
    _libc.sync_file_range(fd, offset, length, _SYNC_FILE_RANGE_WRITE)
