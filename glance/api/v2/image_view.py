"""How an image looks to clients."""
import datetime
from typing import Any

from glance.domain.image import Image
from glance.domain.properties import SHOWN_INTERNAL, is_internal
from glance.environment import Environment


def view(image: Image, env: Environment) -> dict[str, Any]:
    """Return the image as the API shows it: additional properties first, then the base attributes."""
    path = '/v2/images/' + image.image_id
    shown: dict[str, Any] = {
        name: value if value is not None or name in env.schema.properties else ''
        for name, value in image.extra_properties.items() if not is_internal(name) or name in SHOWN_INTERNAL}
    shown.update({
        'name': image.name, 'disk_format': image.disk_format, 'container_format': image.container_format,
        'visibility': image.visibility, 'size': image.size, 'virtual_size': image.virtual_size, 'status': image.status,
        'checksum': image.checksum, 'protected': image.protected, 'min_ram': image.min_ram, 'min_disk': image.min_disk,
        'owner': image.owner, 'os_hidden': image.os_hidden, 'os_hash_algo': image.os_hash_algo,
        'os_hash_value': image.os_hash_value, 'id': image.image_id, 'created_at': timestamp(image.created_at),
        'updated_at': timestamp(image.updated_at), 'tags': image.tags, 'self': path, 'file': path + '/file',
        'schema': '/v2/schemas/image',
    })
    stores = [location.metadata['store'] for location in image.locations if 'store' in location.metadata]
    if stores and env.stores.multiple:
        shown['stores'] = ','.join(stores)
    return shown


def timestamp(moment: datetime.datetime) -> str:
    """Return a naive UTC time in ISO 8601, to the second."""
    return moment.isoformat(timespec='seconds') + 'Z'
