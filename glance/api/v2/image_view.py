"""How an image looks to clients."""
import datetime
from typing import Any

from glance.api.request import Request
from glance.domain.image import Image, Location
from glance.domain.properties import is_shown
from glance.layers.policy import target_of
from glance.store.backends import Backends
from glance.store.location import without_credentials


def view(image: Image, request: Request) -> dict[str, Any]:
    """Return the image as the API shows it to this caller: additional properties first, then the base attributes."""
    env = request.env
    path = '/v2/images/' + image.image_id
    shown: dict[str, Any] = {
        name: value if value is not None or name in env.schema.properties else ''
        for name, value in image.extra_properties.items() if is_shown(name)}
    shown.update({
        'name': image.name, 'disk_format': image.disk_format, 'container_format': image.container_format,
        'visibility': image.visibility, 'size': image.size, 'virtual_size': image.virtual_size, 'status': image.status,
        'checksum': image.checksum, 'protected': image.protected, 'min_ram': image.min_ram, 'min_disk': image.min_disk,
        'owner': image.owner, 'os_hidden': image.os_hidden, 'os_hash_algo': image.os_hash_algo,
        'os_hash_value': image.os_hash_value, 'id': image.image_id, 'created_at': timestamp(image.created_at),
        'updated_at': timestamp(image.updated_at),
    })
    locations = visible_locations(image, request)
    if (env.conf.show_multiple_locations or env.conf.show_image_direct_url) and _may_see_locations(image, request):
        if env.conf.show_multiple_locations:
            shown['locations'] = locations_view(locations, request)
        if env.conf.show_image_direct_url and locations:
            shown['direct_url'] = without_credentials(locations[0].url)
    shown.update({'tags': image.tags, 'self': path, 'file': path + '/file', 'schema': '/v2/schemas/image'})
    stores = [found for location in locations if (found := _with_store(location, env.stores).get('store'))]
    if stores and env.stores.multiple:
        shown['stores'] = ','.join(stores)
    return shown


def visible_locations(image: Image, request: Request) -> list[Location]:
    """Return the locations that this caller may know of, the one to read first coming first."""
    # Where the data of a deactivated image is, is the administrator's business alone.
    if image.status == 'deactivated' and not request.context.is_admin:
        return []
    return request.env.stores.in_reading_order(image.locations)


def locations_view(locations: list[Location], request: Request) -> list[dict[str, Any]]:
    """Return locations as the API shows them."""
    stores = request.env.stores
    return [{'url': without_credentials(location.url), 'metadata': _with_store(location, stores)} for location in locations]


def _with_store(location: Location, stores: Backends) -> dict[str, Any]:
    """Return the metadata with the store that the location is in by now, where that can be told."""
    name = stores.name_of(location.url, location.metadata) if stores.multiple else None
    return {**location.metadata, 'store': name} if name else location.metadata


def _may_see_locations(image: Image, request: Request) -> bool:
    # The default of the rule names the project of the image, but services read locations of public images with the tokens
    # of users: it counts only where an operator has decided otherwise.
    enforcer = request.env.enforcer
    return not enforcer.is_overridden('get_image_location') or enforcer.allows(
        request.context, 'get_image_location', target_of(image))


def timestamp(moment: datetime.datetime) -> str:
    """Return a naive UTC time in ISO 8601, to the second."""
    return moment.isoformat(timespec='seconds') + 'Z'
