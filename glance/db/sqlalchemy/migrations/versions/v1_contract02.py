"""Release 1 removes nothing more."""

revision = 'v1_contract02'
down_revision = 'v1_contract01'
depends_on = 'v1_expand02'


def upgrade() -> None:
    pass
