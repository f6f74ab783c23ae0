"""The schema of Liberty, without the artifacts that were experimental then and are gone since Pike."""
import sqlalchemy as sa

from glance.db.sqlalchemy.migrations import guarded

revision = 'liberty'
down_revision = None

BigInteger = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')


def upgrade() -> None:
    _images()
    _properties_and_locations()
    _members_and_tags()
    _tasks()
    _namespaces_and_resource_types()
    _definitions()


def _boolean(name: str) -> sa.Column:
    return sa.Column(name, sa.Boolean(create_constraint=True), nullable=False)


def _timestamps() -> tuple[sa.Column, ...]:
    return sa.Column('created_at', sa.DateTime, nullable=False), sa.Column('updated_at', sa.DateTime)


def _soft_delete() -> tuple[sa.Column, ...]:
    return *_timestamps(), sa.Column('deleted_at', sa.DateTime), _boolean('deleted')


def _serial() -> sa.Column:
    return sa.Column('id', sa.Integer, primary_key=True)


def _image_id() -> sa.Column:
    return sa.Column('image_id', sa.String(36), sa.ForeignKey('images.id'), nullable=False)


def _namespace_id() -> sa.Column:
    return sa.Column('namespace_id', sa.Integer, sa.ForeignKey('metadef_namespaces.id'), nullable=False)


def _images() -> None:
    guarded.create_table(
        'images',
        sa.Column('id', sa.String(36), primary_key=True),
        sa.Column('name', sa.String(255)),
        sa.Column('size', BigInteger),
        sa.Column('status', sa.String(30), nullable=False),
        _boolean('is_public'),
        *_soft_delete(),
        sa.Column('disk_format', sa.String(20)),
        sa.Column('container_format', sa.String(20)),
        sa.Column('checksum', sa.String(32)),
        sa.Column('owner', sa.String(255)),
        sa.Column('min_disk', sa.Integer, nullable=False),
        sa.Column('min_ram', sa.Integer, nullable=False),
        sa.Column('protected', sa.Boolean(create_constraint=True), nullable=False, server_default=sa.false()),
        sa.Column('virtual_size', BigInteger),
        indexes={
            'checksum_image_idx': ['checksum'],
            'ix_images_deleted': ['deleted'],
            'ix_images_is_public': ['is_public'],
            'owner_image_idx': ['owner'],
        })


def _properties_and_locations() -> None:
    guarded.create_table(
        'image_properties',
        _serial(),
        _image_id(),
        sa.Column('name', sa.String(255), nullable=False),
        sa.Column('value', sa.Text),
        *_soft_delete(),
        sa.UniqueConstraint('image_id', 'name', name='ix_image_properties_image_id_name'),
        indexes={
            'ix_image_properties_deleted': ['deleted'],
            'ix_image_properties_image_id': ['image_id'],
        })
    guarded.create_table(
        'image_locations',
        _serial(),
        _image_id(),
        sa.Column('value', sa.Text, nullable=False),
        *_soft_delete(),
        sa.Column('meta_data', sa.Text),
        sa.Column('status', sa.String(30), nullable=False, server_default='active'),
        indexes={
            'ix_image_locations_deleted': ['deleted'],
            'ix_image_locations_image_id': ['image_id'],
        })


def _members_and_tags() -> None:
    guarded.create_table(
        'image_members',
        _serial(),
        _image_id(),
        sa.Column('member', sa.String(255), nullable=False),
        _boolean('can_share'),
        *_soft_delete(),
        sa.Column('status', sa.String(20), nullable=False, server_default='pending'),
        sa.UniqueConstraint('image_id', 'member', 'deleted_at', name='image_members_image_id_member_deleted_at_key'),
        indexes={
            'ix_image_members_deleted': ['deleted'],
            'ix_image_members_image_id': ['image_id'],
            'ix_image_members_image_id_member': ['image_id', 'member'],
        })
    guarded.create_table(
        'image_tags',
        _serial(),
        _image_id(),
        sa.Column('value', sa.String(255), nullable=False),
        *_soft_delete(),
        indexes={
            'ix_image_tags_image_id': ['image_id'],
            'ix_image_tags_image_id_tag_value': ['image_id', 'value'],
        })


def _tasks() -> None:
    guarded.create_table(
        'tasks',
        sa.Column('id', sa.String(36), primary_key=True),
        sa.Column('type', sa.String(30), nullable=False),
        sa.Column('status', sa.String(30), nullable=False),
        sa.Column('owner', sa.String(255), nullable=False),
        sa.Column('expires_at', sa.DateTime),
        *_soft_delete(),
        indexes={
            'ix_tasks_deleted': ['deleted'],
            'ix_tasks_owner': ['owner'],
            'ix_tasks_status': ['status'],
            'ix_tasks_type': ['type'],
            'ix_tasks_updated_at': ['updated_at'],
        })
    guarded.create_table(
        'task_info',
        sa.Column('task_id', sa.String(36), sa.ForeignKey('tasks.id'), primary_key=True),
        sa.Column('input', sa.Text),
        sa.Column('result', sa.Text),
        sa.Column('message', sa.Text))


def _namespaces_and_resource_types() -> None:
    guarded.create_table(
        'metadef_namespaces',
        _serial(),
        sa.Column('namespace', sa.String(80), nullable=False),
        sa.Column('display_name', sa.String(80)),
        sa.Column('description', sa.Text),
        sa.Column('visibility', sa.String(32)),
        sa.Column('protected', sa.Boolean(create_constraint=True)),
        sa.Column('owner', sa.String(255), nullable=False),
        *_timestamps(),
        sa.UniqueConstraint('namespace', name='uq_metadef_namespaces_namespace'),
        indexes={'ix_metadef_namespaces_owner': ['owner']})
    guarded.create_table(
        'metadef_resource_types',
        _serial(),
        sa.Column('name', sa.String(80), nullable=False),
        _boolean('protected'),
        *_timestamps(),
        sa.UniqueConstraint('name', name='uq_metadef_resource_types_name'))
    guarded.create_table(
        'metadef_namespace_resource_types',
        sa.Column('resource_type_id', sa.Integer, sa.ForeignKey('metadef_resource_types.id'), primary_key=True),
        sa.Column('namespace_id', sa.Integer, sa.ForeignKey('metadef_namespaces.id'), primary_key=True),
        sa.Column('properties_target', sa.String(80)),
        sa.Column('prefix', sa.String(80)),
        *_timestamps(),
        indexes={'ix_metadef_ns_res_types_namespace_id': ['namespace_id']})


def _definitions() -> None:
    guarded.create_table(
        'metadef_objects',
        _serial(),
        _namespace_id(),
        sa.Column('name', sa.String(80), nullable=False),
        sa.Column('description', sa.Text),
        sa.Column('required', sa.Text),
        sa.Column('json_schema', sa.Text, nullable=False),
        *_timestamps(),
        sa.UniqueConstraint('namespace_id', 'name', name='uq_metadef_objects_namespace_id_name'),
        indexes={'ix_metadef_objects_name': ['name']})
    guarded.create_table(
        'metadef_properties',
        _serial(),
        _namespace_id(),
        sa.Column('name', sa.String(80), nullable=False),
        sa.Column('json_schema', sa.Text, nullable=False),
        *_timestamps(),
        sa.UniqueConstraint('namespace_id', 'name', name='uq_metadef_properties_namespace_id_name'),
        indexes={'ix_metadef_properties_name': ['name']})
    guarded.create_table(
        'metadef_tags',
        _serial(),
        _namespace_id(),
        sa.Column('name', sa.String(80), nullable=False),
        *_timestamps(),
        sa.UniqueConstraint('namespace_id', 'name', name='uq_metadef_tags_namespace_id_name'),
        indexes={'ix_metadef_tags_name': ['name']})
