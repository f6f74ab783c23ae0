"""Commands of former releases on properties, members and tags of images."""
from typing import Any

from glance import exceptions
from glance.db.interface import Anyone, ImageChanges, ImageQuery, MemberRecord
from glance.registry.classic import shapes
from glance.registry.classic.session import Session


def image_property_create(session: Session, values: dict[str, Any]) -> dict[str, Any]:
    record = session.mutable(values['image_id'])
    name, value = values['name'], values.get('value')
    session.check_new_values({}, {name: value}, record)
    session.database.image_update(record['id'], ImageChanges(add_properties={name: value}))
    return shapes.image_property(record, name, value)


def image_property_delete(session: Session, prop_ref: str, image_ref: str) -> dict[str, Any]:
    record = session.mutable(image_ref)
    if prop_ref not in record['properties']:
        raise exceptions.NotFound('Image %s has no property %s' % (image_ref, prop_ref))
    session.database.image_update(record['id'], ImageChanges(remove_properties=[prop_ref]))
    return {**shapes.image_property(record, prop_ref, record['properties'][prop_ref]), 'deleted': True}


# Members

def image_member_create(session: Session, values: dict[str, Any]) -> dict[str, Any]:
    record = session.mutable(values['image_id'])
    return shapes.member(session.database.member_create(
        record['id'], values['member'], values.get('status') or 'pending', bool(values.get('can_share'))))


def image_member_update(session: Session, memb_id: str, values: dict[str, Any]) -> dict[str, Any]:
    found = _membership(session, memb_id)
    image_id, name = found['image_id'], found['member']
    can_share = bool(values.get('can_share', found['can_share']))
    if session.context.owner != name or can_share != found['can_share']:
        session.mutable(image_id)
    status = values.get('status', found['status'])
    if can_share != found['can_share']:
        session.database.member_delete(image_id, name)
        return shapes.member(session.database.member_create(image_id, name, status, can_share))
    return shapes.member(session.database.member_update(image_id, name, status))


def image_member_delete(session: Session, memb_id: str) -> None:
    found = _membership(session, memb_id)
    session.mutable(found['image_id'])
    session.database.member_delete(found['image_id'], found['member'])


def image_member_find(session: Session, image_id: str | None = None, member: str | None = None, status: str | None = None,
                      include_deleted: bool = False) -> list[dict[str, Any]]:
    if image_id is not None:
        found = session.database.member_list(image_id, member)
        owns = session.owns(_owner(session, image_id))
    else:
        found, owns = _memberships(session, member or session.context.owner), session.is_admin
    return [shapes.member(one) for one in found if (status is None or one['status'] == status)
            and (owns or one['member'] == session.context.owner)]


def image_member_count(session: Session, image_id: str) -> int:
    if not image_id:
        raise exceptions.Invalid('An image is needed whose members are to be counted.')
    session.visible(image_id)
    return len(session.database.member_list(image_id))


def _membership(session: Session, member_id: str) -> MemberRecord:
    image_id, name = shapes.split_member_id(member_id)
    session.visible(image_id)
    found = session.database.member_list(image_id, name)
    if not found:
        raise exceptions.MemberNotFound(image_id, name)
    return found[0]


def _memberships(session: Session, member: str | None) -> list[MemberRecord]:
    """Return the memberships of a project in all images that are shared with it."""
    if member is None:
        return []
    query = ImageQuery(visibility='shared', member_status='all', hidden=None)
    shared = session.database.image_list(Anyone(False, member), query)
    return [one for record in shared if record['is_member'] for one in session.database.member_list(record['id'], member)]


def _owner(session: Session, image_id: str) -> str | None:
    try:
        return session.visible(image_id)['owner']
    except exceptions.ImageNotFound:
        return None


# Tags

def image_tag_set_all(session: Session, image_id: str, tags: list[str]) -> None:
    record, wanted = session.mutable(image_id), shapes.names(tags)
    gone = [tag for tag in record['tags'] if tag not in wanted]
    session.database.image_update(image_id, ImageChanges(add_tags=wanted, remove_tags=gone))


def image_tag_create(session: Session, image_id: str, value: str) -> str:
    session.mutable(image_id)
    session.database.image_update(image_id, ImageChanges(add_tags=[value]))
    return value


def image_tag_delete(session: Session, image_id: str, value: str) -> None:
    if value not in session.mutable(image_id)['tags']:
        raise exceptions.TagNotFound(image_id, value)
    session.database.image_update(image_id, ImageChanges(remove_tags=[value]))


def image_tag_get_all(session: Session, image_id: str) -> list[str]:
    return session.visible(image_id)['tags']
