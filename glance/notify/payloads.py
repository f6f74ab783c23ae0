"""The payloads of events: plain data, fit for JSON, computed at the moment of the event.

One section a resource. Payloads never hold locations, tokens, or the service's own ``os_glance_*`` properties.
"""
import datetime
from typing import Any

from glance.domain.image import Image
from glance.domain.member import Member
from glance.domain.properties import is_internal

Payload = dict[str, Any]

# What an import notes on the image about its stores, as names separated by commas.
_STORE_LISTS = ('os_glance_importing_to_stores', 'os_glance_failed_import')


def _time(value: datetime.datetime | None) -> str | None:
    return None if value is None else value.isoformat(timespec='seconds') + 'Z'


# Images

def of_image(image: Image) -> Payload:
    """``image.create``, ``image.update``, ``image.activate``, ``image.deactivate``, ``image.reactivate``."""
    return {
        'id': image.image_id,
        'name': image.name,
        'status': image.status,
        'created_at': _time(image.created_at),
        'updated_at': _time(image.updated_at),
        'min_disk': image.min_disk,
        'min_ram': image.min_ram,
        'protected': image.protected,
        'checksum': image.checksum,
        'os_hash_algo': image.os_hash_algo,
        'os_hash_value': image.os_hash_value,
        'owner': image.owner,
        'disk_format': image.disk_format,
        'container_format': image.container_format,
        'size': image.size,
        'virtual_size': image.virtual_size,
        'is_public': image.visibility == 'public',
        'visibility': image.visibility,
        'os_hidden': image.os_hidden,
        'properties': {name: value for name, value in image.extra_properties.items() if not is_internal(name)},
        'tags': list(image.tags),
        'deleted': False,
        'deleted_at': None,
    }


def of_deleted_image(image: Image, deleted_at: datetime.datetime) -> Payload:
    """``image.delete``."""
    return {**of_image(image), 'deleted': True, 'deleted_at': _time(deleted_at)}


def of_prepared_image(image: Image, store: str | None) -> Payload:
    """``image.prepare``; ``store`` is the id of the store that the data goes to, where there are several."""
    return {**of_uploaded_image(image), **({} if store is None else {'backend': store})}


def of_uploaded_image(image: Image) -> Payload:
    """``image.upload`` of data that was stored."""
    return {**of_image(image), **{name: _names(image.extra_properties.get(name)) for name in _STORE_LISTS}}


def _names(listed: str | None) -> list[str]:
    return [name for name in (listed or '').split(',') if name]


def of_sent_image(image: Image, bytes_sent: int, receiver_project: str | None, receiver_user: str | None,
               destination_ip: str | None = None) -> Payload:
    """``image.send``; ``destination_ip`` is where the bytes went, told of downloads by v1 and from the cache."""
    payload = {
        'bytes_sent': bytes_sent,
        'image_id': image.image_id,
        'owner_id': image.owner,
        'receiver_tenant_id': receiver_project,
        'receiver_user_id': receiver_user,
    }
    return payload if destination_ip is None else {**payload, 'destination_ip': destination_ip}


def of_scrubbed_image(image_id: str, owner: str | None, locations: int, errors: int) -> Payload:
    """``image.scrub``: the data at so many locations of a deleted image is gone, at so many it could not be removed."""
    return {'id': image_id, 'owner': owner, 'locations': locations, 'errors': errors}


# Members

def of_member(member: Member) -> Payload:
    """``image.member.create``, ``image.member.update``."""
    return {
        'image_id': member.image_id,
        'member_id': member.member_id,
        'status': member.status,
        'created_at': _time(member.created_at),
        'updated_at': _time(member.updated_at),
        'deleted': False,
        'deleted_at': None,
    }


def of_deleted_member(member: Member, deleted_at: datetime.datetime) -> Payload:
    """``image.member.delete``."""
    return {**of_member(member), 'deleted': True, 'deleted_at': _time(deleted_at)}
