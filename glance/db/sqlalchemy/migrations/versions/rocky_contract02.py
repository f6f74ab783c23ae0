"""Rocky removes nothing from the schema."""

revision = 'rocky_contract02'
down_revision = 'rocky_contract01'
depends_on = 'rocky_expand02'


def upgrade() -> None:
    pass
