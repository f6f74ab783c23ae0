"""Train adds nothing to the schema."""

revision = 'train_expand01'
down_revision = 'rocky_expand02'


def upgrade() -> None:
    pass
