"""Yoga adds nothing to the schema."""

revision = 'yoga_expand01'
down_revision = 'xena_expand01'


def upgrade() -> None:
    pass
