"""Release 1 removes nothing for the writes that a registry remembers."""

revision = 'v1_contract04'
down_revision = 'v1_contract03'
depends_on = 'v1_expand04'


def upgrade() -> None:
    pass
