"""What the mixins have in common."""
import dataclasses
import datetime
import uuid
from typing import Any

from glance.db.interface import ImageChanges, ImageQuery, Lease

EPOCH = datetime.datetime(2024, 1, 1)
LATER = datetime.datetime(2031, 5, 6, 7, 8, 9)


@dataclasses.dataclass(frozen=True)
class Caller:
    owner: str | None = None
    is_admin: bool = False


ADMIN = Caller(is_admin=True)
ME, OTHER, ANONYMOUS = Caller('me'), Caller('other'), Caller()


def moment(second: int) -> datetime.datetime:
    return EPOCH + datetime.timedelta(seconds=second)


def lease(image_id: str, worker: str = 'host.1', expires_at: datetime.datetime = LATER) -> Lease:
    return Lease(image_id, str(uuid.uuid4()), worker, expires_at)


class DatabaseCase:
    """Mixin to a TestCase; the class that uses it provides ``make_database()``, an empty one."""

    def setUp(self):
        super().setUp()
        self.db = self.make_database()

    def create(self, **values: Any) -> dict[str, Any]:
        return self.db.image_create({'status': 'active', 'owner': 'me', **values})

    def get(self, image_id: str) -> dict[str, Any]:
        return self.db.image_get(ADMIN, image_id)

    def update(self, image_id: str, from_status: str | None = None, **changes: Any) -> datetime.datetime:
        return self.db.image_update(image_id, ImageChanges(**changes), from_status).updated_at

    def listed(self, caller: Caller = ADMIN, **query: Any) -> list[str]:
        """Return the names of the images of a list, in its order."""
        return [image['name'] for image in self.db.image_list(caller, ImageQuery(**query))]
