"""Raw data, which is everything else; only a text that programs could take for the name of a disk is refused."""
import re

from glance.inspect.base import Examination, Inspector, Unsafe

WINDOW = 4096
TEXT = re.compile(rb'[\t\n\v\f\r\x20-\x7e\x80-\xff]+')
DISK_NAME = re.compile(
    rb'\s*(?:json\s*:\s*{|(?:blkdebug|blkverify|fat|file|ftps?|gluster(?:\+\w+)?|host_device|https?|iscsi|'
    rb'nbd(?:\+\w+)?|nfs|rbd|sheepdog(?:\+\w+)?|ssh|vvfat|vxhs):)', re.IGNORECASE)
"""What QEMU takes for a disk somewhere else."""


class RawText(Inspector):
    """Matches only what it refuses."""

    name = 'raw'

    def examine(self) -> Examination:
        start = yield from self.read(0, WINDOW)
        if TEXT.fullmatch(start) and DISK_NAME.match(start):
            raise Unsafe('banned')
