"""Ussuri removes nothing from the schema."""

revision = 'ussuri_contract01'
down_revision = 'train_contract01'
depends_on = 'ussuri_expand01'


def upgrade() -> None:
    pass
