"""What holds for records and files whenever no request is under way, whatever was asked before."""

import hashlib
import pathlib
from collections.abc import Iterator
from urllib.parse import urlparse

import sqlalchemy as sa

from tests.functional.api.base import stored_files, unlinked_files, wait_for
from tests.harness.server import GlanceServer

CHILDREN = {'image_properties': 'name', 'image_tags': 'value', 'image_locations': 'value', 'image_members': 'member'}
"""Tables of what belongs to images, and the column that tells live rows of one image apart."""
WITH_DATA = ('active', 'deactivated')
DATA_ATTRIBUTES = ('size', 'virtual_size', 'checksum', 'os_hash_algo', 'os_hash_value')


def violations(server: GlanceServer) -> list[str]:
    """Sentences about everything that is wrong in the database and in the folder of a server with delayed delete off."""
    engine = sa.create_engine(server.database.url, poolclass=sa.pool.NullPool)
    with engine.connect() as connection:
        return [*_wrong_children(connection), *_wrong_images(connection), *_wrong_files(connection, server)]


def _wrong_children(connection: sa.Connection) -> Iterator[str]:
    for table, key in CHILDREN.items():
        for complaint, query in {
            'without an image': f'SELECT c.* FROM {table} c LEFT JOIN images i ON i.id = c.image_id WHERE i.id IS NULL',
            'live, of a deleted image': f'SELECT c.* FROM {table} c JOIN images i ON i.id = c.image_id '
                                        'WHERE i.deleted AND NOT c.deleted',
            'live more than once': f'SELECT image_id, {key}, COUNT(*) FROM {table} WHERE NOT deleted '
                                   f'GROUP BY image_id, {key} HAVING COUNT(*) > 1',
            'half deleted': f'SELECT * FROM {table} WHERE deleted <> (deleted_at IS NOT NULL)',
        }.items():
            yield from (f'{table}, {complaint}: {tuple(row)}' for row in _rows(connection, query))
    for row in _rows(connection, "SELECT * FROM image_locations WHERE deleted AND status <> 'deleted'"):
        yield f'image_locations, deleted but its data is not: {tuple(row)}'
    for row in _rows(connection, 'SELECT * FROM image_leases'):
        yield f'image_leases, still held: {tuple(row)}'


def _wrong_images(connection: sa.Connection) -> Iterator[str]:
    for image in _rows(connection, 'SELECT * FROM images'):
        allowed = ('deleted',) if image.deleted else ('queued', *WITH_DATA)
        if image.status not in allowed:
            yield f'image {image.id} has status {image.status}, deleted is {image.deleted}'
        if bool(image.deleted) != (image.deleted_at is not None):
            yield f'image {image.id} is half deleted'
        if image.status == 'queued' and any(getattr(image, name) is not None for name in DATA_ATTRIBUTES):
            yield f'image {image.id} is queued and has attributes of data'


def _wrong_files(connection: sa.Connection, server: GlanceServer) -> Iterator[str]:
    places = {}
    for row in _rows(connection, 'SELECT image_id, value FROM image_locations WHERE NOT deleted'):
        places.setdefault(row.image_id, []).append(pathlib.Path(urlparse(row.value).path))
    for image in _rows(connection, 'SELECT * FROM images WHERE NOT deleted'):
        paths = places.get(image.id, [])
        if len(paths) != (image.status in WITH_DATA):
            yield f'image {image.id} is {image.status} and has {len(paths)} locations'
        yield from (f'image {image.id}: {complaint}' for path in paths for complaint in _wrong_data(image, path))
    known = {path for paths in places.values() for path in paths}
    for name in stored_files(server.images):
        if server.images / name not in known:
            yield f'{name} is a file without a record'
    yield from (f'{name} is a file in the staging area' for name in stored_files(server.folder / 'staging'))
    try:
        wait_for('files closed', lambda: not unlinked_files(server))
    except AssertionError:
        yield f'open although they are deleted: {unlinked_files(server)}'


def _wrong_data(image: sa.Row, path: pathlib.Path) -> Iterator[str]:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        yield 'its file does not exist'
        return
    if len(data) != image.size:
        yield f'its file has {len(data)} bytes, the record says {image.size}'
    if hashlib.md5(data, usedforsecurity=False).hexdigest() != image.checksum:
        yield 'its file does not have the recorded checksum'
    if hashlib.new(image.os_hash_algo, data).hexdigest() != image.os_hash_value:
        yield 'its file does not have the recorded hash'


def _rows(connection: sa.Connection, query: str) -> list[sa.Row]:
    return list(connection.execute(sa.text(query)))
