"""JSON schemas of what the API shows (JSON Schema, draft 4), which clients use to tell base attributes from others."""
from typing import Any

import webob

from glance.api.request import Request, json_response
from glance.domain.image import STATUSES, VISIBILITIES
from glance.domain.member import STATUSES as MEMBER_STATUSES
from glance.environment import Environment

_UUID_PATTERN = '^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$'
_NULLABLE = ['null', 'string']
_MEMBER: dict[str, Any] = {'name': 'member', 'properties': {
    'member_id': {'type': 'string', 'description': 'The project that the image is shared with.'},
    'image_id': {'type': 'string', 'pattern': _UUID_PATTERN, 'description': 'Identifies the image.'},
    'created_at': {'type': 'string', 'description': 'When the project became a member.'},
    'updated_at': {'type': 'string', 'description': 'When the membership was last changed.'},
    'status': {'type': 'string', 'enum': list(MEMBER_STATUSES), 'description': 'What the project thinks of the image.'},
    'schema': {'type': 'string', 'readOnly': True, 'description': 'The path of this schema.'},
}}


def image(request: Request) -> webob.Response:
    """``GET /v2/schemas/image``."""
    request.refuse_body()
    return json_response(200, image_schema(request.env))


def images(request: Request) -> webob.Response:
    """``GET /v2/schemas/images``."""
    request.refuse_body()
    string = {'type': 'string'}
    return json_response(200, {
        'name': 'images',
        'properties': {'images': {'type': 'array', 'items': image_schema(request.env)}, 'first': string, 'next': string,
                       'schema': string},
        'links': [{'rel': 'first', 'href': '{first}'}, {'rel': 'next', 'href': '{next}'},
                  {'rel': 'describedby', 'href': '{schema}'}]})


def member(request: Request) -> webob.Response:
    """``GET /v2/schemas/member``."""
    request.refuse_body()
    return json_response(200, _MEMBER)


def members(request: Request) -> webob.Response:
    """``GET /v2/schemas/members``."""
    request.refuse_body()
    return json_response(200, {
        'name': 'members',
        'properties': {'members': {'type': 'array', 'items': _MEMBER}, 'schema': {'type': 'string'}},
        'links': [{'rel': 'describedby', 'href': '{schema}'}]})


def image_schema(env: Environment) -> dict[str, Any]:
    """Return the schema of an image, with the operator's additional properties."""
    schema: dict[str, Any] = {
        'name': 'image', 'properties': {**_base(env), **env.schema.properties},
        'additionalProperties': {'type': 'string'},
        'links': [{'rel': 'self', 'href': '{self}'}, {'rel': 'enclosure', 'href': '{file}'},
                  {'rel': 'describedby', 'href': '{schema}'}]}
    if env.schema.required:
        schema['required'] = list(env.schema.required)
    return schema


def _base(env: Environment) -> dict[str, dict[str, Any]]:
    formats = env.conf.image_format
    return {
        'id': {'type': 'string', 'pattern': _UUID_PATTERN, 'description': 'Identifies the image.'},
        'name': {'type': _NULLABLE, 'maxLength': 255, 'description': 'A name for people; it need not be unique.'},
        'status': {'type': 'string', 'readOnly': True, 'enum': list(STATUSES), 'description': 'Where the image stands.'},
        'visibility': {'type': 'string', 'enum': list(VISIBILITIES), 'description': 'Who sees the image.'},
        'protected': {'type': 'boolean', 'description': 'A protected image cannot be deleted.'},
        'os_hidden': {'type': 'boolean', 'description': 'A hidden image is left out of lists that do not ask for it.'},
        'checksum': {'type': _NULLABLE, 'readOnly': True, 'maxLength': 32, 'description': 'MD5 of the data.'},
        'os_hash_algo': {'type': _NULLABLE, 'readOnly': True, 'maxLength': 64,
                         'description': 'The algorithm of os_hash_value.'},
        'os_hash_value': {'type': _NULLABLE, 'readOnly': True, 'maxLength': 128,
                          'description': 'Hash of the data, in hexadecimal digits.'},
        'owner': {'type': _NULLABLE, 'maxLength': 255, 'description': 'The project that the image belongs to.'},
        'size': {'type': ['null', 'integer'], 'readOnly': True, 'description': 'Bytes of data.'},
        'virtual_size': {'type': ['null', 'integer'], 'readOnly': True, 'description': 'Bytes of the disk in the data.'},
        'container_format': {'type': _NULLABLE, 'enum': [None, *formats.container_formats],
                             'description': 'What the disk is wrapped in.'},
        'disk_format': {'type': _NULLABLE, 'enum': [None, *formats.disk_formats], 'description': 'Format of the disk.'},
        'created_at': {'type': 'string', 'readOnly': True, 'description': 'When the image was created.'},
        'updated_at': {'type': 'string', 'readOnly': True, 'description': 'When the image was last changed.'},
        'tags': {'type': 'array', 'items': {'type': 'string', 'maxLength': 255}, 'description': 'Words to find it by.'},
        'direct_url': {'type': 'string', 'readOnly': True, 'description': 'Where the data is in its store.'},
        'min_ram': {'type': 'integer', 'description': 'MB of memory that a server needs to boot the image.'},
        'min_disk': {'type': 'integer', 'description': 'GB of disk that a server needs to boot the image.'},
        'self': {'type': 'string', 'readOnly': True, 'description': 'The path of the image.'},
        'file': {'type': 'string', 'readOnly': True, 'description': 'The path of its data.'},
        'stores': {'type': 'string', 'readOnly': True, 'description': 'The stores that hold its data.'},
        'schema': {'type': 'string', 'readOnly': True, 'description': 'The path of this schema.'},
        'locations': {'type': 'array', 'description': 'Where the data is, with what each store says about it.',
                      'items': _location()},
    }


def _location() -> dict[str, Any]:
    validation = {
        'type': 'object', 'writeOnly': True, 'additionalProperties': False,
        'required': ['os_hash_algo', 'os_hash_value'],
        'properties': {'checksum': {'type': 'string', 'minLength': 32, 'maxLength': 32},
                       'os_hash_algo': {'type': 'string', 'maxLength': 64},
                       'os_hash_value': {'type': 'string', 'maxLength': 128}}}
    return {'type': 'object', 'required': ['url', 'metadata'],
            'properties': {'url': {'type': 'string', 'maxLength': 255}, 'metadata': {'type': 'object'},
                           'validation_data': validation}}
