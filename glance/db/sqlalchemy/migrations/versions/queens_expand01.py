"""Queens adds nothing to the schema."""

revision = 'queens_expand01'
down_revision = 'pike_expand01'


def upgrade() -> None:
    pass
