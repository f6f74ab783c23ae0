"""Xena removes nothing from the schema."""

revision = 'xena_contract01'
down_revision = 'wallaby_contract01'
depends_on = 'xena_expand01'


def upgrade() -> None:
    pass
