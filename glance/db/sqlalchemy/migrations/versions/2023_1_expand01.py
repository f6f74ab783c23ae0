"""2023.1 adds nothing to the schema."""

revision = '2023_1_expand01'
down_revision = 'zed_expand01'


def upgrade() -> None:
    pass
