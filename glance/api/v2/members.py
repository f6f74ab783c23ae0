"""Members of an image: the projects that it is shared with."""
from typing import Any

import webob

from glance import exceptions, gateway
from glance.api.request import Request, json_response, no_content
from glance.api.v2.image_view import timestamp
from glance.domain.member import Member, check_member_id
from glance.layers.base import Members


def create(request: Request, image_id: str) -> webob.Response:
    """``POST /v2/images/{image_id}/members``: 200 with the new member."""
    member_id = check_member_id(request.json_object().get('member'))
    members = _members_of(image_id, request)
    member = members.new(member_id)
    members.add(member)
    return json_response(200, view(member))


def index(request: Request, image_id: str) -> webob.Response:
    """``GET /v2/images/{image_id}/members``: 200 with the members that the caller may see, the oldest first."""
    request.refuse_body()
    members = _members_of(image_id, request).list()
    return json_response(200, {'members': [view(member) for member in members], 'schema': '/v2/schemas/members'})


def show(request: Request, image_id: str, member_id: str) -> webob.Response:
    """``GET /v2/images/{image_id}/members/{member_id}``: 200 with the member."""
    request.refuse_body()
    return json_response(200, view(_members_of(image_id, request).get(member_id)))


def update(request: Request, image_id: str, member_id: str) -> webob.Response:
    """``PUT /v2/images/{image_id}/members/{member_id}``: 200 with the member and its new status."""
    values = request.json_object()
    if 'status' not in values:
        raise exceptions.Invalid('The request body must have a "status".')
    members = _members_of(image_id, request)
    member = members.get(member_id, rule='modify_member')
    member.set_status(values['status'])
    members.save(member)
    return json_response(200, view(member))


def delete(request: Request, image_id: str, member_id: str) -> webob.Response:
    """``DELETE /v2/images/{image_id}/members/{member_id}``: 204; the project sees the image no more."""
    request.refuse_body()
    members = _members_of(image_id, request)
    members.remove(members.get(member_id, rule='delete_member'))
    return no_content()


def view(member: Member) -> dict[str, Any]:
    """Return the member as the API shows it."""
    return {'member_id': member.member_id, 'image_id': member.image_id, 'status': member.status,
            'created_at': timestamp(member.created_at), 'updated_at': timestamp(member.updated_at),
            'schema': '/v2/schemas/member'}


def _members_of(image_id: str, request: Request) -> Members:
    return gateway.members(request.context, request.env, request.images.get(image_id))
