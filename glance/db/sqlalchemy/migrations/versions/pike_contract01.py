"""Pike removes the tables of the experimental artifacts."""
from glance.db.sqlalchemy.migrations import guarded

revision = 'pike_contract01'
down_revision = 'ocata_contract01'
depends_on = 'pike_expand01'

CHILDREN_FIRST = ('artifact_blob_locations', 'artifact_blobs', 'artifact_dependencies', 'artifact_properties',
                  'artifact_tags', 'artifacts')


def upgrade() -> None:
    for table in CHILDREN_FIRST:
        guarded.drop_table(table)
