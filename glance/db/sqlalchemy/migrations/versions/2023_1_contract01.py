"""2023.1 removes nothing from the schema."""

revision = '2023_1_contract01'
down_revision = 'zed_contract01'
depends_on = '2023_1_expand01'


def upgrade() -> None:
    pass
