"""An image with its live children in one statement.

The engine packs the row and its properties, tags and locations into one JSON array. One value per image is what makes a
page cheap: drivers written in Python spend more time on decoding columns than servers on building JSON.
"""
import datetime
import json
from typing import Any

import sqlalchemy as sa

from glance.db.interface import ImageRecord
from glance.db.sqlalchemy.dialects import Dialect
from glance.db.sqlalchemy.models import image_locations, image_members, image_properties, image_tags, images

COLUMNS = tuple(images.c.keys())
TIMES = ('created_at', 'updated_at', 'deleted_at')
BOOLEANS = ('deleted', 'protected', 'os_hidden')

_loads = json.JSONDecoder(strict=False).decode      # MariaDB leaves control characters in strings as they are
_time = datetime.datetime.fromisoformat


def select_images(dialect: Dialect, anonymous: bool = False) -> sa.Select:
    """Return the select of documents of ``images``.

    Its parameter ``caller`` is the project that asks; an ``anonymous`` one needs none and looks for no membership.
    """
    def live_children(table: sa.Table, key: sa.ColumnElement, value: sa.ColumnElement) -> sa.ColumnElement:
        return dialect.nested(sa.select(dialect.json_object(key, value)).correlate(images).where(
            table.c.image_id == images.c.id, table.c.deleted == sa.false()).scalar_subquery())

    location = dialect.json_array(image_locations.c.value, image_locations.c.meta_data, image_locations.c.status)
    membership = sa.select(sa.func.count()).select_from(image_members).correlate(images).where(
        image_members.c.image_id == images.c.id, image_members.c.deleted == sa.false(),
        dialect.equal(image_members.c.member, sa.bindparam('caller', type_=sa.String))).scalar_subquery()
    return sa.select(dialect.json_array(
        *images.c,
        live_children(image_properties, image_properties.c.name, image_properties.c.value),
        live_children(image_tags, image_tags.c.id, image_tags.c.value),
        live_children(image_locations, image_locations.c.id, location),
        sa.literal_column('0') if anonymous else membership))


def read_image(document: Any, caller: str | None) -> ImageRecord:
    """Turn a document into the record that ``caller`` (a project, or None) gets."""
    values = _loads(document) if isinstance(document, str) else document
    memberships = int(values.pop())
    locations, tags, properties = values.pop(), values.pop(), values.pop()
    image = dict(zip(COLUMNS, values, strict=True))
    for name in TIMES:
        if image[name] is not None:
            image[name] = _time(image[name])
    if image['updated_at'] is None:                 # rows of very old releases
        image['updated_at'] = image['created_at']
    for name in BOOLEANS:
        image[name] = bool(image[name])
    image['properties'] = properties or {}
    image['tags'] = list(dict.fromkeys(value for _, value in _in_order(tags)))
    image['locations'] = [{'id': key, 'url': url, 'metadata': _loads(metadata) if metadata else {}, 'status': status}
                          for key, (url, metadata, status) in _in_order(locations)]
    image['is_member'] = bool(memberships) and image['visibility'] == 'shared' and image['owner'] != caller
    return image


def _in_order(rows: dict[str, Any] | None) -> list[tuple[int, Any]]:
    """Sort rows by their ids, which is the order in which they were added."""
    if not rows:
        return []
    return sorted((int(key), value) for key, value in rows.items())
