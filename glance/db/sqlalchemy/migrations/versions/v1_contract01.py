"""Release 1 removes indexes that others cover, or that tempt an optimizer to read a quarter of the table.

No column goes away: a service of upstream's newest release still works on the result.
"""
from glance.db.sqlalchemy.migrations import guarded

revision = 'v1_contract01'
down_revision = '2024_1_contract01'
depends_on = 'v1_expand01'

REDUNDANT = {
    'images': ('ix_images_deleted', 'os_hidden_image_idx', 'owner_image_idx', 'visibility_image_idx'),
    'image_properties': ('ix_image_properties_deleted', 'ix_image_properties_image_id'),
    'image_locations': ('ix_image_locations_deleted',),
    'image_members': ('ix_image_members_deleted', 'ix_image_members_image_id'),
    'image_tags': ('ix_image_tags_image_id',),
    'tasks': ('ix_tasks_deleted',),
}


def upgrade() -> None:
    for table, indexes in REDUNDANT.items():
        for index in indexes:
            guarded.drop_index(index, table)
