"""Xena adds nothing to the schema."""

revision = 'xena_expand01'
down_revision = 'wallaby_expand01'


def upgrade() -> None:
    pass
