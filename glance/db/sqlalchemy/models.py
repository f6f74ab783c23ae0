"""The tables of the schema.

They are the ones of upstream's head, under the same names, with indexes of our own for the lists (``image_leases``,
``owner_locks``, ``registry_requests`` and ``object_hash`` are ours as well). Columns have no defaults on the side of the
application: each operation writes what it means. Every table that is soft-deleted holds to one invariant: ``deleted`` is
false exactly when ``deleted_at`` is null.
"""
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

metadata = sa.MetaData()

BigInteger = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')   # SQLite's integers have 64 bits under either name
VISIBILITIES = ('private', 'public', 'shared', 'community')
# The order of NULLs in an index of PostgreSQL has to be that of the lists: NULL is the smallest value.
NULL_NAMES_FIRST = {'name': 'NULLS FIRST'}
INNODB = {'mysql_engine': 'InnoDB', 'mysql_charset': 'utf8mb4',
          'mariadb_engine': 'InnoDB', 'mariadb_charset': 'utf8mb4'}


def _boolean(name: str) -> sa.Column:
    return sa.Column(name, sa.Boolean(create_constraint=True), nullable=False)


def _timestamps() -> tuple[sa.Column, ...]:
    return sa.Column('created_at', sa.DateTime, nullable=False), sa.Column('updated_at', sa.DateTime)


def _soft_delete() -> tuple[sa.Column, ...]:
    return *_timestamps(), sa.Column('deleted_at', sa.DateTime), _boolean('deleted')


def _image_id() -> sa.Column:
    return sa.Column('image_id', sa.String(36), sa.ForeignKey('images.id'), nullable=False)


def _namespace_id() -> sa.Column:
    return sa.Column('namespace_id', sa.Integer, sa.ForeignKey('metadef_namespaces.id'), nullable=False)


def _table(name: str, *parts: sa.schema.SchemaItem) -> sa.Table:
    return sa.Table(name, metadata, *parts, **INNODB)


images = _table(
    'images',
    sa.Column('id', sa.String(36), primary_key=True),
    sa.Column('name', sa.String(255)),
    sa.Column('size', BigInteger),
    sa.Column('status', sa.String(30), nullable=False),
    *_soft_delete(),
    sa.Column('disk_format', sa.String(20)),
    sa.Column('container_format', sa.String(20)),
    sa.Column('checksum', sa.String(32)),
    sa.Column('owner', sa.String(255)),
    sa.Column('min_disk', sa.Integer, nullable=False),
    sa.Column('min_ram', sa.Integer, nullable=False),
    sa.Column('protected', sa.Boolean(create_constraint=True), nullable=False, server_default=sa.false()),
    sa.Column('virtual_size', BigInteger),
    sa.Column('visibility', sa.Enum(*VISIBILITIES, name='image_visibility'), nullable=False, server_default='shared'),
    sa.Column('os_hidden', sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column('os_hash_algo', sa.String(64)),
    sa.Column('os_hash_value', sa.String(128)),
    sa.Index('checksum_image_idx', 'checksum'),
    sa.Index('created_at_image_idx', 'created_at'),
    sa.Index('updated_at_image_idx', 'updated_at'),
    sa.Index('os_hash_value_image_idx', 'os_hash_value'),
    sa.Index('ix_images_owner_created', 'owner', 'deleted', 'os_hidden', 'created_at', 'id'),
    sa.Index('ix_images_vis_created', 'visibility', 'deleted', 'os_hidden', 'created_at', 'id'),
    sa.Index('ix_images_created', 'deleted', 'os_hidden', 'created_at', 'id'),
    sa.Index('ix_images_owner_name', 'owner', 'deleted', 'os_hidden', 'name', 'created_at', 'id',
             postgresql_ops=NULL_NAMES_FIRST),
    sa.Index('ix_images_hidden_name', 'deleted', 'os_hidden', 'name', 'created_at', 'id',
             postgresql_ops=NULL_NAMES_FIRST),
    sa.Index('ix_images_name', 'name', 'deleted', 'created_at', 'id'),
    sa.Index('ix_images_owner_status', 'owner', 'status', 'size'),
)

image_properties = _table(
    'image_properties',
    sa.Column('id', sa.Integer, primary_key=True),
    _image_id(),
    sa.Column('name', sa.String(255), nullable=False),
    sa.Column('value', sa.Text),
    *_soft_delete(),
    sa.UniqueConstraint('image_id', 'name', name='ix_image_properties_image_id_name'),
    sa.Index('ix_image_properties_name', 'name', 'deleted', mysql_length={'name': 40}, mariadb_length={'name': 40}),
)

image_locations = _table(
    'image_locations',
    sa.Column('id', sa.Integer, primary_key=True),
    _image_id(),
    sa.Column('value', sa.Text, nullable=False),
    *_soft_delete(),
    sa.Column('meta_data', sa.Text),
    sa.Column('status', sa.String(30), nullable=False, server_default='active'),
    sa.Column('object_hash', sa.String(64)),
    sa.Index('ix_image_locations_image_id', 'image_id'),
    sa.Index('ix_image_locations_object_hash', 'object_hash', unique=True),
)

image_members = _table(
    'image_members',
    sa.Column('id', sa.Integer, primary_key=True),
    _image_id(),
    sa.Column('member', sa.String(255), nullable=False),
    _boolean('can_share'),
    *_soft_delete(),
    sa.Column('status', sa.String(20), nullable=False, server_default='pending'),
    sa.UniqueConstraint('image_id', 'member', 'deleted_at', name='image_members_image_id_member_deleted_at_key'),
    sa.Index('ix_image_members_image_id_member', 'image_id', 'member'),
    sa.Index('ix_image_members_member', 'member', 'deleted', 'status', 'image_id'),
)

image_tags = _table(
    'image_tags',
    sa.Column('id', sa.Integer, primary_key=True),
    _image_id(),
    sa.Column('value', sa.String(255), nullable=False),
    *_soft_delete(),
    sa.Index('ix_image_tags_image_id_tag_value', 'image_id', 'value'),
    sa.Index('ix_image_tags_value', 'value', 'deleted', 'image_id'),
)

image_leases = _table(
    'image_leases',
    sa.Column('image_id', sa.String(36), sa.ForeignKey('images.id'), primary_key=True),
    sa.Column('attempt', sa.String(36), nullable=False),
    sa.Column('worker', sa.String(255), nullable=False),
    sa.Column('expires_at', sa.DateTime, nullable=False),
    sa.Column('owner', sa.String(255)),
    sa.Column('storage', BigInteger, nullable=False),
    sa.Column('staging', BigInteger, nullable=False),
    sa.Index('ix_image_leases_expires_at', 'expires_at'),
)

image_id_tombstones = _table(
    'image_id_tombstones',
    sa.Column('image_id', sa.String(36), primary_key=True),
    sa.Column('purged_at', sa.DateTime, nullable=False),
)

owner_locks = _table(
    'owner_locks',
    sa.Column('owner', sa.String(255), primary_key=True),
    sa.Column('ticket', sa.String(36), nullable=False),
)

tasks = _table(
    'tasks',
    sa.Column('id', sa.String(36), primary_key=True),
    sa.Column('type', sa.String(30), nullable=False),
    sa.Column('status', sa.String(30), nullable=False),
    sa.Column('owner', sa.String(255), nullable=False),
    sa.Column('expires_at', sa.DateTime),
    *_soft_delete(),
    sa.Column('image_id', sa.String(36)),
    sa.Column('request_id', sa.String(64)),
    sa.Column('user_id', sa.String(64)),
    sa.Index('ix_tasks_type', 'type'),
    sa.Index('ix_tasks_status', 'status'),
    sa.Index('ix_tasks_owner', 'owner'),
    sa.Index('ix_tasks_image_id', 'image_id'),
    sa.Index('ix_tasks_updated_at', 'updated_at'),
    sa.Index('ix_tasks_owner_created', 'owner', 'deleted', 'created_at', 'id'),
)

task_info = _table(
    'task_info',
    sa.Column('task_id', sa.String(36), sa.ForeignKey('tasks.id'), primary_key=True),
    sa.Column('input', sa.Text),
    sa.Column('result', sa.Text),
    sa.Column('message', sa.Text),
)

metadef_namespaces = _table(
    'metadef_namespaces',
    sa.Column('id', sa.Integer, primary_key=True),
    sa.Column('namespace', sa.String(80), nullable=False),
    sa.Column('display_name', sa.String(80)),
    sa.Column('description', sa.Text),
    sa.Column('visibility', sa.String(32)),
    sa.Column('protected', sa.Boolean(create_constraint=True)),
    sa.Column('owner', sa.String(255), nullable=False),
    *_timestamps(),
    sa.UniqueConstraint('namespace', name='uq_metadef_namespaces_namespace'),
    sa.Index('ix_metadef_namespaces_owner', 'owner'),
)

metadef_objects = _table(
    'metadef_objects',
    sa.Column('id', sa.Integer, primary_key=True),
    _namespace_id(),
    sa.Column('name', sa.String(80), nullable=False),
    sa.Column('description', sa.Text),
    sa.Column('required', sa.Text),
    sa.Column('json_schema', sa.Text, nullable=False),
    *_timestamps(),
    sa.UniqueConstraint('namespace_id', 'name', name='uq_metadef_objects_namespace_id_name'),
    sa.Index('ix_metadef_objects_name', 'name'),
)

metadef_properties = _table(
    'metadef_properties',
    sa.Column('id', sa.Integer, primary_key=True),
    _namespace_id(),
    sa.Column('name', sa.String(80), nullable=False),
    sa.Column('json_schema', sa.Text, nullable=False),
    *_timestamps(),
    sa.UniqueConstraint('namespace_id', 'name', name='uq_metadef_properties_namespace_id_name'),
    sa.Index('ix_metadef_properties_name', 'name'),
)

metadef_tags = _table(
    'metadef_tags',
    sa.Column('id', sa.Integer, primary_key=True),
    _namespace_id(),
    sa.Column('name', sa.String(80), nullable=False),
    *_timestamps(),
    sa.UniqueConstraint('namespace_id', 'name', name='uq_metadef_tags_namespace_id_name'),
    sa.Index('ix_metadef_tags_name', 'name'),
)

metadef_resource_types = _table(
    'metadef_resource_types',
    sa.Column('id', sa.Integer, primary_key=True),
    sa.Column('name', sa.String(80), nullable=False),
    _boolean('protected'),
    *_timestamps(),
    sa.UniqueConstraint('name', name='uq_metadef_resource_types_name'),
)

metadef_namespace_resource_types = _table(
    'metadef_namespace_resource_types',
    sa.Column('resource_type_id', sa.Integer, sa.ForeignKey('metadef_resource_types.id'), primary_key=True),
    sa.Column('namespace_id', sa.Integer, sa.ForeignKey('metadef_namespaces.id'), primary_key=True),
    sa.Column('properties_target', sa.String(80)),
    sa.Column('prefix', sa.String(80)),
    *_timestamps(),
    sa.Index('ix_metadef_ns_res_types_namespace_id', 'namespace_id'),
)

node_reference = _table(
    'node_reference',
    sa.Column('node_reference_id', BigInteger, primary_key=True),
    sa.Column('node_reference_url', sa.String(255), nullable=False),
    sa.UniqueConstraint('node_reference_url', name='uq_node_reference_node_reference_url'),
)

cached_images = _table(
    'cached_images',
    sa.Column('id', BigInteger, primary_key=True),
    sa.Column('image_id', sa.String(36), nullable=False),
    sa.Column('last_accessed', sa.DateTime, nullable=False),
    sa.Column('last_modified', sa.DateTime, nullable=False),
    sa.Column('size', BigInteger, nullable=False),
    sa.Column('hits', sa.Integer, nullable=False),
    sa.Column('checksum', sa.String(32)),
    sa.Column('node_reference_id', BigInteger, sa.ForeignKey('node_reference.node_reference_id'), nullable=False),
    sa.UniqueConstraint('image_id', 'node_reference_id', name='ix_cached_images_image_id_node_reference_id'),
    sa.Index('ix_cached_images_node_accessed', 'node_reference_id', 'last_accessed'),
)

registry_requests = _table(
    'registry_requests',
    sa.Column('request_key', sa.String(36), primary_key=True),
    sa.Column('attempt', sa.String(36), nullable=False),
    sa.Column('digest', sa.String(64), nullable=False),
    sa.Column('answer', sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), 'mysql', 'mariadb')),
    sa.Column('expires_at', sa.DateTime, nullable=False),
    sa.Index('ix_registry_requests_expires_at', 'expires_at'),
)
