"""Ussuri adds nothing to the schema."""

revision = 'ussuri_expand01'
down_revision = 'train_expand01'


def upgrade() -> None:
    pass
