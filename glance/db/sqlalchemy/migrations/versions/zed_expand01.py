"""Zed adds nothing to the schema."""

revision = 'zed_expand01'
down_revision = 'yoga_expand01'


def upgrade() -> None:
    pass
