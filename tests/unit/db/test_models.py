"""The tables themselves."""
import unittest

from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from glance.db.sqlalchemy import models

DROPPED = {'ix_images_deleted', 'os_hidden_image_idx', 'owner_image_idx', 'visibility_image_idx',
           'ix_image_properties_deleted', 'ix_image_properties_image_id', 'ix_image_locations_deleted',
           'ix_image_members_deleted', 'ix_image_members_image_id', 'ix_image_tags_image_id', 'ix_tasks_deleted'}
ADDED = {'ix_images_owner_created', 'ix_images_vis_created', 'ix_images_created', 'ix_images_owner_name', 'ix_images_name',
         'ix_images_owner_status', 'ix_image_members_member', 'ix_image_tags_value', 'ix_tasks_owner_created',
         'ix_cached_images_node_accessed', 'ix_image_properties_name'}


class Models(unittest.TestCase):
    def test_tables(self):
        self.assertEqual({
            'images', 'image_properties', 'image_locations', 'image_members', 'image_tags', 'image_leases',
            'owner_locks', 'tasks', 'task_info', 'metadef_namespaces', 'metadef_objects', 'metadef_properties', 'metadef_tags',
            'metadef_resource_types', 'metadef_namespace_resource_types', 'node_reference', 'cached_images',
            'image_id_tombstones', 'registry_requests',
        }, set(models.metadata.tables))

    def test_indexes_of_the_plan(self):
        names = [index.name for table in models.metadata.tables.values() for index in table.indexes]
        self.assertEqual(len(names), len(set(names)))
        self.assertEqual(set(), ADDED - set(names))
        self.assertEqual(set(), DROPPED & set(names))

    def test_soft_deleted_tables_have_all_four_columns(self):
        for table in models.metadata.tables.values():
            found = {'deleted', 'deleted_at'} & set(table.c.keys())
            self.assertIn(len(found), (0, 2), table.name)
            if found:
                self.assertEqual((False, True, False), tuple(table.c[name].nullable for name in (
                    'deleted', 'deleted_at', 'created_at')))

    def test_the_definitions_compile_for_every_engine(self):
        for dialect in (sqlite.dialect(), postgresql.dialect(), mysql.dialect()):
            for table in models.metadata.tables.values():
                statement = str(CreateTable(table).compile(dialect=dialect))
                self.assertEqual(dialect.name == 'mysql', 'ENGINE=InnoDB' in statement and 'CHARSET=utf8mb4' in statement)
                for index in table.indexes:
                    CreateIndex(index).compile(dialect=dialect)
