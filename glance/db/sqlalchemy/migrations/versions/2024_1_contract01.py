"""2024.1 removes nothing from the schema."""

revision = '2024_1_contract01'
down_revision = '2023_1_contract01'
depends_on = '2024_1_expand01'


def upgrade() -> None:
    pass
