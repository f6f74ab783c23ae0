"""Pike adds nothing to the schema."""

revision = 'pike_expand01'
down_revision = 'ocata_expand01'


def upgrade() -> None:
    pass
