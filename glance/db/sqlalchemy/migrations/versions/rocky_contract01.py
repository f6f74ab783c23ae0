"""Rocky removes nothing from the schema."""

revision = 'rocky_contract01'
down_revision = 'queens_contract01'
depends_on = 'rocky_expand01'


def upgrade() -> None:
    pass
