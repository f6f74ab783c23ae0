"""Release 1 removes nothing for the ids of purged images."""

revision = 'v1_contract03'
down_revision = 'v1_contract02'
depends_on = 'v1_expand03'


def upgrade() -> None:
    pass
