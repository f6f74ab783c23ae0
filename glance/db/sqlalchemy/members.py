"""Operations on memberships."""
import sqlalchemy as sa

from glance import exceptions
from glance.db import validation
from glance.db.interface import MemberRecord
from glance.db.sqlalchemy.models import image_members, images
from glance.db.sqlalchemy.operations import Operations

FIELDS = ('id', 'image_id', 'member', 'status', 'can_share', 'created_at', 'updated_at')
RECORD = sa.select(*(image_members.c[name] for name in FIELDS))


class MemberOperations(Operations):
    """Projects with which an image is shared."""

    def member_list(self, image_id: str, member: str | None = None) -> list[MemberRecord]:
        if not validation.is_id(image_id) or not (member is None or self._is_member_name(member)):
            return []
        statement = RECORD.where(*self._live(image_id, member)).order_by(image_members.c.created_at, image_members.c.id)
        rows = self._engine.read(lambda connection: connection.execute(statement).all())
        # Two adds at once of other releases may have left two rows of one member.
        return list({row.member: row._asdict() for row in reversed(rows)}.values())[::-1]

    def member_create(self, image_id: str, member: str, status: str = 'pending', can_share: bool = False
                      ) -> MemberRecord:
        validation.check_member(member, status, self._limits)
        if not validation.is_id(image_id):
            raise exceptions.ImageNotFound(str(image_id))
        now = self._dialect.now()
        values = {'status': status, 'can_share': can_share, 'created_at': now, 'updated_at': now, 'deleted_at': None,
                  'deleted': False}

        def create(connection: sa.Connection) -> MemberRecord:
            # The lock of the parent makes adds of one member wait for each other; no constraint does.
            parent = sa.select(images.c.id).where(
                self._dialect.equal(images.c.id, sa.literal(image_id)), images.c.deleted == sa.false())
            if connection.scalar(parent.with_for_update()) is None:
                raise exceptions.ImageNotFound(image_id)
            row = connection.execute(self._rows_of(image_id, member)).first()
            if row is None:
                key = connection.execute(image_members.insert(), {
                    'image_id': image_id, 'member': member, **values}).inserted_primary_key[0]
            elif row.deleted:
                key = row.id
                connection.execute(image_members.update().where(image_members.c.id == key).values(**values))
            else:
                raise exceptions.Duplicate('Project %s is already a member of image %s' % (member, image_id))
            record = {'id': key, 'image_id': image_id, 'member': member, **values}
            return {name: record[name] for name in FIELDS}

        added = sa.select(sa.func.count()).select_from(image_members).where(
            *self._live(image_id, member), image_members.c.created_at == now, image_members.c.status == status)
        return self._engine.write(create, applied=lambda connection: bool(connection.scalar(added)))

    def member_update(self, image_id: str, member: str, status: str) -> MemberRecord:
        validation.check_member_status(status)
        self._check_exists(image_id, member)
        now = self._dialect.now()

        def update(connection: sa.Connection) -> MemberRecord:
            live = self._live(image_id, member)
            changed = connection.execute(image_members.update().where(*live).values(status=status, updated_at=now))
            if not changed.rowcount:
                raise exceptions.MemberNotFound(image_id, member)
            return connection.execute(RECORD.where(*live).order_by(image_members.c.id)).first()._asdict()

        return self._engine.write(update)

    def member_delete(self, image_id: str, member: str) -> None:
        self._check_exists(image_id, member)
        now = self._dialect.now()

        def delete(connection: sa.Connection) -> None:
            live = self._live(image_id, member)
            keys = connection.scalars(sa.select(image_members.c.id).where(*live).order_by(
                image_members.c.id).with_for_update()).all()
            if not keys:
                raise exceptions.MemberNotFound(image_id, member)
            if len(keys) > 1:
                connection.execute(image_members.delete().where(image_members.c.id.in_(keys[1:])))
            connection.execute(image_members.update().where(image_members.c.id == keys[0]).values(
                deleted=True, deleted_at=now, updated_at=now))

        gone = sa.select(sa.func.count()).select_from(image_members).where(*self._live(image_id, member))
        self._engine.write(delete, applied=lambda connection: not connection.scalar(gone))

    def _is_member_name(self, member: str) -> bool:
        return self._can_be_stored(member) and len(member) <= validation.NAME_LENGTH

    def _check_exists(self, image_id: str, member: str) -> None:
        if not validation.is_id(image_id) or not self._is_member_name(member):
            raise exceptions.MemberNotFound(image_id, member)

    def _live(self, image_id: str, member: str | None) -> list[sa.ColumnElement[bool]]:
        terms = [self._dialect.equal(image_members.c.image_id, sa.literal(image_id)),
                 image_members.c.deleted == sa.false()]
        if member is not None:
            terms.append(self._dialect.equal(image_members.c.member, sa.literal(member)))
        return terms

    def _rows_of(self, image_id: str, member: str) -> sa.Select:
        """Select rows of a membership, live ones first."""
        return sa.select(image_members.c.id, image_members.c.deleted).where(
            image_members.c.image_id == image_id,
            self._dialect.equal(image_members.c.member, sa.literal(member))).order_by(
            image_members.c.deleted, image_members.c.id.desc())


def drop_double_members(connection: sa.Connection, image_id: str) -> None:
    """Delete all but the oldest live row of each member: the dead could not keep apart what has one ``deleted_at``."""
    live = image_members.c.image_id == image_id, image_members.c.deleted == sa.false()
    oldest = sa.select(sa.func.min(image_members.c.id)).where(*live).group_by(image_members.c.member)
    kept = connection.scalars(oldest).all()
    connection.execute(image_members.delete().where(*live, image_members.c.id.not_in(kept)))
