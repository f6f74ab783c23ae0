"""How an image looks to clients."""
import datetime
from typing import Any

from glance.api.request import Request
from glance.domain.image import Image
from glance.domain.properties import SHOWN_INTERNAL, is_internal


def view(image: Image, request: Request) -> dict[str, Any]:
    """Return the image as the API shows it to this caller: additional properties first, then the base attributes."""
    env = request.env
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
        'updated_at': timestamp(image.updated_at),
    })
    # Where the data of a deactivated image is, is the administrator's business alone.
    locations = image.locations if image.status != 'deactivated' or request.context.is_admin else []
    if env.conf.show_multiple_locations:
        shown['locations'] = [{'url': location.url, 'metadata': location.metadata} for location in locations]
    if env.conf.show_image_direct_url and locations:
        shown['direct_url'] = locations[0].url
    shown.update({'tags': image.tags, 'self': path, 'file': path + '/file', 'schema': '/v2/schemas/image'})
    stores = [location.metadata['store'] for location in locations if 'store' in location.metadata]
    if stores and env.stores.multiple:
        shown['stores'] = ','.join(stores)
    return shown


def timestamp(moment: datetime.datetime) -> str:
    """Return a naive UTC time in ISO 8601, to the second."""
    return moment.isoformat(timespec='seconds') + 'Z'
