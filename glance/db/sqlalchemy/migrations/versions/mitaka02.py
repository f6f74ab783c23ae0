"""The resource type of a server gets the name that Nova and Heat use for it."""
import sqlalchemy as sa
from alembic import op

revision = 'mitaka02'
down_revision = 'mitaka01'

OLD, NEW = 'OS::Nova::Instance', 'OS::Nova::Server'


def upgrade() -> None:
    types = sa.table('metadef_resource_types', sa.column('name'))
    connection = op.get_bind()
    if not connection.scalar(sa.select(types.c.name).where(types.c.name == NEW)):
        connection.execute(types.update().where(types.c.name == OLD).values(name=NEW))
