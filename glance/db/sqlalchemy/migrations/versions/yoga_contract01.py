"""Yoga removes nothing from the schema."""

revision = 'yoga_contract01'
down_revision = 'xena_contract01'
depends_on = 'yoga_expand01'


def upgrade() -> None:
    pass
