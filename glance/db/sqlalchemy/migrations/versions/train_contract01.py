"""Train removes nothing from the schema."""

revision = 'train_contract01'
down_revision = 'rocky_contract02'
depends_on = 'train_expand01'


def upgrade() -> None:
    pass
