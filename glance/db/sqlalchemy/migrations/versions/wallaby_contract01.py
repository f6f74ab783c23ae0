"""Wallaby removes nothing from the schema."""

revision = 'wallaby_contract01'
down_revision = 'ussuri_contract01'
depends_on = 'wallaby_expand01'


def upgrade() -> None:
    pass
