"""A member of an image: a project that a shared image is shared with, and what it thinks of that."""
import dataclasses
import datetime
from typing import Any

from glance import exceptions

STATUSES = ('pending', 'accepted', 'rejected')
MAX_LENGTH = 255


@dataclasses.dataclass
class Member:
    """The membership of the project ``member_id``. Times are naive UTC, None until the membership is stored."""

    image_id: str
    member_id: str
    status: str = 'pending'
    created_at: datetime.datetime | None = None
    updated_at: datetime.datetime | None = None

    def set_status(self, status: Any) -> None:
        """Take the answer of the member. Raises Invalid for anything but one of ``STATUSES``."""
        if status not in STATUSES:
            raise exceptions.Invalid('The status of a member must be one of: %s.' % ', '.join(STATUSES))
        self.status = status


def check_member_id(value: Any) -> str:
    """Return the value when it can name a member; raise Invalid otherwise."""
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_LENGTH:
        raise exceptions.Invalid('"member" must be the ID of a project: a string of 1 to %d characters.' % MAX_LENGTH)
    return value
